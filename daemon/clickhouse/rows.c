/* SPDX-License-Identifier: BSD-2-Clause */
#include "clickhouse/rows.h"

#include <endian.h>
#include <string.h>

/* A LEB128 number of 64 bits has at most so many bytes. */
#define LEB128_MAX 10

void rows_put_u8(struct buf *b, uint8_t v)
{
	buf_append(b, &v, sizeof(v));
}

void rows_put_u16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	buf_append(b, &v, sizeof(v));
}

void rows_put_u32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_append(b, &v, sizeof(v));
}

void rows_put_u64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	buf_append(b, &v, sizeof(v));
}

void rows_put_f64(struct buf *b, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	rows_put_u64(b, bits);
}

void rows_put_array(struct buf *b, size_t n)
{
	while (n >= 0x80) {
		rows_put_u8(b, (uint8_t)(n | 0x80));
		n >>= 7;
	}
	rows_put_u8(b, (uint8_t)n);
}

void rows_put_string(struct buf *b, const char *s)
{
	size_t n = strlen(s);

	rows_put_array(b, n);
	buf_append(b, s, n);
}

struct rows_reader rows_of(const struct buf *b)
{
	const uint8_t *data = (const uint8_t *)b->data;

	if (!b->size)
		return (struct rows_reader){};
	return (struct rows_reader){ .at = data, .end = data + b->size };
}

bool rows_more(const struct rows_reader *r)
{
	return !r->bad && r->at < r->end;
}

bool rows_bad(const struct rows_reader *r)
{
	return r->bad;
}

/* The next n bytes, or NULL. */
static const uint8_t *take(struct rows_reader *r, size_t n)
{
	const uint8_t *at = r->at;

	if (r->bad || (size_t)(r->end - at) < n) {
		r->bad = true;
		return NULL;
	}
	r->at += n;
	return at;
}

uint8_t rows_u8(struct rows_reader *r)
{
	const uint8_t *p = take(r, 1);

	return p ? *p : 0;
}

uint16_t rows_u16(struct rows_reader *r)
{
	const uint8_t *p = take(r, sizeof(uint16_t));
	uint16_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

uint32_t rows_u32(struct rows_reader *r)
{
	const uint8_t *p = take(r, sizeof(uint32_t));
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

uint64_t rows_u64(struct rows_reader *r)
{
	const uint8_t *p = take(r, sizeof(uint64_t));
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

double rows_f64(struct rows_reader *r)
{
	uint64_t bits = rows_u64(r);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

size_t rows_array(struct rows_reader *r)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < LEB128_MAX; i++) {
		uint8_t byte = rows_u8(r);

		n |= (uint64_t)(byte & 0x7f) << 7 * i;
		if (byte & 0x80)
			continue;
		/* each element has a byte at least */
		if (r->bad || n > (size_t)(r->end - r->at))
			break;
		return n;
	}
	r->bad = true;
	return 0;
}

const char *rows_text(struct rows_reader *r, size_t *ret_size)
{
	size_t n = rows_array(r);
	const uint8_t *p = take(r, n);

	*ret_size = p ? n : 0;
	return p ? (const char *)p : "";
}

char *rows_string(struct rows_reader *r)
{
	size_t n;
	const char *p = rows_text(r, &n);
	char *s;

	if (r->bad)
		return NULL;
	s = strndup(p, n);
	if (!s)
		r->bad = true;
	return s;
}
