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
	const union MHD_ConnectionInfo *info;
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
	peer_of(s, info ? info->connect_fd : -1, &c->request.peer);
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
	struct api_chunk *chunk;

	if (!c)
		return;
	*call = NULL;
	tell_gone(c);
	LIST_REMOVE(c, calls);
	sd_event_source_disable_unref(c->watch);
	sd_event_source_disable_unref(c->deadline);
	while ((chunk = STAILQ_FIRST(&c->chunks))) {
		STAILQ_REMOVE_HEAD(&c->chunks, chunks);
		free(chunk);
	}
	if (c->response)
		MHD_destroy_response(c->response);
	buf_free(&c->body);
	free(c->storage);
	free(c);
}

static void resume(struct api_call *c)
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
	resume(c);
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
static void suspend(struct api_call *c)
{
	int fd = socket_of(c);

	if (fd >= 0)
		sd_event_add_io(c->server->loop, &c->watch, fd, EPOLLRDHUP, on_hangup, c);
	c->suspended = true;
	MHD_suspend_connection(c->connection);
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
	} else if (!bounds_stream(c)) {
		api_reply_error(c, 429, "close one", "%d streams of yours are open already",
				API_PEER_STREAMS);
	} else {
		c->routed = true;
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
		resume(c);
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
		suspend(c);
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

static int add_headers(struct MHD_Response *response, const char *content_type,
		       const char *const *headers)
{
	int ok = MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES;

	ok &= MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES;
	ok &= MHD_add_response_header(response, "Connection", "close") == MHD_YES;
	if (content_type)
		ok &= MHD_add_response_header(response, "Content-Type", content_type) == MHD_YES;
	for (; headers && *headers; headers++) {
		const char *colon = strstr(*headers, ": ");
		char name[64];

		if (!colon || colon - *headers >= (ptrdiff_t)sizeof(name))
			return -EINVAL;
		memcpy(name, *headers, (size_t)(colon - *headers));
		name[colon - *headers] = '\0';
		ok &= MHD_add_response_header(response, name, colon + 2) == MHD_YES;
	}
	return ok ? 0 : -ENOMEM;
}

static int answer(struct api_call *c, unsigned int status, struct MHD_Response *response)
{
	c->status = status;
	c->response = response;
	c->deferred = false;
	resume(c);
	return 0;
}

size_t api_answer_max(const struct api_call *c)
{
	return c->request.peer.trusted ? API_MAX_ANSWER : API_MAX_ANSWER_OTHERS;
}

/* Says why this body cannot be the answer, and frees it. */
static int refuse_body(struct api_call *c, struct buf *body)
{
	bool no_memory = body->error && body->error != -EFBIG;
	bool large = body->error == -EFBIG || body->size > api_answer_max(c);

	buf_free(body);
	if (no_memory)
		return api_reply_error(c, 500, NULL, "out of memory");
	if (large)
		return api_reply_error(
			c, 413,
			"ask for a shorter time or for one process, for format pprof, which is "
			"compressed, or for format json, whose call graph has a bound",
			"the answer is larger than %zu MiB, the most that one may be",
			api_answer_max(c) >> 20);
	return api_reply_error(c, 503, "fetch those first, or try again in a moment",
			       "too many large answers wait to be fetched already");
}

/* Gives back what the buffer has in advance: it may wait for its client for a while. */
static void trim(struct buf *b)
{
	char *p;

	if (b->size == 0 || b->allocated - b->size < API_SMALL_ANSWER)
		return;
	p = realloc(b->data, b->size);
	if (p) {
		b->data = p;
		b->allocated = b->size;
	}
}

int api_reply(struct api_call *c, unsigned int status, const char *content_type, struct buf *body,
	      const char *const *headers)
{
	struct MHD_Response *response;
	int r;

	/* An encoder that ran out of memory left its mark: half an answer is none. */
	if (body->error || body->size > api_answer_max(c) || !bounds_waiting(c, body->size))
		return refuse_body(c, body);
	trim(body);
	c->waiting = body->size;
	response = MHD_create_response_from_buffer(body->size, body->data, MHD_RESPMEM_MUST_FREE);
	/*
	 * From here the call is answered or, without memory for that, cut off; its handle is spent
	 * either way.
	 */
	c->on_gone = NULL;
	if (!response) {
		call_abandon(c);
		return -ENOMEM;
	}
	*body = (struct buf){};
	r = add_headers(response, content_type, headers);
	if (r < 0) {
		MHD_destroy_response(response);
		call_abandon(c);
		return r;
	}
	return answer(c, status, response);
}

static ssize_t read_stream(void *ctx, uint64_t position, char *data, size_t max)
{
	struct api_call *c = ctx;
	struct api_chunk *chunk = STAILQ_FIRST(&c->chunks);
	size_t n;

	if (c->gone || c->cut)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (!chunk) {
		if (c->ended)
			return MHD_CONTENT_READER_END_OF_STREAM;
		suspend(c);
		return 0;
	}
	n = MIN(max, chunk->size - chunk->sent);
	memcpy(data, chunk->data + chunk->sent, n);
	chunk->sent += n;
	if (chunk->sent == chunk->size) {
		STAILQ_REMOVE_HEAD(&c->chunks, chunks);
		c->nchunks--;
		c->chunk_bytes -= chunk->size;
		free(chunk);
	}
	return (ssize_t)n;
}

int api_stream_begin(struct api_call *c)
{
	struct MHD_Response *response;
	int r;

	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32 * 1024, read_stream, c,
						     NULL);
	if (!response)
		return -ENOMEM;
	r = add_headers(response, "text/event-stream", NULL);
	if (r < 0) {
		MHD_destroy_response(response);
		return r;
	}
	c->streaming = true;
	return answer(c, MHD_HTTP_OK, response);
}

