/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks up every instruction that an interpreter described on stdin (see lines.py) and compares. Each record: version
 * (u16), first line (i32), table size and number of instructions (u32), the table, and for each instruction its
 * byte offset and line (i32; -1: none).
 */
#include "python/python.h"

static bool take(void *to, size_t size)
{
	return fread(to, 1, size, stdin) == size;
}

struct record {
	uint16_t version;
	int32_t firstlineno;
	uint32_t size, count;
};

/* The same from half of the table: right, or known to be unknown. */
static bool half_agrees(const struct record *d, const uint8_t *table, int32_t lasti, int whole,
			int line)
{
	int half_line, half = linetable_lookup(d->version, table, d->size / 2, true, d->firstlineno,
					       lasti, &half_line);

	return half == -ENODATA || (half == whole && (half < 0 || half_line == line));
}

static int check_record(const struct record *d, unsigned long *mismatches)
{
	_cleanup_free_ uint8_t *table = malloc(d->size ? d->size : 1);
	int32_t expected[2];

	if (!table || !take(table, d->size))
		return -EIO;
	for (uint32_t i = 0; i < d->count; i++) {
		int line = 0, r;

		if (!take(expected, sizeof(expected)))
			return -EIO;
		r = linetable_lookup(d->version, table, d->size, false, d->firstlineno, expected[0],
				     &line);
		if ((expected[1] < 0 ? r == -ENOENT : r == 0 && line == expected[1]) &&
		    half_agrees(d, table, expected[0], r, line))
			continue;
		if (++*mismatches <= 10)
			fprintf(stderr, "%x: first line %d, at %d: got %d (%d), expected %d\n",
				d->version, d->firstlineno, expected[0], line, r, expected[1]);
	}
	return 0;
}

int main(void)
{
	unsigned long records = 0, instructions = 0, mismatches = 0;
	struct record d;

	while (take(&d.version, 2)) {
		if (!take(&d.firstlineno, 4) || !take(&d.size, 4) || !take(&d.count, 4) ||
		    d.size > 1u << 24 || check_record(&d, &mismatches) < 0) {
			fprintf(stderr, "the description ends early\n");
			return EXIT_FAILURE;
		}
		records++;
		instructions += d.count;
	}
	printf("%lu code objects, %lu instructions, %lu mismatches\n", records, instructions,
	       mismatches);
	return mismatches == 0 && instructions > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
