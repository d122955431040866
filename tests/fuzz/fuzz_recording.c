/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The blob of a recording out of a plop.db that nobody vouches for. Its checksums would keep every
 * input out: so an input is what is in the sections, each behind its size, and they are packed
 * here.
 */
#include "fuzz.h"
#include "store/dictionary.h"
#include "store/recording_blob.h"

/* How many sections each piece has (recording_blob.c). */
static const unsigned int pieces[] = { 2, ADDITION_SECTIONS, COUNTS_SECTIONS, COUNTS_SECTIONS };

static void take_piece(const uint8_t **data, size_t *size, unsigned int n, struct buf *to)
{
	struct sections s = { .n = n };
	uint16_t length;

	for (unsigned int i = 0; i < n; i++) {
		if (!fuzz_take(data, size, &length, sizeof(length)))
			break;
		length = (uint16_t)MIN((size_t)length, *size);
		buf_append(&s.parts[i], *data, length);
		*data += length;
		*size -= length;
	}
	FUZZ_ASSERT(sections_pack(&s, to) == 0);
	sections_done(&s);
}

static void check(const struct profile *p)
{
	_cleanup_(profile_freep) struct profile *again = NULL;
	_cleanup_buf_ struct buf b = {};
	uint64_t total = 0;
	int r;

	for (uint32_t i = 0; i < p->nsamples; i++) {
		FUZZ_ASSERT(p->samples[i].process < p->nprocesses);
		FUZZ_ASSERT(p->samples[i].stack < dict_stacks(p->dict));
		total += p->samples[i].count;
	}
	FUZZ_ASSERT(total == p->samples_total);
	r = recording_pack(p, 7, &b);
	FUZZ_ASSERT(r == 0 || r == -E2BIG);
	if (r < 0)
		return;
	FUZZ_ASSERT(recording_unpack(b.data, b.size, &again) == 0);
	FUZZ_ASSERT(again->samples_total == p->samples_total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_buf_ struct buf all = {};
	struct buf one[ARRAY_SIZE(pieces)] = {};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		take_piece(&data, &size, pieces[i], &one[i]);
		packed_put(&all, one[i].size);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		buf_append(&all, one[i].data, one[i].size);
		buf_free(&one[i]);
	}
	r = recording_unpack(all.data, all.size, &p);
	FUZZ_ASSERT(r == 0 || r == -EBADMSG || r == -E2BIG);
	if (r == 0)
		check(p);
	return 0;
}
