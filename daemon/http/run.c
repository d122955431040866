/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/run.h"

#include <limits.h>

#include "util/clock.h"
#include "util/socket.h"

#define AGAIN_NS (10 * NSEC_PER_MSEC)

int http_run(struct http_exchange *e, const char *socket, unsigned int connect_s)
{
	const struct timespec pause = { .tv_nsec = AGAIN_NS };
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + connect_s * NSEC_PER_SEC;
	char trusted[PATH_MAX];
	const char *path;
	int r;

	if (!socket)
		return http_exchange_result(e, curl_easy_perform(e->curl));
	path = socket_choose(socket, trusted, sizeof(trusted));
	for (;;) {
		http_exchange_to(e, path);
		r = http_exchange_result(e, curl_easy_perform(e->curl));
		if ((r == -ECONNREFUSED || r == -ENOENT) && path == trusted)
			path = socket;
		else if (r != -EAGAIN)
			return r;
		else if (clock_ns(CLOCK_MONOTONIC) > until)
			return -ETIMEDOUT;
		else
			nanosleep(&pause, NULL);
	}
}
