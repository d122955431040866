/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

/*
 * A point in time as people write it, and as journalctl takes it (systemd.time(7)), to nanoseconds
 * since 1970; now_ns is the time at which it is asked. All of the string, or:
 *
 *   now, 10m, "1h 30min ago", -10m    that long before now; "+10m", "10m left" after it
 *   [WEEKDAY] [DAY] [TIME] [ZONE]     DAY is 2026-11-28, today, yesterday or tomorrow; without it
 *   is today, without TIME 0:00.
 *                                     TIME is 9:00, 09:00:30 or 09:00:30.25; a "T" may stand before
 *                                     it. ZONE is UTC, Z, +01:00,
 *                                     or what the host's zone calls itself at that time; without it
 *                                     is the host's.
 *   @1795858200, 1795858200.25        Unix seconds; without the @ ten digits or more
 *
 * Where clocks are put back the same local time comes twice: last says which is meant. A time that
 * is left out where they are put forward counts as if they had not been: 2:30 is then what they
 * show as 3:30.
 *
 * -EINVAL: none of these, or a weekday that is another's; -ERANGE: not in what a profile can say,
 * 1970 to 2554. *ret is untouched on failure. Pure, but for the host's time zone, which is
 * localtime()'s.
 */
int when_parse(const char *s, uint64_t now_ns, bool last, uint64_t *ret);
/* The forms that it takes, for messages. */
const char *when_forms(void);
