/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "perf/event.h"
#include "util/macro.h"

int perf_event_open_here(const struct perf_event *e)
{
	/*
	 * cpu-clock works in virtual machines and never comes as an NMI. Idle ticks of a CPU are of
	 * no interest: exclude_idle keeps the program from running for them (kernel/events/core.c,
	 * perf_swevent_hrtimer()).
	 */
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = e->period_ns,
		.disabled = 1,
		.exclude_idle = e->tid < 0,
		.inherit = e->tid >= 0,
		.inherit_thread = e->tid >= 0,
		.read_format = PERF_FORMAT_TOTAL_TIME_RUNNING,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, e->tid, e->cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The answer to what was sent: an fd, or a negative errno; -EBADMSG, it is none. */
static int answer_take(int fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {};
	int32_t r = -EBADMSG;
	int event = -EBADF;
	struct iovec part = { .iov_base = &r, .iov_len = sizeof(r) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	if (n < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&message);
	if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(event)))
		memcpy(&event, CMSG_DATA(c), sizeof(event));
	if (n == sizeof(r) && (event >= 0) == (r == 0) && r <= 0)
		return r < 0 ? r : event;
	if (event >= 0)
		close(event);
	return -EBADMSG;
}

static int perf_event_ask(const struct perf_event *e, const char *socket_path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = 2 };
	_cleanup_close_ int fd = -EBADF;

	if (strlen(socket_path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(fd, e, sizeof(*e), MSG_NOSIGNAL) < 0)
		return -errno;
	return answer_take(fd);
}

int perf_event_open(const struct perf_event *e, const char *socket_path)
{
	int r = perf_event_open_here(e), asked;

	if (r != -EACCES)
		return r;
	asked = perf_event_ask(e, socket_path);
	if (asked == -EAGAIN)
		return -ETIMEDOUT;
	return asked == -ENOENT || asked == -ECONNREFUSED ? r : asked;
}
