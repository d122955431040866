/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/utf8.h"

#include "util/buf.h"

size_t utf8_decode_some(const char *s, size_t left, uint32_t *ret)
{
	const unsigned char *u = (const unsigned char *)s;
	uint32_t c = u[0], least;
	size_t size;

	if (c < 0x80) {
		*ret = c;
		return 1;
	}
	*ret = UTF8_REPLACEMENT;
	if (c >= 0xc2 && c <= 0xdf) {
		size = 2;
		least = 0x80;
		c &= 0x1f;
	} else if (c >= 0xe0 && c <= 0xef) {
		size = 3;
		least = 0x800;
		c &= 0x0f;
	} else if (c >= 0xf0 && c <= 0xf4) {
		size = 4;
		least = 0x10000;
		c &= 0x07;
	} else {
		return 1;
	}
	for (size_t i = 1; i < size; i++) {
		if (i == left || (u[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 1;
	*ret = c;
	return size;
}

size_t utf8_decode(const char *s, uint32_t *ret)
{
	/* a NUL is no continuation byte, so this never runs past the end */
	return utf8_decode_some(s, UTF8_MAX, ret);
}

size_t utf8_encode(uint32_t c, char out[UTF8_MAX])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

char *utf8_clean(const char *s)
{
	_cleanup_buf_ struct buf b = {};
	char bytes[UTF8_MAX];
	uint32_t c;

	while (*s) {
		s += utf8_decode(s, &c);
		buf_append(&b, bytes, utf8_encode(c, bytes));
	}
	return buf_string(&b);
}
