/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "api/head.h"
#include "api/server.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/loop_timing.h"
#include "util/seldom.h"

/*
 * Memory of one connection in libmicrohttpd: head, its parsed form, the answer's headers, one read
 * or write.
 */
#define CONNECTION_MEMORY (128 * 1024)
/* Of connections that are cut and that libmicrohttpd has not closed yet. */
#define CONNECTIONS_MORE 64
/* Accepted at a time, so that a flood of connections cannot hold the loop. */
#define ACCEPT_TURN 16
/* The preferred door's turn comes before all else; the other one has its turn among all. */
#define PRIORITY_PREFERRED (SD_EVENT_PRIORITY_NORMAL - 10)
#define PRIORITY_OTHER     SD_EVENT_PRIORITY_NORMAL

void server_kick(struct api_server *s)
{
	if (!s->timer)
		return;
	sd_event_source_set_time_relative(s->timer, 0);
	sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void enable_doors(struct api_server *s, int enabled)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->doors); i++)
		if (s->doors[i].source)
			sd_event_source_set_enabled(s->doors[i].source, enabled);
}

static void pump(struct api_server *s)
{
	MHD_UNSIGNED_LONG_LONG timeout;
	uint64_t now = 0, began = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	/* Off first: what runs inside may kick. */
	sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
	loop_part("requests");
	if (MHD_run(s->daemon) != MHD_YES)
		log_debug("libmicrohttpd failed to run");
	s->cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - began;
	if (s->accept_paused) {
		s->accept_paused = false;
		enable_doors(s, SD_EVENT_ON);
	}
	if (MHD_get_timeout(s->daemon, &timeout) != MHD_YES)
		return;
	if (timeout == 0) {
		server_kick(s);
		return;
	}
	if (sd_event_source_get_enabled(s->timer, NULL) > 0)
		return;
	sd_event_now(s->loop, CLOCK_MONOTONIC, &now);
	sd_event_source_set_time(s->timer, now + timeout * USEC_PER_MSEC);
	sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	pump(ctx);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	pump(ctx);
	return 0;
}

/* That there is no connection to accept, or that whoever made it has gone, is no failure. */
static bool accept_failed(int r)
{
	return r < 0 && r != -EAGAIN && r != -EINTR && r != -ECONNABORTED && r != -EPROTO;
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	const struct api_door *door = ctx;
	struct api_server *s = door->server;
	int r = 0;

	for (int i = 0; i < ACCEPT_TURN && r >= 0; i++)
		r = gate_accept(s, door->fd);
	/*
	 * Whatever it is: the connection stays in the queue, so that the door, whose turn may come
	 * before all else, would have every turn.
	 */
	if (accept_failed(r)) {
		static struct seldom said;
		uint64_t now = 0;

		seldom_warn(&said, r, "Cannot accept connections, trying again and again");
		s->accept_paused = true;
		enable_doors(s, SD_EVENT_OFF);
		sd_event_now(s->loop, CLOCK_MONOTONIC, &now);
		sd_event_source_set_time(s->timer, now + 100 * USEC_PER_MSEC);
		sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
	}
	return 0;
}

static void on_log(void *ctx, const char *format, va_list ap) _printf_(2, 0);
static void on_log(void *ctx, const char *format, va_list ap)
{
	char text[512];
	size_t n;

	vsnprintf(text, sizeof(text), format, ap);
	n = strcspn(text, "\n");
	text[n] = '\0';
	/*
	 * It takes a connection that it was handed for one of TCP (0.9.75), and says at each answer
	 * that it cannot have the end of it sent at once; a Unix socket does so anyway.
	 */
	if (strstr(text, "TCP_NODELAY") || strstr(text, "TCP_CORK") ||
	    strstr(text, "push the data"))
		return;
	log_debug("libmicrohttpd: %s", text);
}

