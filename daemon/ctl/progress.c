/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>

#include "ctl/ctl.h"
#include "ctl/progress.h"

const char *progress_line(const json_t *recording, unsigned int columns, char *buffer, size_t size)
{
	double elapsed = json_number_at(recording, "elapsed_s"),
	       duration = json_number_at(recording, "duration_s");
	unsigned int width = columns > 60 ? 24 : 10, full;
	char samples[32], lost[32], bar[32];

	full = duration > 0 ? (unsigned int)(fmin(1, fmax(0, elapsed / duration)) * width) : 0;
	memset(bar, '-', width);
	memset(bar, '#', full);
	bar[width] = '\0';
	snprintf(buffer, MIN(size, (size_t)columns), "[%s] %.1f/%.0f s  %s samples  %s lost", bar,
		 elapsed, duration,
		 text_number((uint64_t)json_number_at(recording, "samples"), samples,
			     sizeof(samples)),
		 text_number((uint64_t)json_number_at(recording, "lost_total"), lost,
			     sizeof(lost)));
	return buffer;
}

void progress_begin(struct progress *p)
{
	p->columns = text_columns(STDERR_FILENO);
}

void progress_show(const struct progress *p, const json_t *recording)
{
	char line[256];

	if (p->columns == 0)
		return;
	dprintf(STDERR_FILENO, "\r\033[K%s",
		progress_line(recording, p->columns, line, sizeof(line)));
}

void progress_end(const struct progress *p)
{
	if (p->columns > 0)
		dprintf(STDERR_FILENO, "\r\033[K");
}
