/* SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>

#include "plop/limits.h"
#include "python/version.h"

/* A table that ends too early: known to be a prefix, or broken. */
static int ended(bool cut)
{
	return cut ? -ENODATA : -EBADMSG;
}

static int give(int64_t line, int *ret_line)
{
	if (line < INT_MIN || line > INT_MAX)
		return -EBADMSG;
	*ret_line = (int)line;
	return 0;
}

/*
 * co_lnotab, up to 3.9: pairs of an unsigned address and a line increment
 * (Objects/lnotab_notes.txt), which is signed from 3.6 on. The last line goes on to the end of the
 * code, so that running off a complete table is no error.
 */
static int lookup_lnotab(const uint8_t *t, size_t size, bool cut, bool is_signed, int first,
			 int64_t lasti, int *ret_line)
{
	int64_t address = 0, line = first;

	for (size_t i = 0; i + 2 <= size; i += 2) {
		address += t[i];
		if (address > lasti)
			return give(line, ret_line);
		line += is_signed ? (int8_t)t[i + 1] : t[i + 1];
	}
	return cut ? -ENODATA : give(line, ret_line);
}

/*
 * co_linetable of 3.10: pairs of a range's length in bytes and a signed line increment, -128 for no
 * line (PEP 626).
 */
static int lookup_ranges(const uint8_t *t, size_t size, bool cut, int first, int64_t lasti,
			 int *ret_line)
{
	int64_t end = 0, line = first;

	for (size_t i = 0; i + 2 <= size; i += 2) {
		int8_t delta = (int8_t)t[i + 1];

		end += t[i];
		if (delta != -128)
			line += delta;
		if (lasti < end)
			return delta == -128 ? -ENOENT : give(line, ret_line);
	}
	return ended(cut);
}

/*
 * A number in groups of six bits, least significant first; bit 6: more follow. False: the table
 * ends, or no such number.
 */
static bool take_varint(const uint8_t *t, size_t size, size_t *at, uint32_t *ret)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; *at < size && shift <= 30; shift += 6) {
		uint8_t byte = t[(*at)++];

		v |= (uint64_t)(byte & 0x3f) << shift;
		if (!(byte & 0x40)) {
			*ret = (uint32_t)v;
			return v <= UINT32_MAX;
		}
	}
	return false;
}

/* The kinds of a location entry (InternalDocs/code_objects.md): bits 3 to 6 of its first byte. */
enum {
	LOCATION_ONE_LINE_0 = 10, /* 0 to 9, the short forms: same line, one byte of columns */
	LOCATION_ONE_LINE_2 = 12, /* 10 to 12: line + kind - 10, two bytes of columns */
	LOCATION_NO_COLUMNS = 13, /* line increment */
	LOCATION_LONG = 14,       /* line increment, end line increment, two columns */
	LOCATION_NONE = 15,
};

/*
 * Passes over what follows an entry's first byte and moves *line. False: the table ends inside it.
 */
static bool take_entry(const uint8_t *t, size_t size, size_t *at, unsigned int kind, int64_t *line)
{
	unsigned int numbers = kind == LOCATION_LONG ? 4 : kind == LOCATION_NO_COLUMNS ? 1 : 0;
	unsigned int bytes = kind < LOCATION_ONE_LINE_0 ? 1 : kind <= LOCATION_ONE_LINE_2 ? 2 : 0;
	uint32_t v;

	for (unsigned int i = 0; i < numbers; i++) {
		if (!take_varint(t, size, at, &v))
			return false;
		if (i == 0)
			*line += v & 1 ? -(int64_t)(v >> 1) : (int64_t)(v >> 1);
	}
	if (kind >= LOCATION_ONE_LINE_0 && kind <= LOCATION_ONE_LINE_2)
		*line += kind - LOCATION_ONE_LINE_0;
	if (size - *at < bytes)
		return false;
	*at += bytes;
	return true;
}

/* co_linetable from 3.11: entries of 1 to 8 code units (two bytes each). */
static int lookup_locations(const uint8_t *t, size_t size, bool cut, int first, int64_t lasti,
			    int *ret_line)
{
	int64_t end = 0, line = first;
	size_t at = 0;

	while (at < size) {
		uint8_t byte = t[at++];
		unsigned int kind = byte >> 3 & 15;

		if (!(byte & 0x80))
			return -EBADMSG;
		if (!take_entry(t, size, &at, kind, &line))
			return ended(cut);
		end += ((byte & 7) + 1) * 2;
		if (lasti < end)
			return kind == LOCATION_NONE ? -ENOENT : give(line, ret_line);
	}
	return ended(cut);
}

int linetable_lookup(uint16_t version, const uint8_t *table, size_t size, bool cut, int firstlineno,
		     int64_t lasti, int *ret_line)
{
	const struct python_version *v;

	if (lasti < 0)
		return give(firstlineno, ret_line);
	if (size > PLOP_MAX_LINETABLE)
		size = PLOP_MAX_LINETABLE;
	v = python_version_find(version);
	if (!v)
		return -EOPNOTSUPP;
	switch (v->lines) {
	case LINES_LNOTAB_UNSIGNED:
		return lookup_lnotab(table, size, cut, false, firstlineno, lasti, ret_line);
	case LINES_LNOTAB:
		return lookup_lnotab(table, size, cut, true, firstlineno, lasti, ret_line);
	case LINES_RANGES:
		return lookup_ranges(table, size, cut, firstlineno, lasti, ret_line);
	case LINES_LOCATIONS:
		return lookup_locations(table, size, cut, firstlineno, lasti, ret_line);
	}
	return -EOPNOTSUPP;
}
