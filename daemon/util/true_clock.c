/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/true_clock.h"

#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "util/fd.h"

/* A timer for so long from now; it may be off by as much as a busy machine keeps plopd waiting. */
#define AHEAD_S 1000
#define OFF_S   100

static bool is_near(time_t a, time_t b)
{
	return a - b < OFF_S && b - a < OFF_S;
}

int true_clock_check(void)
{
	struct timespec told, kernel;
	struct itimerspec at = {}, left;
	_cleanup_close_ int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (clock_gettime(CLOCK_MONOTONIC, &told) < 0 ||
	    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &kernel) < 0)
		return -errno;
	at.it_value.tv_sec = told.tv_sec + AHEAD_S;
	/* what it becomes on the way to the kernel is what the kernel says of it */
	if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
		return errno == EINVAL ? -ENOTUNIQ : -errno;
	if (syscall(SYS_timerfd_gettime, fd, &left) < 0)
		return -errno;
	return is_near(told.tv_sec, kernel.tv_sec) && is_near(left.it_value.tv_sec, AHEAD_S) ?
		       0 :
		       -ENOTUNIQ;
}
