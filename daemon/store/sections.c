/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/sections.h"

#include <zlib.h>

/* Of 1 to 9: beyond it time doubles for two or three bytes in a hundred. */
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

/* Deflates all sections, one after the other. */
static int deflate_all(z_stream *z, const struct sections *s, struct buf *to)
{
	uLong bound = deflateBound(z, (uLong)sections_size(s));
	Bytef *out = buf_reserve(to, bound);

	if (!out)
		return to->error;
	z->next_out = out;
	z->avail_out = (uInt)bound;
	for (unsigned int i = 0; i < s->n; i++) {
		z->next_in = (Bytef *)s->parts[i].data;
		z->avail_in = (uInt)s->parts[i].size;
		if (z->avail_in && deflate(z, Z_NO_FLUSH) != Z_OK)
			return -ENOMEM;
	}
	if (deflate(z, Z_FINISH) != Z_STREAM_END)
		return -ENOMEM;
	to->size += bound - z->avail_out;
	return 0;
}

int sections_pack(const struct sections *s, struct buf *to)
{
	z_stream z = {};
	int r;

	buf_clear(to);
	for (unsigned int i = 0; i < s->n; i++) {
		if (s->parts[i].error)
			return s->parts[i].error;
		packed_put(to, s->parts[i].size);
	}
	if (sections_size(s) > SECTIONS_BYTES_MAX)
		return -E2BIG;
	if (deflateInit(&z, LEVEL) != Z_OK)
		return -ENOMEM;
	r = deflate_all(&z, s, to);
	deflateEnd(&z);
	return r < 0 ? r : to->error;
}

/* Inflates so many bytes, which are all that there are, or not. */
static int inflate_some(const struct packed *in, uint8_t *out, size_t size, bool all)
{
	z_stream z = { .next_in = (Bytef *)in->at,
		       .avail_in = (uInt)(in->end - in->at),
		       .next_out = out,
		       .avail_out = (uInt)size };
	uint8_t none;
	int r;

	if (inflateInit(&z) != Z_OK)
		return -ENOMEM;
	/* at the end there is a sum of all, which is looked at then */
	if (all && size == 0)
		z.next_out = &none;
	r = inflate(&z, all ? Z_FINISH : Z_SYNC_FLUSH);
	inflateEnd(&z);
	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	return z.avail_out == 0 && (r == Z_STREAM_END || (!all && r == Z_OK)) ? 0 : -EBADMSG;
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
	r = inflate_some(&in, u.data, want, want == sum);
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
