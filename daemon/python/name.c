/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/object.h"

/*
 * Libraries that make functions give them made-up names, some with an address:
 * "<@beartype(__main__.work) at 0x7f3c5e0c1f80>". What the address is differs in each process, and
 * would make one function many.
 */

/*
 * Below are numbers, above is nothing of a program's. In hexadecimal it says what it is; in decimal
 * only where programs lie.
 */
#define ADDRESS_LOWEST UINT64_C(0x10000)
#define ADDRESS_LIKELY UINT64_C(0x550000000000)
#define ADDRESS_BEYOND (UINT64_C(1) << 48)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What a number is part of a word with. */
static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80);
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* How long the address is that begins at s; 0: none does. */
static size_t address_length(const char *s)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	uint64_t base = hex ? 16 : 10, v = 0;
	size_t first = hex ? 2 : 0, n = first;

	for (int d; (d = hex_digit(s[n])) >= 0 && (uint64_t)d < base; n++) {
		if (v >= ADDRESS_BEYOND)
			return 0;
		v = v * base + (uint64_t)d;
	}
	if (n == first || is_word(s[n]))
		return 0;
	return v >= (hex ? ADDRESS_LOWEST : ADDRESS_LIKELY) && v < ADDRESS_BEYOND ? n : 0;
}

/*
 * What stands between a name and its address goes with it: " at ", or a sign with the blanks before
 * it.
 */
static size_t before_address(const char *text, size_t end)
{
	size_t n = end;

	while (n > 0 && text[n - 1] == ' ')
		n--;
	if (n < end && n >= 3 && memcmp(text + n - 3, " at", 3) == 0)
		n -= 3;
	else if (n > 0 && strchr("@_-:=#", text[n - 1]))
		n--;
	while (n > 0 && text[n - 1] == ' ')
		n--;
	return n;
}

void python_name_settle(char *text)
{
	size_t out = 0, depth = 0;
	char *closing = strrchr(text, '>');

	if (!closing || !strchr(text, '<'))
		return;
	for (const char *s = text; *s;) {
		size_t n = depth > 0 && s < closing && is_digit(*s) &&
					   !(s > text && is_word(s[-1])) ?
				   address_length(s) :
				   0;

		if (n > 0) {
			out = before_address(text, out);
			s += n;
			continue;
		}
		if (*s == '<')
			depth++;
		/* "->" closes nothing: some of these names have a function's annotations */
		else if (*s == '>' && depth > 0 && !(s > text && s[-1] == '-'))
			depth--;
		text[out++] = *s++;
	}
	text[out] = '\0';
}
