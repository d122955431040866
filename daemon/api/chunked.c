/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/api.h"
#include "api/head.h"

/*
 * "10000" is 65536: API_MAX_BODY. libmicrohttpd 0.9.75 (process_request_body() of connection.c)
 * takes five digits as well.
 */
#define SIZE_DIGITS 5
/* Of all trailers together; nobody reads them. */
#define TRAILERS_MAX 4096

struct chunks {
	const char *data;
	size_t size, at;
	size_t body; /* bytes of the body so far */
	unsigned int trailers;
};

static int bad(struct head_problem *ret, unsigned int status, const char *error)
{
	*ret = (struct head_problem){ status, error };
	return -EBADMSG;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A line without its CR LF. 1: there is one; 0: more must come; -EBADMSG. */
static int take_line(struct chunks *c, const char **ret_line, size_t *ret_n,
		     struct head_problem *ret)
{
	const char *line = c->data + c->at, *end = memchr(line, '\n', c->size - c->at);

	if (!end)
		return 0;
	if (end == line || end[-1] != '\r')
		return bad(ret, 400, "a line of the chunked body does not end in CR LF");
	*ret_line = line;
	*ret_n = (size_t)(end - 1 - line);
	c->at += *ret_n + 2;
	return 1;
}

/* A chunk's size; garbage is refused at its first bytes, not when the client gives up. */
static int take_size(struct chunks *c, size_t *ret_chunk, struct head_problem *ret)
{
	const char *p = c->data + c->at, *line;
	size_t left = c->size - c->at, digits = 0, n, value = 0;
	int r;

	while (digits < left && hex(p[digits]) >= 0) {
		value = value << 4 | (size_t)hex(p[digits]);
		if (++digits > SIZE_DIGITS)
			return bad(ret, 413, "a chunk of the body is too large");
	}
	if (digits < left && digits > 0 &&
	    (p[digits] == ';' || p[digits] == ' ' || p[digits] == '\t'))
		return bad(ret, 400, "chunk extensions are not supported");
	if (digits < left &&
	    (digits == 0 || p[digits] != '\r' || (digits + 1 < left && p[digits + 1] != '\n')))
		return bad(ret, 400, "the size of a chunk is malformed");
	r = take_line(c, &line, &n, ret);
	if (r <= 0)
		return r;
	if (n != digits)
		return bad(ret, 400, "the size of a chunk is malformed");
	*ret_chunk = value;
	return 1;
}

static int take_chunk(struct chunks *c, size_t chunk, struct head_problem *ret)
{
	size_t left = c->size - c->at;

	c->body += chunk;
	if (c->body > API_MAX_BODY)
		return bad(ret, 413, "the request's body is larger than 65536 bytes");
	if (left > chunk && c->data[c->at + chunk] != '\r')
		return bad(ret, 400, "a chunk is longer than its size says");
	if (left < chunk + 2)
		return 0;
	if (c->data[c->at + chunk + 1] != '\n')
		return bad(ret, 400, "a chunk is longer than its size says");
	c->at += chunk + 2;
	return 1;
}

/* What may follow the last chunk: headers, which nobody reads, and an empty line. */
static int take_trailers(struct chunks *c, struct head_problem *ret)
{
	size_t begin = c->at;

	for (;;) {
		const char *line;
		size_t n;
		int r = c->size - begin > TRAILERS_MAX ? -E2BIG : take_line(c, &line, &n, ret);

		if (r == -E2BIG)
			return bad(ret, 431, "the request's trailers are too large");
		if (r <= 0 || n == 0)
			return r;
		if (++c->trailers > HEAD_MAX_HEADERS)
			return bad(ret, 431, "too many request headers");
		r = head_field(line, n, ret);
		if (r < 0)
			return r;
	}
}

int chunked_check(const char *data, size_t size, struct head_problem *ret)
{
	struct chunks c = { .data = data, .size = MIN(size, (size_t)HEAD_MAX_CHUNKED) };
	size_t chunk = 1;
	int r = 1;

	_Static_assert(API_MAX_BODY == 65536, "the size that take_chunk() says");
	while (r > 0 && chunk > 0) {
		r = take_size(&c, &chunk, ret);
		if (r > 0)
			r = chunk ? take_chunk(&c, chunk, ret) : take_trailers(&c, ret);
	}
	if (r == 0 && size >= HEAD_MAX_CHUNKED)
		return bad(ret, 413,
			   "the chunked body is larger than 131072 bytes, chunk sizes included");
	return r;
}
