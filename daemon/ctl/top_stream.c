/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/top_stream.h"

#include <limits.h>

#include "http/follow.h"
#include "util/socket.h"

/* Larger than any event of a plopd that works. */
#define MAX_EVENT (64u << 20)
#define CONNECT_S 5

struct top_stream {
	struct http_exchange exchange; /* its body: what came and is no whole event yet */
	struct http_follower *follower;
	json_t *newest;
};

/*
 * One event without its empty line. Others than of a window, and those that are no JSON, are passed
 * over.
 */
static void event_take(struct top_stream *s, const char *event, size_t size)
{
	static const char window[] = "event: window\n";
	const char *data = memmem(event, size, "data: ", 6);
	json_t *o;

	if (!data || size < sizeof(window) || memcmp(event, window, sizeof(window) - 1) != 0)
		return;
	data += 6;
	o = json_loadb(data, size - (size_t)(data - event), 0, NULL);
	if (!o)
		return;
	json_decref(s->newest);
	s->newest = o;
}

static int on_arrived(struct http_exchange *e)
{
	struct top_stream *s = e->ctx;
	struct buf *b = &e->body;
	size_t taken = 0;
	const char *end;

	/* an error, which comes as JSON: there is no stream */
	if (e->status != 200)
		return -ECONNRESET;
	while ((end = memmem(b->data + taken, b->size - taken, "\n\n", 2))) {
		event_take(s, b->data + taken, (size_t)(end - b->data) - taken);
		taken = (size_t)(end - b->data) + 2;
	}
	buf_consume(b, taken);
	return 0;
}

int top_stream_new(const struct ctl *ctl, const char *path, struct top_stream **ret)
{
	const struct http_request request = {
		.method = "GET", .target = path, .connect_s = CONNECT_S, .limit = MAX_EVENT
	};
	_cleanup_(top_stream_freep) struct top_stream *s = calloc(1, sizeof(*s));
	char trusted[PATH_MAX];
	int r;

	if (!s)
		return -ENOMEM;
	s->exchange = (struct http_exchange){ .arrived = on_arrived, .ctx = s };
	r = http_exchange_begin(&s->exchange, &request);
	if (r >= 0)
		r = http_follower_new(&s->exchange,
				      socket_choose(ctl->config->socket, trusted, sizeof(trusted)),
				      &s->follower);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

void top_stream_free(struct top_stream *s)
{
	if (!s)
		return;
	http_follower_free(s->follower);
	http_exchange_end(&s->exchange);
	json_decref(s->newest);
	free(s);
}

void top_stream_wait(struct top_stream *s, const int *fds, unsigned int n, int timeout_ms)
{
	http_follower_step(s->follower);
	if (!s->newest)
		http_follower_wait(s->follower, fds, n, timeout_ms);
	http_follower_step(s->follower);
}

json_t *top_stream_take(struct top_stream *s)
{
	return TAKE_PTR(s->newest);
}

int top_stream_ended(const struct top_stream *s)
{
	int r = 0;

	/* plopd does not end it by itself */
	return http_follower_ended(s->follower, &r) && r == 0 ? -ECONNRESET : r;
}
