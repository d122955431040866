/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/coding.h"
#include "api/server.h"

static void drop_chunk(struct api_call *c, struct api_chunk *chunk)
{
	STAILQ_REMOVE(&c->chunks, chunk, api_chunk, chunks);
	c->nchunks--;
	c->chunk_bytes -= chunk->size;
	free(chunk);
}

/* Writes of a chunk what fits, coded if the stream is, and drops it when all is written. */
static size_t write_chunk(struct api_call *c, struct api_chunk *chunk, char *out, size_t room)
{
	const char *from = chunk->data + chunk->sent;
	size_t left = chunk->size - chunk->sent, n;
	bool done;

	if (c->coding) {
		/* each event is to be read when it comes */
		n = coding_run(c->coding, &from, &left, CODING_FLUSH, out, room, &done);
	} else {
		n = MIN(room, left);
		memcpy(out, from, n);
		left -= n;
		done = left == 0;
	}
	chunk->sent = chunk->size - left;
	if (done)
		drop_chunk(c, chunk);
	return n;
}

/* What ends a coded stream. */
static size_t write_end(struct api_call *c, char *out, size_t room)
{
	const char *from = "";
	size_t left = 0, n;
	bool done;

	if (!c->coding)
		return 0;
	n = coding_run(c->coding, &from, &left, CODING_LAST, out, room, &done);
	if (done) {
		coding_free(c->coding);
		c->coding = NULL;
	}
	return n;
}

static ssize_t read_stream(void *ctx, uint64_t position, char *data, size_t max)
{
	struct api_call *c = ctx;
	struct api_chunk *chunk;
	size_t n = 0;

	if (c->gone || c->cut)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	while (n == 0 && (chunk = STAILQ_FIRST(&c->chunks)))
		n = write_chunk(c, chunk, data, max);
	if (n == 0 && c->ended) {
		n = write_end(c, data, max);
		if (n == 0)
			return MHD_CONTENT_READER_END_OF_STREAM;
	}
	if (n == 0)
		call_suspend(c);
	return (ssize_t)n;
}

void stream_done(struct api_call *c)
{
	struct api_chunk *chunk;

	while ((chunk = STAILQ_FIRST(&c->chunks)))
		drop_chunk(c, chunk);
	coding_free(c->coding);
}

int api_stream_begin(struct api_call *c)
{
	const char *accept = api_header(&c->request, MHD_HTTP_HEADER_ACCEPT_ENCODING);
	const char *const headers[] = { "Content-Encoding: gzip", "Vary: Accept-Encoding", NULL };
	bool coded = coding_takes_gzip(accept);
	struct MHD_Response *response;
	int r;

	if (coded && coding_new(&c->coding) < 0)
		return -ENOMEM;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32 * 1024, read_stream, c,
						     NULL);
	if (!response)
		return -ENOMEM;
	r = call_headers(response, "text/event-stream", coded ? headers : headers + 1);
	if (r < 0) {
		MHD_destroy_response(response);
		return r;
	}
	c->streaming = true;
	return call_answer(c, MHD_HTTP_OK, response);
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
		drop_chunk(c, drop);
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
	call_resume(c);
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
	call_resume(c);
	return 0;
}
