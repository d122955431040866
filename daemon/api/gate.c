/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/epoll.h>
#include <sys/socket.h>

#include "api/head.h"
#include "api/server.h"
#include "util/log.h"

void gate_free(struct api_gate *g)
{
	if (!g)
		return;
	LIST_REMOVE(g, gates);
	g->server->ngates--;
	sd_event_source_disable_unref(g->io);
	sd_event_source_disable_unref(g->timer);
	if (g->fd >= 0)
		close(g->fd);
	free(g);
}

static const char *reason(unsigned int status)
{
	const char *s = MHD_get_reason_phrase_for(status);

	return s ? s : "Error";
}

/* A short answer on a socket that libmicrohttpd does not have. It fits in the socket's buffer or is not sent. */
static void refuse(int fd, unsigned int status, const char *error)
{
	char body[256], text[1024], drain[4096];
	int n, m;

	n = snprintf(body, sizeof(body),
		     "{\"error\":\"%s\",\"hint\":\"see plop-gateway(8) for the HTTP API\"}\n",
		     error);
	m = snprintf(text, sizeof(text),
		     "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
		     "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: "
		     "close\r\n\r\n%s",
		     status, reason(status), n, body);
	if (m < (int)sizeof(text) && send(fd, text, (size_t)m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug_r(-errno, "Failed to refuse a request");
	shutdown(fd, SHUT_WR);
	/* Closing with unread input would reset the connection, and the answer with it: take what is there, within bounds. */
	for (int i = 0; i < 64; i++)
		if (recv(fd, drain, sizeof(drain), MSG_DONTWAIT) <= 0)
			break;
}

static int hand_over(struct api_gate *g)
{
	struct api_server *s = g->server;
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	int fd;

	if (getpeername(g->fd, (struct sockaddr *)&address, &size) < 0)
		return -errno;
	fd = TAKE_FD(g->fd);
	/* libmicrohttpd closes fd on failure, too. */
	if (MHD_add_connection(s->daemon, fd, (struct sockaddr *)&address, size) != MHD_YES)
		return -ENOMEM;
	server_kick(s);
	return 0;
}

/* Looks at what has come; frees the gate unless more must come. */
static void gate_look(struct api_gate *g, bool closed)
{
	static char head[API_MAX_HEAD]; /* one loop thread, used within this call only */
	struct head_problem problem;
	ssize_t n;
	int r;

	n = recv(g->fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && !closed)
		return;
	if (n <= 0) {
		gate_free(g);
		return;
	}
	r = head_check(head, (size_t)n, &problem);
	if (r == 0 && !closed)
		return;
	if (r > 0) {
		r = hand_over(g);
		if (r < 0)
			log_debug_r(r, "Failed to take a connection on");
	} else if (r < 0) {
		refuse(g->fd, problem.status, problem.error);
	} else {
		refuse(g->fd, 400, "the request is not complete");
	}
	gate_free(g);
}

static int on_gate(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	gate_look(ctx, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
	return 0;
}

static int on_gate_timeout(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct api_gate *g = ctx;

	refuse(g->fd, 408, "the request did not come in time");
	gate_free(g);
	return 0;
}

static int gate_new(struct api_server *s, int *fd, const struct api_peer *peer)
{
	struct api_gate *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	g->server = s;
	g->peer = *peer;
	g->fd = TAKE_FD(*fd);
	LIST_INSERT_HEAD(&s->gates, g, gates);
	s->ngates++;
	/* Edges: what is only looked at stays in the socket, so a level would wake the loop for ever. */
	r = sd_event_add_io(s->loop, &g->io, g->fd, EPOLLIN | EPOLLRDHUP | EPOLLET, on_gate, g);
	if (r >= 0)
		r = sd_event_add_time_relative(s->loop, &g->timer, CLOCK_MONOTONIC,
					       API_CLIENT_TIMEOUT * USEC_PER_SEC,
					       100 * USEC_PER_MSEC, on_gate_timeout, g);
	if (r < 0)
		gate_free(g);
	return r < 0 ? r : 0;
}

/*
 * Whether the peer has as many connections as one may have. One between the gate and its request, which begins in the same turn
 * of the loop, is not counted.
 */
static bool has_enough(const struct api_server *s, const struct api_peer *peer)
{
	const struct api_gate *g;
	const struct api_call *c;
	unsigned int n = 0;

	if (!peer->is_unix || peer->trusted)
		return false;
	LIST_FOREACH(g, &s->gates, gates)
	n += g->peer.uid == peer->uid;
	LIST_FOREACH(c, &s->calls, calls)
	n += c->request.peer.uid == peer->uid;
	return n >= API_PEER_CONNECTIONS;
}

int gate_accept(struct api_server *s)
{
	char error[128];
	struct api_peer peer;
	_cleanup_close_ int fd = -EBADF;
	const union MHD_DaemonInfo *info;
	int r;

	fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return -errno;
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
	if (s->ngates + (info ? info->num_connections : 0) >= s->options.max_connections) {
		refuse(fd, 503, "too many connections at once");
		return 0;
	}
	peer_of(s, fd, &peer);
	if (has_enough(s, &peer)) {
		snprintf(error, sizeof(error),
			 "uid %u has %d connections already, the most for one user", peer.uid,
			 API_PEER_CONNECTIONS);
		refuse(fd, 429, error);
		return 0;
	}
	r = gate_new(s, &fd, &peer);
	if (r < 0)
		log_debug_r(r, "Failed to look after a connection");
	return 0;
}
