/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/*
 * The two kinds of perf events that plop samples by: cpu-clock on a CPU, whatever runs there, or on
 * a thread and those that it makes. Each is opened disabled.
 *
 * Kernels of Debian and Ubuntu refuse them to whoever has CAP_PERFMON but not CAP_SYS_ADMIN, where
 * the sysctl kernel.perf_event_paranoid is over 2: 3 on Debian, 4 on Ubuntu (EACCES; no kernel of
 * kernel.org does). There plop-perf opens them for plopd, which does without CAP_SYS_ADMIN.
 */
struct perf_event {
	int32_t cpu; /* -1: of a thread */
	int32_t tid; /* -1: of a CPU */
	uint64_t period_ns;
};

/* Where plop-perf is asked, by user plop and root alone (plop-perf.socket). */
#define PERF_OPENER_SOCKET "/run/plop-perf.sock"

/*
 * An fd, or a negative errno: -ESRCH, the thread has ended; -EINTR, a signal came. Asks the one at
 * socket where this process is refused; if nobody is there, the refusal stays. It does not wait for
 * longer than two seconds.
 */
int perf_event_open(const struct perf_event *e, const char *socket);

/* The same by this process alone. */
int perf_event_open_here(const struct perf_event *e);
