/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "api/server.h"
#include "util/log.h"

/* Memory of one connection in libmicrohttpd: head, its parsed form, the answer's headers, one read or write. */
#define CONNECTION_MEMORY (128 * 1024)

void server_kick(struct api_server *s)
{
	if (!s->timer)
		return;
	sd_event_source_set_time(s->timer, 0);
	sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void pump(struct api_server *s)
{
	MHD_UNSIGNED_LONG_LONG timeout;
	uint64_t now = 0;

	/* Off first: what runs inside may kick. */
	sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
	if (MHD_run(s->daemon) != MHD_YES)
		log_debug("libmicrohttpd failed to run");
	if (s->accept_paused) {
		s->accept_paused = false;
		sd_event_source_set_enabled(s->accept, SD_EVENT_ON);
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

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct api_server *s = ctx;
	int r = 0;

	/* A few at a time, so that a flood of connections cannot hold the loop. */
	for (int i = 0; i < 16 && r >= 0; i++)
		r = gate_accept(s);
	if (r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS) {
		uint64_t now = 0;

		log_debug_r(r, "Failed to accept a connection, pausing");
		s->accept_paused = true;
		sd_event_source_set_enabled(s->accept, SD_EVENT_OFF);
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
		call_completed, s, MHD_OPTION_CONNECTION_LIMIT, s->options.max_connections + 1,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)API_CLIENT_TIMEOUT,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
	if (!s->daemon)
		return -ENOMEM;
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || info->epoll_fd < 0)
		return -EOPNOTSUPP;
	r = sd_event_add_io(s->loop, &s->io, info->epoll_fd, EPOLLIN, on_io, s);
	if (r < 0)
		return r;
	r = sd_event_add_time(s->loop, &s->timer, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_timer, s);
	if (r < 0)
		return r;
	r = sd_event_add_io(s->loop, &s->accept, s->listen_fd, EPOLLIN, on_accept, s);
	return r < 0 ? r : 0;
}

int api_server_new(sd_event *loop, int listen_fd, const struct api_options *options,
		   struct api_server **ret)
{
	_cleanup_(api_server_freep) struct api_server *s = NULL;
	int domain, r;
	socklen_t size = sizeof(domain);

	if (getsockopt(listen_fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return -errno;
	/* A socket that systemd has opened blocks, and a client may be gone before it is accepted. */
	r = fcntl(listen_fd, F_GETFL);
	if (r < 0 || fcntl(listen_fd, F_SETFL, r | O_NONBLOCK) < 0)
		return -errno;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->loop = sd_event_ref(loop);
	s->listen_fd = -EBADF;
	s->is_unix = domain == AF_UNIX;
	s->group = peer_group();
	s->options = *options;
	LIST_INIT(&s->gates);
	LIST_INIT(&s->calls);
	s->listen_fd = listen_fd;
	r = start(s);
	if (r < 0) {
		s->listen_fd = -EBADF; /* still the caller's */
		return r;
	}
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
	sd_event_source_disable_unref(s->accept);
	sd_event_source_disable_unref(s->io);
	s->timer = sd_event_source_disable_unref(s->timer);
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	sd_event_unref(s->loop);
	free(s);
}
