/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Line tables of every generation: what a prefix says is what the whole says, or that it does not
 * know.
 */
#include "fuzz.h"
#include "python/python.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct {
		uint8_t minor, keep;
		int32_t first, lasti;
	} __attribute__((packed)) head;
	int whole = 0, part = 0, r, q;
	static const uint16_t versions[] = { 0x0207, 0x0307, 0x0309, 0x030a,
					     0x030b, 0x030d, 0x030f, 0x0306 };
	uint16_t version;

	if (!fuzz_take(&data, &size, &head, sizeof(head)))
		return 0;
	version = versions[head.minor % ARRAY_SIZE(versions)];
	r = linetable_lookup(version, data, size, false, head.first, head.lasti, &whole);
	FUZZ_ASSERT(r == 0 || r == -ENOENT || r == -EBADMSG);
	q = linetable_lookup(version, data, size * head.keep / 256, true, head.first, head.lasti,
			     &part);
	FUZZ_ASSERT(q == -ENODATA || (q == r && (q < 0 || part == whole)));
	return 0;
}
