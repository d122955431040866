/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The kernel's own bound on ticks. An event that has more of them between two ticks of the
 * scheduler than kernel.perf_event_max_sample_rate allows is stopped until the next of these
 * (__perf_event_account_interrupt(), kernel/events/core.c), whatever its period. Any period may be
 * asked for, so no one is refused. The kernel lowers that bound by itself where the interrupts of
 * hardware events take too long (perf_sample_event_took(), the same file).
 */

/*
 * Of some events, since they were opened: the time that they could have had ticks in, and in how
 * much of it the kernel had stopped them, in ns. What a clock event counts is the time in which it
 * was not stopped (cpu_clock_event_update(), the same file).
 */
struct throttling {
	uint64_t running_ns, stopped_ns;
};

/* Which part of the time since before they were stopped, 0 to 1; before may be of closed ones. */
double throttling_part(const struct throttling *now, const struct throttling *before);

/* The text of the sysctl's file. 0, or -EINVAL. */
int throttling_parse_most(const char *text, unsigned int *ret_hz);
/* kernel.perf_event_max_sample_rate as it is now; 0: it cannot be read. */
unsigned int throttling_most(void);

/*
 * Says in one sentence what is wrong with a rate, in ticks a second, where the bound is most_hz (0:
 * not known) and ticks were stopped for a part of the time. False: nothing is.
 */
#define THROTTLING_TEXT_MAX 256
bool throttling_say(unsigned int hz, unsigned int most_hz, double part,
		    char text[static THROTTLING_TEXT_MAX]);
