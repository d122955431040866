/* SPDX-License-Identifier: BSD-2-Clause */
/* A file that may or may not be an interpreter. */
#include "fuzz.h"
#include "proc/process.h"
#include "python/binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct reader_bytes m = { .data = data, .size = size };
	struct reader r = bytes_reader(&m);
	uint64_t start = 0x7f0000000000, bias;
	struct binary b;
	char version[32];

	/* The name alone must never make an interpreter. */
	if (binary_examine(&r, size, "python3.11", &b) < 0)
		return 0;
	FUZZ_ASSERT(b.kind == BINARY_CPYTHON || b.nloads == 0);
	version_print(b.hexversion, version, sizeof(version));
	for (size_t i = 0; i < b.nloads; i++)
		binary_bias(&b, start, start + 4096, b.loads[i].offset & ~4095ull, &bias);
	binary_done(&b);
	return 0;
}
