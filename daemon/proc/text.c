/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/text.h"

size_t text_encode(char out[4], uint32_t character)
{
	uint32_t c = character;

	if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		c = TEXT_REPLACEMENT;
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

/*
 * One character of UTF-8 at p, which has left > 0 bytes: returns how many bytes it takes. A byte that begins no
 * well-formed sequence (too long, overlong, cut off) is one character, U+FFFD.
 */
static size_t text_decode(const unsigned char *p, size_t left, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c = p[0];
	size_t n;

	if (c < 0x80) {
		*ret = c;
		return 1;
	}
	n = c >= 0xf0 && c < 0xf8 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xc0 && c < 0xe0 ? 2 : 0;
	*ret = TEXT_REPLACEMENT;
	if (n == 0 || n > left)
		return 1;
	c &= 0x7fu >> n;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n])
		return 1;
	*ret = c;
	return n;
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
		uint32_t c;

		in += text_decode((const unsigned char *)data + in, size - in, &c);
		out += text_encode(s + out, c);
	}
	s[out] = '\0';
	smaller = realloc(s, out + 1);
	return smaller ? smaller : s;
}
