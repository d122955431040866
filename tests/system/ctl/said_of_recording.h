/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/json.h"

/* What the stand-in for plopd says a recording is: kept by its name, but one called "full". */
static inline void put_identity(struct json_writer *w, const char *name, bool ended)
{
	bool full = strcmp(name, "full") == 0;

	json_put_string(w, "name", *name ? name : NULL);
	json_put_bool(w, "kept", ended && *name && !full);
	json_put_string(w, "not_kept", ended && full ? "the disk of /x is full" : NULL);
	json_put_string(w, "target", "all");
	json_put_uint(w, "uid", 0);
	json_put_object(w, "labels");
	json_put_end(w);
	json_put_real(w, "start", 1795359600);
}

/*
 * process 88 has threads of which it is not known whether they held the GIL; 99 has them, and waits
 */
static inline void put_states(struct json_writer *w, int64_t pid)
{
	json_put_object(w, "states");
	json_put_string(w, "gil", "known");
	json_put_int(w, "gil_held", 77);
	json_put_int(w, "gil_released", 0);
	json_put_int(w, "gil_untold", pid == 88 || pid == 99 ? 11 : 0);
	json_put_real(w, "waiting_for_gil_s", 4);
	json_put_real(w, "sleeping_s", 3);
	json_put_real(w, "runnable_s", 1);
	json_put_real(w, "threads_s", 10);
	json_put_real(w, "off_cpu_s", pid == 99 ? 1.5 : 0);
	json_put_int(w, "unread", pid == 99);
	json_put_end(w);
}
