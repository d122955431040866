/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/epoll.h>
#include <sys/socket.h>

#include "api/head.h"
#include "api/server.h"
#include "util/log.h"
#include "util/seldom.h"

/*
 * From here on what has come is looked at by the clock only, so that a body that trickles in costs
 * no more than one that does not.
 */
#define LOOKS_BY_EVENT 64
#define LOOK_USEC      (20 * USEC_PER_MSEC)

void gate_free(struct api_gate *g)
{
	if (!g)
		return;
	LIST_REMOVE(g, gates);
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

void gate_refuse(int fd, unsigned int status, const char *error, bool with_body)
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
		     status, reason(status), n, with_body ? body : "");
	if (m < (int)sizeof(text) && send(fd, text, (size_t)m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug_r(-errno, "Failed to refuse a request");
	shutdown(fd, SHUT_WR);
	/*
	 * Closing with unread input would reset the connection, and the answer with it: take what
	 * is there, within bounds.
	 */
	for (int i = 0; i < 64; i++)
		if (recv(fd, drain, sizeof(drain), MSG_DONTWAIT) <= 0)
			break;
}

static int hand_over(struct api_gate *g)
{
	struct api_server *s = g->server;
	int fd = TAKE_FD(g->fd);

	/* libmicrohttpd closes fd on failure, too. */
	if (MHD_add_connection(s->daemon, fd, (const struct sockaddr *)&g->address,
			       g->address_size) != MHD_YES)
		return -ENOMEM;
	server_kick(s);
	return 0;
}

/*
 * Whoever waits for leave to send the body gets it: that of a body in chunks has to be here before
 * it is handed over.
 */
static void tell_continue(struct api_gate *g)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (g->told_continue)
		return;
	g->told_continue = true;
	if (send(g->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug_r(-errno, "Failed to ask for a body");
}

/*
 * The first bytes of the connection, up to size; they stay where they are. -EAGAIN: nothing is
 * there; 0: it is closed.
 */
static ssize_t peek(const struct api_gate *g, char *data, size_t size)
{
	ssize_t n = recv(g->fd, data, size, MSG_PEEK | MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

/* As head_check(), of the head and of the body if that is in chunks. */
static int check(struct api_gate *g, bool *ret_is_head, struct head_problem *ret)
{
	static char data[API_MAX_HEAD +
			 HEAD_MAX_CHUNKED]; /* one loop thread, used within this call only */
	struct head head;
	ssize_t n;
	int r;

	n = peek(g, data, API_MAX_HEAD);
	if (n <= 0)
		return n == 0 ? -ECONNRESET : (int)n;
	*ret_is_head = n > 5 && memcmp(data, "HEAD ", 5) == 0;
	r = head_check(data, (size_t)n, &head, ret);
	if (r <= 0 || !head.chunked)
		return r;
	n = peek(g, data, sizeof(data));
	if (n < (ssize_t)head.size)
		return n < 0 ? (int)n : -ECONNRESET;
	r = chunked_check(data + head.size, (size_t)n - head.size, ret);
	if (r == 0 && head.expects)
		tell_continue(g);
	return r;
}

/* Whether it is the other end, or the network, that a connection ended by (tcp(7), ip(7)). */
static bool is_gone(int r)
{
	return r == -EAGAIN || r == -EINTR || r == -ECONNRESET || r == -EPIPE || r == -ETIMEDOUT ||
	       r == -EHOSTUNREACH || r == -ENETUNREACH;
}

/* Looks at what has come; frees the gate unless more must come. */
static void gate_look(struct api_gate *g, bool closed)
{
	static struct seldom said;
	struct head_problem problem = {};
	bool is_head = false;
	int r = check(g, &is_head, &problem);

	if (!closed && (r == 0 || r == -EAGAIN || r == -EINTR)) {
		if (++g->looks == LOOKS_BY_EVENT) {
			sd_event_source_set_enabled(g->io, SD_EVENT_OFF);
			sd_event_source_set_time_relative(g->timer, LOOK_USEC);
		}
		return;
	}
	if (r == 1) {
		r = hand_over(g);
		if (r < 0)
			seldom_warn(&said, r, "Cannot take a connection on, closing it");
	} else if (r == -EBADMSG) {
		gate_refuse(g->fd, problem.status, problem.error, !is_head);
	} else if (r == 0) {
		gate_refuse(g->fd, 400, "the request is not complete", !is_head);
	} else if (!is_gone(r)) {
		seldom_warn(&said, r, "Cannot read a request, closing its connection");
	}
	gate_free(g);
}

static int on_gate(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	gate_look(ctx, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
	return 0;
}

static int on_gate_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct api_gate *g = ctx;
	uint64_t now = 0;

	sd_event_now(g->server->loop, CLOCK_MONOTONIC, &now);
	if (now >= g->begun_usec + API_CLIENT_TIMEOUT * USEC_PER_SEC) {
		gate_refuse(g->fd, 408, "the request did not come in time", true);
		gate_free(g);
		return 0;
	}
	sd_event_source_set_time(source, now + LOOK_USEC);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	gate_look(g, false);
	return 0;
}

/* as: who it is of, which has no fd of its own yet. */
static int gate_new(const struct api_gate *as, int *fd)
{
	struct api_gate *g = calloc(1, sizeof(*g));
	struct api_server *s = as->server;
	int r;

	if (!g)
		return -ENOMEM;
	*g = *as;
	g->fd = TAKE_FD(*fd);
	sd_event_now(s->loop, CLOCK_MONOTONIC, &g->begun_usec);
	LIST_INSERT_HEAD(&s->gates, g, gates);
	/*
	 * Edges: what is only looked at stays in the socket, so a level would wake the loop for
	 * ever.
	 */
	r = sd_event_add_io(s->loop, &g->io, g->fd, EPOLLIN | EPOLLRDHUP | EPOLLET, on_gate, g);
	if (r >= 0)
		r = sd_event_add_time(s->loop, &g->timer, CLOCK_MONOTONIC,
				      g->begun_usec + API_CLIENT_TIMEOUT * USEC_PER_SEC,
				      100 * USEC_PER_MSEC, on_gate_timer, g);
	if (r < 0) {
		gate_free(g);
		return r;
	}
	/* Most requests are here already, and go on before anything can take their place. */
	gate_look(g, false);
	return 0;
}

int gate_accept(struct api_server *s, int listen_fd)
{
	static struct seldom said;
	struct api_gate g = { .server = s, .address_size = sizeof(g.address) };
	struct sockaddr *address = (struct sockaddr *)&g.address;
	_cleanup_close_ int fd = -EBADF;
	char error[128];
	unsigned int status;
	int r = 0;

	fd = accept4(listen_fd, address, &g.address_size, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return -errno;
	peer_of(s, fd, address, &g.peer);
	status = bounds_admit(s, &g.peer, error, sizeof(error));
	if (status) {
		gate_refuse(fd, status, error, true);
		return 0;
	}
	if (s->options.clear)
		r = s->options.clear(TAKE_FD(fd), &fd, s->options.ctx);
	if (r >= 0)
		r = gate_new(&g, &fd);
	if (r < 0)
		seldom_warn(&said, r, "Cannot look after a connection, closing it");
	return 0;
}
