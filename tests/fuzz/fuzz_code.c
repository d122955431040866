/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Code objects of every layout in a target's memory, which may lead in circles, have huge lengths,
 * and change between two reads.
 */
#include "hostile.h"
#include "plop/limits.h"
#include "proc/text.h"

/* What follows reads at most so often, whatever it reads. */
#define READS_OF_CODE 40
#define READS_OF_COPY (8192 / 64 + 8)

static void is_clean(const char *text)
{
	_cleanup_free_ char *again = text_sanitize(text, strlen(text));

	FUZZ_ASSERT(again && streq(again, text));
	/*
	 * at most four bytes a character, bytes that are no text grow to three; and a mark where it
	 * was cut
	 */
	FUZZ_ASSERT(strlen(text) <= MAX(PLOP_MAX_FILE_CHARS, PLOP_MAX_NAME_CHARS) * 4u + 16);
}

static void find_lines(struct hostile *h, const struct plop_layout *l, const uint32_t *instr,
		       size_t n, uint32_t fingerprint, struct code_object *c)
{
	const struct reader r = { .read = hostile_read, .ctx = h };

	for (size_t i = 0; i < n; i++) {
		unsigned int before = h->reads;
		int64_t lasti;
		int line, q;

		q = code_object_find_copy(&r, l, HOSTILE_BASE, fingerprint, instr[i], c);
		FUZZ_ASSERT(h->reads - before <= READS_OF_COPY);
		FUZZ_ASSERT(c->ncopies <= 64);
		q = code_object_lasti(c, instr[i], l->code_bytecode, &lasti);
		FUZZ_ASSERT(q == 0 || q == -ENOENT);
		if (q == 0)
			linetable_lookup(c->version, c->linetable, c->linetable_size,
					 c->linetable_cut, c->firstlineno, lasti, &line);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct {
		uint8_t layout, wrap;
		uint32_t instr[4];
	} __attribute__((packed)) head;
	uint32_t instr[ARRAY_SIZE(head.instr)], fingerprint = 0, again;
	struct code_object *c = NULL;
	struct plop_layout l;
	struct hostile h;
	struct reader r = { .read = hostile_read, .ctx = &h };

	if (!fuzz_take(&data, &size, &head, sizeof(head)) ||
	    !hostile_layout(head.layout, &data, &size, &l) ||
	    !hostile_take(&data, &size, head.wrap & 1, &h))
		return 0;
	memcpy(instr, head.instr, sizeof(instr));
	if (code_object_read(&r, &l, HOSTILE_BASE, &c, &fingerprint) < 0) {
		FUZZ_ASSERT(!c && h.reads <= READS_OF_CODE);
		return 0;
	}
	FUZZ_ASSERT(h.reads <= READS_OF_CODE && fingerprint != 0);
	FUZZ_ASSERT(c->linetable_size <= PLOP_MAX_LINETABLE);
	is_clean(c->file);
	is_clean(c->name);
	if (h.nscript == 0)
		FUZZ_ASSERT(code_object_fingerprint(&r, &l, HOSTILE_BASE, &again) == 0 &&
			    again == fingerprint);
	find_lines(&h, &l, instr, ARRAY_SIZE(instr), fingerprint, c);
	code_object_unref(c);
	return 0;
}
