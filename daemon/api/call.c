/* SPDX-License-Identifier: BSD-2-Clause */
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "api/route.h"
#include "api/server.h"
#include "util/log.h"

/* Up to here a body that is too large is read and dropped, so that the client hears 413. */
#define MAX_DROPPED_BODY (1024 * 1024)

void *call_begin(void *ctx, const char *uri, struct MHD_Connection *connection)
{
	struct api_server *s = ctx;
	const union MHD_ConnectionInfo *info, *client;
	struct api_call *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return NULL;
	c->storage = calloc(1, strlen(uri) + 1);
	if (!c->storage) {
		free(c);
		return NULL;
	}
	c->server = s;
	c->connection = connection;
	STAILQ_INIT(&c->chunks);
	c->request.call = c;
	c->request.parameters = c->parameters;
	c->request.method = c->request.body = "";
	r = target_decode(uri, c->storage, &c->request.path, c->parameters,
			  &c->request.nparameters);
	if (r < 0)
		c->bad_target = MHD_HTTP_BAD_REQUEST;
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	client = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	peer_of(s, info ? info->connect_fd : -1, client ? client->client_addr : NULL,
		&c->request.peer);
	sd_event_now(s->loop, CLOCK_MONOTONIC, &c->begun_usec);
	LIST_INSERT_HEAD(&s->calls, c, calls);
	return c;
}

static void tell_gone(struct api_call *c)
{
	void (*on_gone)(void *ctx) = c->on_gone;

	c->on_gone = NULL;
	if (on_gone)
		on_gone(c->on_gone_ctx);
}

void call_completed(void *ctx, struct MHD_Connection *connection, void **call,
		    enum MHD_RequestTerminationCode code)
{
	struct api_call *c = *call;

	if (!c)
		return;
	*call = NULL;
	tell_gone(c);
	LIST_REMOVE(c, calls);
	sd_event_source_disable_unref(c->watch);
	sd_event_source_disable_unref(c->deadline);
	stream_done(c);
	if (c->response)
		MHD_destroy_response(c->response);
	buf_free(&c->body);
	free(c->storage);
	free(c);
}

void call_resume(struct api_call *c)
{
	if (!c->suspended)
		return;
	c->suspended = false;
	c->watch = sd_event_source_disable_unref(c->watch);
	MHD_resume_connection(c->connection);
	server_kick(c->server);
}

void call_abandon(struct api_call *c)
{
	c->gone = true;
	tell_gone(c);
	call_resume(c);
}

static int socket_of(const struct api_call *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -EBADF;
}

void call_cut(struct api_call *c, unsigned int status, const char *error)
{
	int fd = socket_of(c);

	if (c->cut || fd < 0)
		return;
	if (status)
		gate_refuse(fd, status, error, !c->request.head);
	c->cut = true;
	/* libmicrohttpd reads the end of the connection, or cannot write, and closes it. */
	shutdown(fd, SHUT_RDWR);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct api_call *c = ctx;

	if (c->dispatched || c->response || c->waiting)
		call_cut(c, 0, NULL);
	else
		call_cut(c, 408, "the request did not come in time");
	return 0;
}

/* Without memory for a timer there is still libmicrohttpd's own, for clients that are silent. */
static void set_deadline(struct api_call *c, uint64_t seconds)
{
	c->deadline = sd_event_source_disable_unref(c->deadline);
	if (seconds)
		sd_event_add_time_relative(c->server->loop, &c->deadline, CLOCK_MONOTONIC,
					   seconds * USEC_PER_SEC, 100 * USEC_PER_MSEC, on_deadline,
					   c);
}

static int on_hangup(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	call_abandon(ctx);
	return 0;
}

/*
 * While suspended, libmicrohttpd does not notice that a client leaves, so the loop watches the
 * socket itself.
 */
void call_suspend(struct api_call *c)
{
	int fd = socket_of(c);

	if (fd >= 0)
		sd_event_add_io(c->server->loop, &c->watch, fd, EPOLLRDHUP, on_hangup, c);
	c->suspended = true;
	MHD_suspend_connection(c->connection);
}

