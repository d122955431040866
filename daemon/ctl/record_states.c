/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/record_states.h"
#include "ctl/ctl.h"
#include "util/log.h"

/*
 * "GIL held 80 % of the time on CPU, not known for 12 %, waited for 41 % of wall time", or why
 * nothing is said of it. All time on CPU counts, also that of which it is not known.
 */
static void say_gil(const json_t *states, bool off_cpu)
{
	double held = json_number_at(states, "gil_held");
	double known = held + json_number_at(states, "gil_released");
	double untold = json_number_at(states, "gil_untold"), all = known + untold;
	double threads = json_number_at(states, "threads_s");
	double waited = threads > 0 ? json_number_at(states, "waiting_for_gil_s") / threads : 0;
	const char *gil = json_string_at(states, "gil");
	char unknown[64] = "", waiting[64] = "";

	if (untold > 0)
		snprintf(unknown, sizeof(unknown), ", not known for %.*f %%",
			 100 * untold / all < 1, 100 * untold / all);
	if (off_cpu)
		snprintf(waiting, sizeof(waiting), ", waited for %.0f %% of wall time",
			 100 * waited);
	if (known > 0)
		log_info("GIL held %.0f %% of the time on CPU%s%s", 100 * held / all, unknown,
			 waiting);
	if (streq(gil, "none"))
		log_info("no GIL to tell of: this Python is free-threaded");
	else if (streq(gil, "partly"))
		log_info("free-threaded Python has no GIL, and is left out of that");
	else if (streq(gil, "unknown"))
		log_info(
			"nothing is known of the GIL: plop tells who holds it from CPython 3.8 on");
}

static void say_waits(const json_t *states)
{
	double untold = json_number_at(states, "off_cpu_s");
	double unread = json_number_at(states, "unread");
	char off[64] = "";

	if (untold >= 0.05)
		snprintf(off, sizeof(off), ", %.1f s off CPU for a reason not known", untold);
	log_info("threads' time: %.1f s, of it %.1f s asleep, %.1f s runnable without a CPU%s",
		 json_number_at(states, "threads_s"), json_number_at(states, "sleeping_s"),
		 json_number_at(states, "runnable_s"), off);
	if (unread > 0)
		log_info("%.0f thread%s waited throughout and %s no stack: it could not be read, "
			 "or more "
			 "waited than the 1,024 that plop reads",
			 unread, unread > 1 ? "s" : "", unread > 1 ? "have" : "has");
}

void record_states(const json_t *recording, bool off_cpu)
{
	const json_t *states = json_object_get(recording, "states");

	say_gil(states, off_cpu);
	if (off_cpu)
		say_waits(states);
	else if (json_number_at(recording, "samples") <= 0)
		log_info(
			"no sample: nothing of it was on a CPU; --wall records time spent waiting");
}
