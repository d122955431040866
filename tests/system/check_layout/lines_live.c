/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks up every byte offset of every code object that an interpreter described on stdin (see
 * lines.py) and compares. Each record: version (u16), first line (i32), size of the table, of the
 * bytecode and number of ranges (u32), the table, and for each range its first byte offset, the one
 * behind it and its line (i32; -1: none). The last one: version 0, how many files were described
 * and how many could not be (u32).
 */
#include "python/python.h"

static bool take(void *to, size_t size)
{
	return fread(to, 1, size, stdin) == size;
}

struct record {
	uint16_t version;
	int32_t firstlineno;
	uint32_t size, bytecode, count;
};

struct sum {
	unsigned long records, offsets, without, mismatches;
};

/* The same from half of the table: right, or known to be unknown. */
static bool half_agrees(const struct record *d, const uint8_t *table, int32_t lasti, int whole,
			int line)
{
	int half_line, half = linetable_lookup(d->version, table, d->size / 2, true, d->firstlineno,
					       lasti, &half_line);

	return half == -ENODATA || (half == whole && (half < 0 || half_line == line));
}

/*
 * From 3.6 on every instruction lies at an even offset; before, there are those of one byte and of
 * three.
 */
static int step(const struct record *d)
{
	return d->version >= 0x0306 ? 2 : 1;
}

/*
 * How often half of the table is tried too: a prefix takes as long as the whole, and is the same
 * code.
 */
#define HALF_EVERY 16

static void check_offset(const struct record *d, const uint8_t *table, int32_t at, int32_t expected,
			 struct sum *sum)
{
	int line = 0,
	    r = linetable_lookup(d->version, table, d->size, false, d->firstlineno, at, &line);

	sum->offsets++;
	sum->without += expected < 0;
	if ((expected < 0 ? r == -ENOENT : r == 0 && line == expected) &&
	    (sum->offsets % HALF_EVERY || half_agrees(d, table, at, r, line)))
		return;
	if (++sum->mismatches <= 10)
		fprintf(stderr, "%x: first line %d, at %d: got %d (%d), expected %d\n", d->version,
			d->firstlineno, at, line, r, expected);
}

static int check_record(const struct record *d, struct sum *sum)
{
	_cleanup_free_ uint8_t *table = malloc(d->size ? d->size : 1);
	int32_t range[3], end = 0;

	if (!table || !take(table, d->size))
		return -EIO;
	for (uint32_t i = 0; i < d->count; i++) {
		/* no offset may be left out */
		if (!take(range, sizeof(range)) || range[0] != end || range[1] < end)
			return -EIO;
		end = range[1];
		for (int32_t at = range[0]; at < end; at += step(d))
			check_offset(d, table, at, range[2], sum);
	}
	sum->records++;
	return (uint32_t)end == d->bytecode ? 0 : -EIO;
}

int main(void)
{
	uint32_t files[2] = {};
	struct sum sum = {};
	struct record d;

	while (take(&d.version, 2) && d.version) {
		if (!take(&d.firstlineno, 4) || !take(&d.size, 4) || !take(&d.bytecode, 4) ||
		    !take(&d.count, 4) || d.size > 1u << 24 || check_record(&d, &sum) < 0) {
			fprintf(stderr, "the description is broken in code object %lu\n",
				sum.records);
			return EXIT_FAILURE;
		}
	}
	if (!take(files, sizeof(files))) {
		fprintf(stderr, "the description ends early\n");
		return EXIT_FAILURE;
	}
	printf("%u files (%u not of this version), %lu code objects, %lu offsets (%lu without a "
	       "line), "
	       "%lu mismatches\n",
	       files[0], files[1], sum.records, sum.offsets, sum.without, sum.mismatches);
	return sum.mismatches == 0 && files[0] > 0 && sum.offsets > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
