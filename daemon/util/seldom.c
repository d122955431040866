/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdarg.h>

#include "util/clock.h"
#include "util/seldom.h"

#define PAUSE_NS (60 * NSEC_PER_SEC)

int seldom_warn_at(struct seldom *s, uint64_t now_ns, int r, const char *what)
{
	if (now_ns < s->next_ns) {
		s->untold++;
		return r;
	}
	if (s->untold)
		log_warning_r(r, "%s (and %" PRIu64 " times since this was last said)", what,
			      s->untold);
	else
		log_warning_r(r, "%s", what);
	*s = (struct seldom){ .next_ns = now_ns + PAUSE_NS };
	return r;
}

int seldom_warn(struct seldom *s, int r, const char *format, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	return seldom_warn_at(s, clock_ns(CLOCK_MONOTONIC), r, what);
}
