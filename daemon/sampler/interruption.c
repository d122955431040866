/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>

#include "sampler/interruption.h"
#include "util/macro.h"

/* A signal may come a moment before the call that it is to end. */
#define AGAIN_MS 10

static void nothing(int number)
{
}

int interruption_begin(struct interruption *i, unsigned int ms)
{
	/* without SA_RESTART */
	const struct sigaction action = { .sa_handler = nothing };
	struct itimerspec at = { .it_value = { .tv_sec = ms / 1000,
					       .tv_nsec = (long)(ms % 1000 * NSEC_PER_MSEC) },
				 .it_interval.tv_nsec = AGAIN_MS * NSEC_PER_MSEC };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };

	*i = (struct interruption){};
	event._sigev_un._tid = gettid();
	if (sigaction(SIGALRM, &action, NULL) < 0 ||
	    timer_create(CLOCK_MONOTONIC, &event, &i->timer) < 0)
		return -errno;
	i->armed = true;
	if (timer_settime(i->timer, 0, &at, NULL) < 0) {
		interruption_end(i);
		return -errno;
	}
	return 0;
}

void interruption_end(struct interruption *i)
{
	if (i->armed)
		timer_delete(i->timer);
	i->armed = false;
}
