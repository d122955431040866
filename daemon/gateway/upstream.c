/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/upstream.h"

#include <limits.h>
#include <sys/queue.h>

#include "http/loop.h"
#include "util/socket.h"

#define CONNECT_S  2
#define HEADER_MAX 1024 /* bytes of one that is passed on */

struct exchange {
	LIST_ENTRY(exchange) exchanges;
	struct upstream *upstream;
	struct http_exchange http;
	struct upstream_answer answer;
	char content_type[128];
	struct upstream_callbacks callbacks;
	void *ctx;
};

struct upstream {
	struct http_loop *loop;
	char *socket;
	LIST_HEAD(, exchange) exchanges;
};

static void exchange_free(struct exchange *e)
{
	LIST_REMOVE(e, exchanges);
	http_loop_remove(e->upstream->loop, &e->http);
	http_exchange_end(&e->http);
	for (size_t i = 0; i < UPSTREAM_HEADERS; i++)
		free(e->answer.headers[i]);
	free(e);
}

void upstream_cancel(struct exchange *e)
{
	if (e)
		exchange_free(e);
}

int upstream_new(sd_event *loop, const char *socket, struct upstream **ret)
{
	_cleanup_(upstream_freep) struct upstream *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	LIST_INIT(&u->exchanges);
	u->socket = strdup(socket);
	if (!u->socket)
		return -ENOMEM;
	r = http_loop_new(loop, &u->loop);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(u);
	return 0;
}

void upstream_free(struct upstream *u)
{
	struct exchange *e;

	if (!u)
		return;
	while ((e = LIST_FIRST(&u->exchanges)))
		exchange_free(e);
	http_loop_free(u->loop);
	free(u->socket);
	free(u);
}

/* Small answers always pass: how many there are at once is bounded. */
static int on_admit(struct http_exchange *h, size_t size)
{
	const struct exchange *mine = h->ctx, *e;
	size_t all = size;

	if (h->body.size <= API_SMALL_ANSWER)
		return 0;
	LIST_FOREACH(e, &mine->upstream->exchanges, exchanges)
	all += e->http.body.size;
	return all > UPSTREAM_COMING ? -ENOBUFS : 0;
}

static int on_arrived(struct http_exchange *h)
{
	struct exchange *e = h->ctx;

	e->answer.status = h->status;
	return e->callbacks.data ? e->callbacks.data(&e->answer, e->ctx) : 0;
}

/* What is of the profile in the body, whatever its format. */
static const char *const passed_on[UPSTREAM_HEADERS] = {
	"Content-Disposition: ", "Plop-Samples: ", "Plop-Lost: ", "Plop-Other: ", "Plop-Ticks: "
};

static void pass_on(struct exchange *e, const char *line, size_t n)
{
	size_t at = 0;

	while (e->answer.headers[at])
		at++;
	for (size_t i = 0; i < UPSTREAM_HEADERS && at < UPSTREAM_HEADERS; i++)
		if (n > strlen(passed_on[i]) && n < HEADER_MAX &&
		    strncasecmp(line, passed_on[i], strlen(passed_on[i])) == 0) {
			e->answer.headers[at] = strndup(line, n);
			return;
		}
}

static void on_header(struct http_exchange *h, const char *line, size_t n)
{
	struct exchange *e = h->ctx;

	if (n > 14 && n - 14 < sizeof(e->content_type) &&
	    strncasecmp(line, "Content-Type: ", 14) == 0) {
		memcpy(e->content_type, line + 14, n - 14);
		e->content_type[n - 14] = '\0';
	} else {
		pass_on(e, line, n);
	}
}

static void on_done(struct http_exchange *h, int r)
{
	struct exchange *e = h->ctx;

	e->answer.status = h->status;
	e->callbacks.done(r, &e->answer, e->ctx);
	exchange_free(e);
}

int upstream_start(struct upstream *u, const struct upstream_request *q,
		   const struct upstream_callbacks *callbacks, void *ctx, struct exchange **ret)
{
	struct http_request request = { .method = q->method,
					.target = q->target,
					.body = q->body,
					.connect_s = CONNECT_S,
					.timeout_ms = q->timeout_s * 1000,
					.limit = API_MAX_ANSWER };
	_cleanup_free_ char *header = NULL;
	struct buf text = {};
	struct exchange *e = calloc(1, sizeof(*e));
	char trusted[PATH_MAX];
	int r;

	if (!e)
		return -ENOMEM;
	e->upstream = u;
	e->callbacks = *callbacks;
	e->ctx = ctx;
	e->answer.content_type = e->content_type;
	e->answer.body = &e->http.body;
	e->http = (struct http_exchange){
		.admit = on_admit, .arrived = on_arrived, .header = on_header, .ctx = e
	};
	LIST_INSERT_HEAD(&u->exchanges, e, exchanges);
	if (q->scope) {
		buf_puts(&text, SCOPE_HEADER ": ");
		scope_put(q->scope, &text);
		request.header = header = buf_string(&text);
	}
	/* without the header more would be answered than may be */
	r = q->scope && !header ? -ENOMEM : http_exchange_begin(&e->http, &request);
	if (r >= 0) {
		/* each time anew: plopd may have come, or gone */
		http_exchange_to(&e->http, socket_choose(u->socket, trusted, sizeof(trusted)));
		r = http_loop_add(u->loop, &e->http, on_done);
	}
	if (r < 0) {
		exchange_free(e);
		return r;
	}
	*ret = e;
	return 0;
}