/* A token, or whom a proxy vouches for, is for less than that. */
static void refuse_scope(struct api_call *c, enum scope_needs needs)
{
	const struct scope *s = &c->request.peer.scope;

	if (needs == NEEDS_RECORD)
		api_reply_error(c, MHD_HTTP_FORBIDDEN,
				"plopctl token create --scope record makes one that may",
				"this token is to look, and not to record");
	else if (needs == NEEDS_READ_ALL && *s->service)
		api_reply_error(c, MHD_HTTP_FORBIDDEN,
				"plopctl token create without --service makes one of all",
				"this token is of one service, and that is of all");
	else
		api_reply_error(c, MHD_HTTP_FORBIDDEN,
				"run plopctl on the host, as root or as a member of group plop",
				"no token is for that");
}

/*
 * What plop-gateway says of whom it asks for. One who is not trusted has no more to lose, and is
 * not heard.
 */
static bool take_scope(struct api_call *c)
{
	const char *text = api_header(&c->request, SCOPE_HEADER);

	if (!c->server->is_unix || !c->request.peer.trusted || !text)
		return true;
	if (scope_parse(text, &c->request.peer.scope) == 0)
		return true;
	api_reply_error(c, MHD_HTTP_BAD_REQUEST, NULL, SCOPE_HEADER " is malformed");
	return false;
}

/* Goes to the route; the answer is in c->response after, or is deferred. */
static void dispatch(struct api_call *c)
{
	const struct api_options *o = &c->server->options;
	const struct api_route *route;
	char allow[128] = "";
	char header[160];
	int r;

	r = route_find(o->routes, o->nroutes, c->request.method, c->request.path, &route, allow,
		       sizeof(allow));
	if (r == -ENOENT) {
		api_reply_error(c, MHD_HTTP_NOT_FOUND, "GET /v1/status is a place to begin",
				"there is no %s", c->request.path);
	} else if (r < 0) {
		_cleanup_buf_ struct buf body = {};
		const char *const headers[] = { header, NULL };

		snprintf(header, sizeof(header), "Allow: %s", allow);
		buf_printf(&body,
			   "{\"error\":\"this path does not take that method\",\"hint\":\"it takes "
			   "%s\"}\n",
			   allow);
		api_reply(c, MHD_HTTP_METHOD_NOT_ALLOWED, "application/json", &body, headers);
	} else if (!route->open && !c->request.peer.trusted) {
		api_reply_error(c, MHD_HTTP_FORBIDDEN,
				"run it as root or as a member of group plop", "not allowed");
	} else if (!scope_lets(&c->request.peer.scope, route->needs)) {
		refuse_scope(c, route->needs);
	} else if (!bounds_stream(c)) {
		api_reply_error(c, 429, "close one", "%d streams of yours are open already",
				API_PEER_STREAMS);
	} else {
		c->routed = true;
		if (o->asked)
			o->asked(o->ctx);
		route->handle(&c->request, o->ctx);
	}
}

struct header_list {
	struct buf text;
	size_t n;
};

static enum MHD_Result collect_header(void *ctx, enum MHD_ValueKind kind, const char *key,
				      const char *value)
{
	struct header_list *l = ctx;

	buf_printf(&l->text, "%s: %s", key, value ? value : "");
	buf_putc(&l->text, '\0');
	l->n++;
	return MHD_YES;
}

/* 0: go on; 1: answered or deferred; negative: failed. */
static int authorize(struct api_call *c)
{
	const struct api_options *o = &c->server->options;
	_cleanup_free_ const char **headers = NULL;
	struct header_list l = {};
	const char *p;
	int r;

	if (!o->authorize)
		return 0;
	MHD_get_connection_values(c->connection, MHD_HEADER_KIND, collect_header, &l);
	headers = calloc(l.n + 1, sizeof(*headers));
	if (headers && l.text.error == 0) {
		p = l.text.data;
		for (size_t i = 0; i < l.n; i++) {
			headers[i] = p;
			p += strlen(p) + 1;
		}
		r = o->authorize(&c->request, headers, o->ctx);
	} else {
		r = -ENOMEM;
	}
	buf_free(&l.text);
	return r;
}

static void take_request(struct api_call *c)
{
	int r;

	c->dispatched = true;
	set_deadline(c, 0);
	buf_putc(&c->body, '\0');
	if (c->body.error) {
		api_reply_error(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL, "out of memory");
		return;
	}
	c->request.body = c->body.data;
	c->request.body_size = c->body.size - 1;
	if (!take_scope(c))
		return;
	r = authorize(c);
	if (r < 0)
		api_reply_error(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL,
				"failed to check the request: %s", strerror(-r));
	else if (r == 0)
		dispatch(c);
}

