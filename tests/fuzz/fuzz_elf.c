/* SPDX-License-Identifier: BSD-2-Clause */
/* A file that may or may not be an interpreter. */
#include "fuzz.h"
#include "proc/process.h"
#include "python/binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct reader_bytes m = { .data = data, .size = size };
	struct reader r = bytes_reader(&m);
	uint64_t start = 0x7f0000000000, biases[BIAS_MAX];
	struct mapping maps[16];
	size_t n = 0;
	struct binary b;
	char version[32];

	/* The name alone must never make an interpreter. */
	if (binary_examine(&r, size, "python3.11", &b) < 0)
		return 0;
	FUZZ_ASSERT(b.kind == BINARY_CPYTHON || b.nloads == 0);
	version_print(b.hexversion, version, sizeof(version));
	for (size_t i = 0; i < b.nloads && n < ARRAY_SIZE(maps); i++, n++)
		maps[n] = (struct mapping){ .start = start,
					    .end = start + 4096,
					    .offset = b.loads[i].offset & ~4095ull,
					    .exec = i & 1,
					    .write = i & 2 };
	FUZZ_ASSERT(bias_find(b.loads, b.nloads, maps, n, biases, BIAS_MAX) <= BIAS_MAX);
	binary_done(&b);
	/* the same as if it were mapped as the file has it */
	maps[0] = (struct mapping){ .start = start, .end = start + size };
	if (binary_examine_mapped(&r, size, "python3.11", maps, 1, &b) == 0)
		binary_done(&b);
	return 0;
}
