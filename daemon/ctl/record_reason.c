/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "ctl/record_reason.h"
#include "util/macro.h"

const char *record_reason(const char *reason, char *buffer, size_t size)
{
	static const struct {
		const char *reason, *said;
	} known[] = {
		/* whoever stopped it knows */
		{ "", NULL },
		{ "elapsed", NULL },
		{ "stopped", NULL },
		{ "target ended", "ended early: the process ended" },
		{ "too large",
		  "ended early: it holds more different stacks than plopd keeps in memory" },
		{ "no events",
		  "ended early: the kernel gave no perf events to go on with; plopd's log "
		  "says why" },
		{ "plopd ended", "ended early: plopd ended" },
		{ "no timer", "ended early: plopd had no timer for it; its log says why" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (streq(known[i].reason, reason))
			return known[i].said;
	}
	snprintf(buffer, size, "ended early: %.64s", reason);
	return buffer;
}
