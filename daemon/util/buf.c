/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/buf.h"

void *buf_reserve(struct buf *b, size_t size)
{
	size_t want, room;
	char *p;

	if (b->error)
		return NULL;
	if (__builtin_add_overflow(b->size, size, &want)) {
		b->error = -ENOMEM;
		return NULL;
	}
	if (b->limit && want > b->limit) {
		b->error = -EFBIG;
		return NULL;
	}
	if (want > b->allocated) {
		room = MAX(want, b->allocated + b->allocated / 2);
		room = MAX(room, (size_t)256);
		if (b->limit)
			room = MIN(room, b->limit);
		p = realloc(b->data, room);
		if (!p) {
			b->error = -ENOMEM;
			return NULL;
		}
		b->data = p;
		b->allocated = room;
	}
	return b->data + b->size;
}

void buf_append(struct buf *b, const void *data, size_t size)
{
	void *p;

	if (size == 0)
		return;
	p = buf_reserve(b, size);
	if (!p)
		return;
	memcpy(p, data, size);
	b->size += size;
}

void buf_puts(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_append(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
	char most[256]; /* of all but a few */
	va_list ap;
	char *p;
	int n;

	va_start(ap, format);
	n = vsnprintf(most, sizeof(most), format, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(most)) {
		buf_append(b, most, (size_t)n);
		return;
	}
	p = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1);
	if (!p)
		return;
	va_start(ap, format);
	vsnprintf(p, (size_t)n + 1, format, ap);
	va_end(ap);
	b->size += (size_t)n;
}

void buf_put_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + v % 10);
	while (v /= 10);
	buf_append(b, digits + at, sizeof(digits) - at);
}

char *buf_string(struct buf *b)
{
	char *s;

	buf_putc(b, '\0');
	if (b->error)
		return NULL;
	s = b->data;
	*b = (struct buf){};
	return s;
}

void buf_consume(struct buf *b, size_t size)
{
	if (size == 0)
		return;
	memmove(b->data, b->data + size, b->size - size);
	b->size -= size;
}

void buf_clear(struct buf *b)
{
	b->size = 0;
	b->error = 0;
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){};
}
