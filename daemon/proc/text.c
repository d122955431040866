/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdbool.h>

#include "proc/text.h"
#include "util/utf8.h"

size_t text_encode(char out[4], uint32_t character)
{
	uint32_t c = character;

	if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		c = UTF8_REPLACEMENT;
	return utf8_encode(c, out);
}

/*
 * A surrogate as Python 2 writes it: three bytes that are no UTF-8, and one character all the same.
 */
static bool is_surrogate(const char *p, size_t left)
{
	return left >= 3 && (p[0] & 0xff) == 0xed && (p[1] & 0xe0) == 0xa0 && (p[2] & 0xc0) == 0x80;
}

char *text_sanitize(const char *data, size_t size)
{
	size_t in = 0, out = 0;
	char *s, *smaller;

	/* A bad byte grows to the three bytes of U+FFFD. */
	if (size > (SIZE_MAX - 1) / 3)
		return NULL;
	s = malloc(size * 3 + 1);
	if (!s)
		return NULL;
	while (in < size) {
		uint32_t c = UTF8_REPLACEMENT;

		if (is_surrogate(data + in, size - in))
			in += 3;
		else
			in += utf8_decode_some(data + in, size - in, &c);
		out += text_encode(s + out, c);
	}
	s[out] = '\0';
	smaller = realloc(s, out + 1);
	return smaller ? smaller : s;
}