void api_continue(struct api_call *c, bool trusted)
{
	c->request.peer.trusted = trusted;
	c->deferred = false;
	c->on_gone = NULL;
	dispatch(c);
	/* Suspended until now: libmicrohttpd comes for the answer, or a handler defers again. */
	if (!c->deferred)
		call_resume(c);
}

static enum MHD_Result send_answer(struct api_call *c)
{
	struct MHD_Response *response = c->response;
	enum MHD_Result r;

	c->response = NULL;
	if (!c->streaming)
		set_deadline(c, API_CLIENT_TIMEOUT + c->waiting / API_SLOWEST_READER);
	r = MHD_queue_response(c->connection, c->status, response);
	MHD_destroy_response(response);
	return r;
}

/* Takes a piece of the body. Too much: kept no longer, and refused at its end. */
static enum MHD_Result take_body(struct api_call *c, const char *data, size_t *size)
{
	if (c->body.size <= API_MAX_BODY)
		buf_append(&c->body, data, MIN(*size, API_MAX_BODY + 1 - c->body.size));
	if (__builtin_add_overflow(c->request.body_size, *size, &c->request.body_size) ||
	    c->request.body_size > MAX_DROPPED_BODY)
		return MHD_NO;
	*size = 0;
	return MHD_YES;
}

/* The head is there, the body is not. Refuses by an answer where that is possible now. */
static enum MHD_Result begin(struct api_call *c, const char *method)
{
	const char *length = api_header(&c->request, MHD_HTTP_HEADER_CONTENT_LENGTH);

	c->started = true;
	/* HEAD is GET; libmicrohttpd leaves the body out. */
	c->request.head = streq(method, "HEAD");
	c->request.method = c->request.head ? "GET" : method;
	set_deadline(c, API_CLIENT_TIMEOUT);
	if (length && strtoull(length, NULL, 10) > API_MAX_BODY)
		bounds_refuse_body(c);
	return c->response ? send_answer(c) : MHD_YES;
}

enum MHD_Result call_access(void *ctx, struct MHD_Connection *connection, const char *url,
			    const char *method, const char *version, const char *data, size_t *size,
			    void **call)
{
	struct api_call *c = *call;

	if (!c || c->gone || c->cut)
		return MHD_NO;
	if (!c->started)
		return begin(c, method);
	if (*size > 0)
		return take_body(c, data, size);
	if (!c->dispatched) {
		if (c->body.size > API_MAX_BODY)
			bounds_refuse_body(c);
		else if (c->bad_target)
			api_reply_error(c, c->bad_target, "escape text as %XX, in UTF-8",
					"the request's target is malformed");
		else
			take_request(c);
	}
	if (c->gone)
		return MHD_NO;
	if (c->response)
		return send_answer(c);
	if (c->deferred) {
		call_suspend(c);
		return MHD_YES;
	}
	api_reply_error(c, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL, "the request was not answered");
	return c->response ? send_answer(c) : MHD_NO;
}

struct api_call *api_defer(const struct api_request *q, void (*gone)(void *ctx), void *ctx)
{
	api_defer_call(q->call, gone, ctx);
	return q->call;
}

void api_defer_call(struct api_call *c, void (*gone)(void *ctx), void *ctx)
{
	c->deferred = true;
	c->on_gone = gone;
	c->on_gone_ctx = ctx;
}

const char *api_header(const struct api_request *q, const char *name)
{
	return MHD_lookup_connection_value(q->call->connection, MHD_HEADER_KIND, name);
}

struct header_visit {
	const char *name;
	void (*each)(const char *value, void *ctx);
	void *ctx;
};

static enum MHD_Result visit_header(void *ctx, enum MHD_ValueKind kind, const char *key,
				    const char *value)
{
	const struct header_visit *v = ctx;

	if (value && strcasecmp(key, v->name) == 0)
		v->each(value, v->ctx);
	return MHD_YES;
}

void api_each_header(const struct api_request *q, const char *name,
		     void (*each)(const char *value, void *ctx), void *ctx)
{
	struct header_visit v = { name, each, ctx };

	MHD_get_connection_values(q->call->connection, MHD_HEADER_KIND, visit_header, &v);
}

const char *api_parameter(const struct api_request *q, const char *key)
{
	for (size_t i = q->nparameters; i > 0; i--)
		if (streq(q->parameters[i - 1].key, key))
			return q->parameters[i - 1].value;
	return NULL;
}
