/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of profiles that somebody wrote: pprof, gzipped or not, and collapsed stacks. */
#include "fuzz.h"
#include "format/decode.h"

static void check_profile(const struct profile *p)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < p->nsamples; i++) {
		const struct dict_stack *s = dict_get_stack(p->dict, p->samples[i].stack);

		FUZZ_ASSERT(s->depth > 0 && s->depth <= DECODE_DEPTH && p->samples[i].count > 0);
		total += p->samples[i].count;
	}
	FUZZ_ASSERT(total == p->samples_total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* An exact copy, so that a byte too many is noticed. */
	_cleanup_free_ char *bytes = malloc(size + !size);
	char why[DECODE_WHY_MAX] = "";
	struct decoded d = {};
	int r;

	FUZZ_ASSERT(bytes);
	memcpy(bytes, data, size);
	r = profile_decode(bytes, size, &d, why);
	FUZZ_ASSERT(r == 0 || r == -EBADMSG || r == -E2BIG);
	FUZZ_ASSERT((r == -EBADMSG) == (*why != '\0') || r == -E2BIG);
	if (r == 0)
		check_profile(d.profile);
	profile_free(d.profile);
	return 0;
}
