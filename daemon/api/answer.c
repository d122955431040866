/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <xxhash.h>

#include "api/coding.h"
#include "api/server.h"

/* What is whole in one or two packets is not worth a coding. */
#define CODING_LEAST 1024
/* Bytes of a body that are coded in one go, and at most given to libmicrohttpd. */
#define PIECE (32 * 1024)

/* A body that is coded while its client reads it. */
struct coded_body {
	struct buf body;
	const char *at; /* of it */
	size_t left;
	bool done;
	struct coding *coding;
};

int call_headers(struct MHD_Response *response, const char *content_type,
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

int call_answer(struct api_call *c, unsigned int status, struct MHD_Response *response)
{
	c->status = status;
	c->response = response;
	c->deferred = false;
	call_resume(c);
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

static bool is_text(const char *content_type)
{
	return strncmp(content_type, "text/", 5) == 0 || streq(content_type, "application/json") ||
	       streq(content_type, "image/svg+xml");
}

static bool is_coded(const char *const *headers)
{
	for (; headers && *headers; headers++)
		if (strncasecmp(*headers, "Content-Encoding:", 17) == 0)
			return true;
	return false;
}

static void coded_free(void *ctx)
{
	struct coded_body *b = ctx;

	buf_free(&b->body);
	coding_free(b->coding);
	free(b);
}

static ssize_t read_coded(void *ctx, uint64_t position, char *data, size_t max)
{
	struct coded_body *b = ctx;
	size_t n = 0;

	while (n == 0 && !b->done) {
		size_t piece = MIN(b->left, (size_t)PIECE), rest = piece;
		bool whole, last = piece == b->left;

		n = coding_run(b->coding, &b->at, &rest, last ? CODING_LAST : CODING_MORE, data,
			       max, &whole);
		b->left -= piece - rest;
		b->done = last && whole;
	}
	return n > 0 ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
}

/* Takes *body over on success. NULL: no memory. */
static struct MHD_Response *coded_response(struct buf *body)
{
	struct coded_body *b = calloc(1, sizeof(*b));
	struct MHD_Response *response = NULL;

	if (b && coding_new(&b->coding) == 0)
		response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, read_coded, b,
							     coded_free);
	if (!response) {
		if (b)
			coding_free(b->coding);
		free(b);
		return NULL;
	}
	b->body = *body;
	b->at = body->data;
	b->left = body->size;
	if (MHD_add_response_header(response, "Content-Encoding", "gzip") != MHD_YES) {
		b->body = (struct buf){};
		MHD_destroy_response(response);
		return NULL;
	}
	return response;
}

static struct MHD_Response *plain_response(struct buf *body)
{
	return MHD_create_response_from_buffer(body->size, body->data, MHD_RESPMEM_MUST_FREE);
}

/*
 * A tag of what is answered, so that who asks again is told that it is the same. Weak: of all
 * codings (RFC 9110, section 8.8.3).
 */
static bool is_known(const struct api_call *c, const struct buf *body, char *tag, size_t size)
{
	const char *known = api_header(&c->request, MHD_HTTP_HEADER_IF_NONE_MATCH);

	snprintf(tag, size, "W/\"%016" PRIx64 "\"", (uint64_t)XXH3_64bits(body->data, body->size));
	return known && strstr(known, tag);
}

/* Makes the response of a good answer to GET, and takes the body over. NULL: no memory. */
static struct MHD_Response *response_to_get(struct api_call *c, const char *content_type,
					    struct buf *body, unsigned int *status)
{
	bool coded = body->size >= CODING_LEAST && is_text(content_type) &&
		     coding_takes_gzip(api_header(&c->request, MHD_HTTP_HEADER_ACCEPT_ENCODING));
	struct MHD_Response *response;
	char tag[32];

	if (is_known(c, body, tag, sizeof(tag))) {
		buf_free(body);
		*status = MHD_HTTP_NOT_MODIFIED;
	}
	response = coded && body->size > 0 ? coded_response(body) : plain_response(body);
	if (!response)
		return NULL;
	*body = (struct buf){};
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, tag) == MHD_YES &&
	    MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept-Encoding") == MHD_YES)
		return response;
	MHD_destroy_response(response);
	return NULL;
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
	/* A handler that has coded its answer knows its tag, too. */
	if (status == MHD_HTTP_OK && streq(c->request.method, "GET") && !is_coded(headers))
		response = response_to_get(c, content_type, body, &status);
	else
		response = plain_response(body);
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
	r = call_headers(response, content_type, headers);
	if (r < 0) {
		MHD_destroy_response(response);
		call_abandon(c);
		return r;
	}
	return call_answer(c, status, response);
}
