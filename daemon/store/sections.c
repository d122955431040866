/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/sections.h"

#include <libdeflate.h>
#include <zlib.h>

/*
 * Whole blobs go through libdeflate, which takes half of zlib's time, and has no streams: the
 * beginning of a blob is zlib's.
 */

/* Of 1 to 12: beyond it time doubles for two or three bytes in a hundred. */
#define LEVEL 6
/* No deflated byte stands for more than that many (zlib.net/zlib_tech.html). */
#define DEFLATED_MOST 1032

size_t sections_size(const struct sections *s)
{
	size_t sum = 0;

	for (unsigned int i = 0; i < s->n; i++)
		sum += s->parts[i].size;
	return sum;
}

void sections_clear(struct sections *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		buf_clear(&s->parts[i]);
}

void sections_done(struct sections *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		buf_free(&s->parts[i]);
}

/* All sections, one after the other; NULL: no memory. Owned by the caller. */
static uint8_t *join_all(const struct sections *s)
{
	uint8_t *all = malloc(sections_size(s) + 1), *to = all;

	for (unsigned int i = 0; all && i < s->n; i++)
		if (s->parts[i].size)
			to = mempcpy(to, s->parts[i].data, s->parts[i].size);
	return all;
}

static int deflate_all(const struct sections *s, struct buf *to)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(LEVEL);
	_cleanup_free_ uint8_t *all = join_all(s);
	size_t size = sections_size(s), bound, n = 0;
	void *out;

	if (c && all) {
		bound = libdeflate_zlib_compress_bound(c, size);
		out = buf_reserve(to, bound);
		n = out ? libdeflate_zlib_compress(c, all, size, out, bound) : 0;
	}
	libdeflate_free_compressor(c);
	to->size += n;
	return n ? 0 : -ENOMEM;
}

int sections_pack(const struct sections *s, struct buf *to)
{
	int r;

	buf_clear(to);
	for (unsigned int i = 0; i < s->n; i++) {
		if (s->parts[i].error)
			return s->parts[i].error;
		packed_put(to, s->parts[i].size);
	}
	if (sections_size(s) > SECTIONS_BYTES_MAX)
		return -E2BIG;
	r = deflate_all(s, to);
	return to->error ? to->error : r;
}

/* Inflates so many bytes, which are all that there are. */
static int inflate_all(const struct packed *in, uint8_t *out, size_t size)
{
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	enum libdeflate_result r;

	if (!d)
		return -ENOMEM;
	r = libdeflate_zlib_decompress(d, in->at, (size_t)(in->end - in->at), out, size, NULL);
	libdeflate_free_decompressor(d);
	return r == LIBDEFLATE_SUCCESS ? 0 : -EBADMSG;
}

/* Inflates the first so many bytes. */
static int inflate_first(const struct packed *in, uint8_t *out, size_t size)
{
	z_stream z = { .next_in = (Bytef *)in->at,
		       .avail_in = (uInt)(in->end - in->at),
		       .next_out = out,
		       .avail_out = (uInt)size };
	int r;

	if (inflateInit(&z) != Z_OK)
		return -ENOMEM;
	r = inflate(&z, Z_SYNC_FLUSH);
	inflateEnd(&z);
	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	return z.avail_out == 0 && (r == Z_STREAM_END || r == Z_OK) ? 0 : -EBADMSG;
}

static int unpack(const void *data, size_t size, unsigned int n, unsigned int wanted,
		  struct unpacked *ret)
{
	struct packed in = { data, (const uint8_t *)data + size };
	uint64_t sizes[SECTIONS_MOST], sum = 0, want = 0;
	struct unpacked u = {};
	uint8_t *at;
	int r;

	for (unsigned int i = 0; i < n; i++) {
		r = packed_get(&in, &sizes[i]);
		if (r < 0)
			return r;
		if (sizes[i] > SECTIONS_BYTES_MAX)
			return -EBADMSG;
		sum += sizes[i];
		want += i < wanted ? sizes[i] : 0;
	}
	if (sum > SECTIONS_BYTES_MAX || sum / DEFLATED_MOST > (size_t)(in.end - in.at))
		return -EBADMSG;
	/* one more, so that there is an address even for none */
	u.data = malloc(want + 1);
	if (!u.data)
		return -ENOMEM;
	u.size = want;
	r = want == sum ? inflate_all(&in, u.data, want) : inflate_first(&in, u.data, want);
	if (r < 0) {
		free(u.data);
		return r;
	}
	at = u.data;
	for (unsigned int i = 0; i < n; i++) {
		u.parts[i] = (struct packed){ at, i < wanted ? at + sizes[i] : at };
		at = (uint8_t *)u.parts[i].end;
	}
	*ret = u;
	return 0;
}

int sections_unpack_first(const void *data, size_t size, unsigned int n, struct unpacked *ret)
{
	return unpack(data, size, n, 1, ret);
}

int sections_unpack(const void *data, size_t size, unsigned int n, struct unpacked *ret)
{
	return unpack(data, size, n, n, ret);
}

void unpacked_done(struct unpacked *u)
{
	free(u->data);
	*u = (struct unpacked){};
}