static int start(struct api_server *s)
{
	const union MHD_DaemonInfo *info;
	int r;

	s->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
			MHD_USE_ERROR_LOG,
		0, NULL, NULL, call_access, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_URI_LOG_CALLBACK, call_begin, s, MHD_OPTION_NOTIFY_COMPLETED,
		call_completed, s, MHD_OPTION_CONNECTION_LIMIT,
		s->options.max_connections + CONNECTIONS_MORE, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned int)API_CLIENT_TIMEOUT, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_END);
	if (!s->daemon)
		return -ENOMEM;
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || info->epoll_fd < 0)
		return -EOPNOTSUPP;
	r = sd_event_add_io(s->loop, &s->io, info->epoll_fd, EPOLLIN, on_io, s);
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(s->loop, &s->timer, CLOCK_MONOTONIC, 0, USEC_PER_MSEC,
				       on_timer, s);
	if (r < 0)
		return r;
	return r < 0 ? r : 0;
}

/*
 * What the gate has not taken over stays in the socket: over TCP the largest request must fit into
 * its window, which is half of the buffer (tcp_adv_win_scale). A smaller one only refuses large
 * bodies in chunks.
 */
static void make_room(int listen_fd)
{
	int size = API_MAX_HEAD + HEAD_MAX_CHUNKED;

	if (setsockopt(listen_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0)
		log_debug_r(-errno, "Failed to enlarge the receive buffers");
}

/* On failure listen_fd is still the caller's. */
static int door_open(struct api_server *s, struct api_door *door, int listen_fd, int64_t priority)
{
	int r;

	/*
	 * A socket that systemd has opened blocks, and a client may be gone before it is accepted.
	 */
	r = fcntl(listen_fd, F_GETFL);
	if (r < 0 || fcntl(listen_fd, F_SETFL, r | O_NONBLOCK) < 0)
		return -errno;
	if (!s->is_unix)
		make_room(listen_fd);
	r = sd_event_add_io(s->loop, &door->source, listen_fd, EPOLLIN, on_accept, door);
	if (r < 0)
		return r;
	r = sd_event_source_set_priority(door->source, priority);
	if (r < 0) {
		door->source = sd_event_source_disable_unref(door->source);
		return r;
	}
	door->server = s;
	door->fd = listen_fd;
	return 0;
}

int api_server_prefer(struct api_server *s, int listen_fd)
{
	if (s->doors[1].source)
		return -EBUSY;
	return door_open(s, &s->doors[1], listen_fd, PRIORITY_PREFERRED);
}

int api_server_new(sd_event *loop, int listen_fd, const struct api_options *options,
		   struct api_server **ret)
{
	_cleanup_(api_server_freep) struct api_server *s = NULL;
	int domain, r;
	socklen_t size = sizeof(domain);

	if (getsockopt(listen_fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return -errno;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->loop = sd_event_ref(loop);
	s->doors[0].fd = s->doors[1].fd = -EBADF;
	s->is_unix = domain == AF_UNIX;
	s->group = peer_group();
	s->options = *options;
	LIST_INIT(&s->gates);
	LIST_INIT(&s->calls);
	r = start(s);
	if (r >= 0)
		r = door_open(s, &s->doors[0], listen_fd, PRIORITY_OTHER);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

void api_server_free(struct api_server *s)
{
	struct api_gate *g;
	struct api_call *c;

	if (!s)
		return;
	while ((g = LIST_FIRST(&s->gates)))
		gate_free(g);
	LIST_FOREACH(c, &s->calls, calls)
	call_abandon(c);
	for (size_t i = 0; i < ARRAY_SIZE(s->doors); i++) {
		sd_event_source_disable_unref(s->doors[i].source);
		if (s->doors[i].fd >= 0)
			close(s->doors[i].fd);
	}
	sd_event_source_disable_unref(s->io);
	s->timer = sd_event_source_disable_unref(s->timer);
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	sd_event_unref(s->loop);
	free(s);
}

uint64_t api_server_cpu_ns(const struct api_server *s)
{
	return s->cpu_ns;
}
