/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "sampler/throttling.h"
#include "util/macro.h"

/* Less is the time that it takes to give an event another period. */
#define PART_LEAST 0.005

double throttling_part(const struct throttling *now, const struct throttling *before)
{
	uint64_t running = now->running_ns, stopped = now->stopped_ns;

	/* others were opened in their place since, if they have less */
	if (running >= before->running_ns && stopped >= before->stopped_ns) {
		running -= before->running_ns;
		stopped -= before->stopped_ns;
	}
	return running ? (double)MIN(stopped, running) / (double)running : 0;
}

int throttling_parse_most(const char *text, unsigned int *ret_hz)
{
	unsigned long hz;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	hz = strtoul(text, &end, 10);
	if (errno || hz == 0 || hz > INT32_MAX || (*end && *end != '\n'))
		return -EINVAL;
	*ret_hz = (unsigned int)hz;
	return 0;
}

unsigned int throttling_most(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/kernel/perf_event_max_sample_rate", "re");
	unsigned int hz = 0;
	char line[32];

	if (!f || !fgets(line, sizeof(line), f) || throttling_parse_most(line, &hz) < 0)
		return 0;
	return hz;
}

bool throttling_say(unsigned int hz, unsigned int most_hz, double part,
		    char text[static THROTTLING_TEXT_MAX])
{
	char stopped[96] = "", most[32] = "its bound";

	if (most_hz)
		snprintf(most, sizeof(most), "%u", most_hz);
	if (part >= PART_LEAST)
		snprintf(stopped, sizeof(stopped),
			 "the kernel stopped the ticks for %.*f %% of the time", part < 0.1 ? 1 : 0,
			 100 * part);
	if (most_hz && hz > most_hz)
		snprintf(text, THROTTLING_TEXT_MAX,
			 "%u ticks a second are more than kernel.perf_event_max_sample_rate, "
			 "%s%s%s; "
			 "take a lower rate, or raise that",
			 hz, most, *stopped ? ": " : "", stopped);
	else if (*stopped)
		snprintf(text, THROTTLING_TEXT_MAX,
			 "%s, as at times more came than kernel.perf_event_max_sample_rate, %s, "
			 "lets "
			 "through; take a lower rate, or raise that",
			 stopped, most);
	else
		return false;
	return true;
}
