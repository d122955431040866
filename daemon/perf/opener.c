/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "perf/event.h"
#include "perf/opener.h"
#include "util/macro.h"

/*
 * To open an event of a thread waits while its process is within execve(), see
 * sampler/interruption.h. A signal ends that, and comes again, as one may come a moment before.
 */
#define PATIENCE_US 100000

static void nothing(int number)
{
}

static int opened_in_time(const struct perf_event *e)
{
	const struct itimerval often = { .it_value.tv_usec = PATIENCE_US,
					 .it_interval.tv_usec = PATIENCE_US },
			       never = {};
	int r;

	if (setitimer(ITIMER_REAL, &often, NULL) < 0)
		return -errno;
	r = perf_event_open_here(e);
	setitimer(ITIMER_REAL, &never, NULL);
	return r;
}

/* An answer that cannot be sent is its asker's loss. */
static void answer(int fd, int event)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {};
	int32_t r = event < 0 ? event : 0;
	struct iovec part = { .iov_base = &r, .iov_len = sizeof(r) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (event >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(event));
		memcpy(CMSG_DATA(c), &event, sizeof(event));
	}
	sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* One of either kind, and nothing else. */
static bool perf_event_is_one(const struct perf_event *e)
{
	return (e->cpu >= 0) != (e->tid > 0) && e->cpu >= -1 && e->tid >= -1 && e->period_ns;
}

static void serve_one(int fd)
{
	const struct timeval patience = { .tv_usec = PATIENCE_US };
	_cleanup_close_ int event = -EBADF;
	struct perf_event e;

	/* who connects and says nothing holds nobody up */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (recv(fd, &e, sizeof(e), MSG_TRUNC) != sizeof(e))
		return;
	event = perf_event_is_one(&e) ? opened_in_time(&e) : -EINVAL;
	answer(fd, event);
}

int opener_serve(int listener, int idle_ms)
{
	/* without SA_RESTART */
	const struct sigaction action = { .sa_handler = nothing };
	struct pollfd polled = { .fd = listener, .events = POLLIN };
	int r;

	if (sigaction(SIGALRM, &action, NULL) < 0)
		return -errno;
	while ((r = poll(&polled, 1, idle_ms)) != 0) {
		_cleanup_close_ int fd = -EBADF;
		struct sockaddr_un peer;
		socklen_t size = sizeof(peer);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);
		if (fd >= 0)
			serve_one(fd);
		else if (errno != EINTR && errno != ECONNABORTED && errno != EAGAIN)
			return -errno;
	}
	return 0;
}
