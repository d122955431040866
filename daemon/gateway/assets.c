/* SPDX-License-Identifier: BSD-2-Clause */
#include <zlib.h>

#include "gateway/assets.h"
#include "gateway/gateway.h"

/* No file of the viewer is larger than this once unpacked. */
#define MAX_UNPACKED (16 << 20)

bool gateway_is_page(const char *path)
{
	return streq(path, "/");
}

static const struct viewer_file *find(const char *path)
{
	for (size_t i = 0; i < viewer_nfiles; i++)
		if (streq(viewer_files[i].path, path))
			return &viewer_files[i];
	return NULL;
}

bool gateway_is_open(const char *path)
{
	const struct viewer_file *f = find(path);

	return f && f->open;
}

/* For the rare client (plain curl) that takes no gzip. */
static int unpack(const struct viewer_file *f, struct buf *out)
{
	z_stream z = { .next_in = (Bytef *)f->data, .avail_in = (uInt)f->size };
	int r = Z_OK;

	/* 16: gzip */
	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return -ENOMEM;
	while (r == Z_OK && out->size < MAX_UNPACKED) {
		void *room = buf_reserve(out, 65536);

		if (!room)
			break;
		z.next_out = room;
		z.avail_out = 65536;
		r = inflate(&z, Z_NO_FLUSH);
		out->size += 65536 - z.avail_out;
	}
	inflateEnd(&z);
	return r == Z_STREAM_END ? 0 : -EBADMSG;
}

void gateway_asset(const struct api_request *q, void *ctx)
{
	const struct viewer_file *f = find(q->path);
	const char *known = api_header(q, "If-None-Match"),
		   *accepts = api_header(q, "Accept-Encoding");
	_cleanup_buf_ struct buf body = {};
	char etag[96];
	const char *headers[] = { GATEWAY_PAGE_HEADERS, "Vary: Accept-Encoding", etag, NULL, NULL };

	if (!f) {
		api_reply_error(q->call, 404, NULL, "there is no %s", q->path);
		return;
	}
	snprintf(etag, sizeof(etag), "ETag: %s", f->etag);
	if (known && strstr(known, f->etag)) {
		api_reply(q->call, 304, NULL, &body, headers);
		return;
	}
	if (accepts && strstr(accepts, "gzip")) {
		headers[4] = "Content-Encoding: gzip";
		buf_append(&body, f->data, f->size);
	} else if (unpack(f, &body) < 0) {
		body.error = -ENOMEM;
	}
	api_reply(q->call, 200, f->content_type, &body, headers);
}