/* Room for size more bytes: drops the oldest event that was not begun. */
static int make_room(struct api_call *c, size_t size)
{
	while (c->nchunks >= API_STREAM_EVENTS || c->chunk_bytes + size > API_STREAM_BYTES) {
		struct api_chunk *first = STAILQ_FIRST(&c->chunks);
		struct api_chunk *drop;

		if (!first)
			return -E2BIG;
		drop = first->sent == 0 ? first : STAILQ_NEXT(first, chunks);
		if (!drop)
			return -ENOBUFS;
		STAILQ_REMOVE(&c->chunks, drop, api_chunk, chunks);
		c->nchunks--;
		c->chunk_bytes -= drop->size;
		free(drop);
	}
	return 0;
}

int api_stream_raw(struct api_call *c, const char *data, size_t size)
{
	struct api_chunk *chunk;
	int r;

	if (size == 0)
		return 0;
	if (size > API_STREAM_BYTES)
		return -E2BIG;
	r = make_room(c, size);
	if (r < 0)
		return r;
	if (!bounds_waiting(c, size))
		return -ENOBUFS;
	chunk = malloc(sizeof(*chunk) + size);
	if (!chunk)
		return -ENOMEM;
	chunk->size = size;
	chunk->sent = 0;
	memcpy(chunk->data, data, size);
	STAILQ_INSERT_TAIL(&c->chunks, chunk, chunks);
	c->nchunks++;
	c->chunk_bytes += size;
	resume(c);
	return 0;
}

int api_stream_event(struct api_call *c, const char *event, const char *data, size_t size)
{
	_cleanup_buf_ struct buf b = {};

	buf_printf(&b, "event: %s\ndata: ", event);
	buf_append(&b, data, size);
	buf_puts(&b, "\n\n");
	return b.error ? b.error : api_stream_raw(c, b.data, b.size);
}

int api_stream_end(struct api_call *c)
{
	c->ended = true;
	c->on_gone = NULL;
	resume(c);
	return 0;
}
