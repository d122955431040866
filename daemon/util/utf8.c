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

bool utf8_is_valid(const char *s)
{
	uint32_t c;

	while (*s) {
		size_t n = utf8_decode(s, &c);

		/* U+FFFD itself has three bytes */
		if (n == 1 && c == UTF8_REPLACEMENT)
			return false;
		s += n;
	}
	return true;
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

/*
 * Unicode 15: general categories Cc, Cf, Zl, Zp and Cs, noncharacters, and
 * Default_Ignorable_Code_Point of DerivedCoreProperties.txt. Left out are the signs of Cf that are
 * seen: of numbers and of the end of a verse (U+0600 and the like).
 */
static const struct range {
	uint32_t first, last;
} invisible[] = {
	{ 0x0000, 0x001f },   { 0x007f, 0x009f },   { 0x00ad, 0x00ad },   { 0x034f, 0x034f },
	{ 0x061c, 0x061c },   { 0x070f, 0x070f },   { 0x115f, 0x1160 },   { 0x17b4, 0x17b5 },
	{ 0x180b, 0x180f },   { 0x200b, 0x200f },   { 0x2028, 0x202e },   { 0x2060, 0x206f },
	{ 0x3164, 0x3164 },   { 0xd800, 0xdfff },   { 0xfdd0, 0xfdef },   { 0xfe00, 0xfe0f },
	{ 0xfeff, 0xfeff },   { 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb },   { 0x13430, 0x1343f },
	{ 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
};

bool utf8_is_visible(uint32_t c)
{
	/* the last two of every plane, and what is beyond the last plane */
	if ((c & 0xfffe) == 0xfffe || c > 0x10ffff)
		return false;
	if (c >= 0x20 && c < 0x7f)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(invisible); i++)
		if (c >= invisible[i].first && c <= invisible[i].last)
			return false;
	return true;
}

void utf8_make_visible(char *s)
{
	char *out = s;

	while (*s) {
		uint32_t c;
		size_t n = utf8_decode(s, &c);

		/* one byte that stands for U+FFFD is no UTF-8; the character itself has three */
		if (!utf8_is_visible(c) || (c == UTF8_REPLACEMENT && n == 1)) {
			*out++ = '?';
		} else {
			memmove(out, s, n);
			out += n;
		}
		s += n;
	}
	*out = '\0';
}
