/* SPDX-License-Identifier: BSD-2-Clause */
/* Line tables of every generation: what a prefix says is what the whole says, or that it does not know. */
#include "fuzz.h"
#include "python/python.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct {
		uint8_t minor, keep;
		int32_t first, lasti;
	} __attribute__((packed)) head;
	int whole = 0, part = 0, r, q;
	uint16_t version;

	if (!fuzz_take(&data, &size, &head, sizeof(head)))
		return 0;
	version = (uint16_t)(0x0308 + head.minor % 8);
	r = linetable_lookup(version, data, size, false, head.first, head.lasti, &whole);
	FUZZ_ASSERT(r == 0 || r == -ENOENT || r == -EBADMSG);
	q = linetable_lookup(version, data, size * head.keep / 256, true, head.first, head.lasti,
			     &part);
	FUZZ_ASSERT(q == -ENODATA || (q == r && (q < 0 || part == whole)));
	return 0;
}
