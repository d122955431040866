/* SPDX-License-Identifier: BSD-2-Clause */
#include "examiner/private.h"

void examine_code(struct buf *request, const struct plop_layout *l,
		  const struct plop_frame *confirm, size_t nconfirm, uint64_t word,
		  const struct plop_frame *frames, size_t nframes)
{
	pack_bytes(request, l, sizeof(*l));
	pack_bytes(request, &word, sizeof(word));
	pack_u32(request, (uint32_t)nconfirm);
	for (size_t i = 0; i < nconfirm; i++)
		pack_bytes(request, &confirm[i].code, sizeof(confirm[i].code));
	pack_u32(request, (uint32_t)nframes);
	pack_bytes(request, frames, nframes * sizeof(*frames));
}

/* Begins a section; returns where its size will stand. */
static size_t section_begin(struct buf *answer)
{
	size_t at = answer->size;

	pack_u32(answer, 0);
	return at;
}

static void section_end(struct buf *answer, size_t at)
{
	uint32_t size;

	if (answer->error)
		return;
	size = (uint32_t)(answer->size - at - sizeof(size));
	memcpy(answer->data + at, &size, sizeof(size));
}

/* As code_table_confirm() reads (profile/symbolizer.c). */
static int confirm(const struct reader *memory, const struct plop_layout *l, struct unpack *request)
{
	_cleanup_free_ uint64_t *addresses = NULL;
	_cleanup_free_ struct code_fingerprint *fingerprints = NULL;
	uint64_t word;
	const void *data;
	uint32_t n;
	int r = 0;

	unpack_bytes(request, &word, sizeof(word));
	n = unpack_u32(request);
	data = unpack_take(request, (size_t)n * sizeof(*addresses));
	if (!data)
		return request->error;
	addresses = malloc((size_t)n * sizeof(*addresses) + 1);
	fingerprints = calloc((size_t)n + 1, sizeof(*fingerprints));
	if (!addresses || !fingerprints)
		return -ENOMEM;
	if (n == 0)
		return 0;
	/* they need not be aligned in the message */
	memcpy(addresses, data, (size_t)n * sizeof(*addresses));
	r = code_objects_fingerprint(memory, l, addresses, n, fingerprints);
	(void)reader_u64(memory, word, &word);
	return r;
}

/* As code_table_find() reads. What is not there is recorded as such. */
static void read_frame(const struct reader *memory, const struct plop_layout *l,
		       const struct plop_frame *f)
{
	_cleanup_(code_object_unrefp) struct code_object *c = NULL;
	uint32_t fingerprint = f->fingerprint, now;

	if (fingerprint == 0 && code_object_fingerprint(memory, l, f->code, &fingerprint) < 0)
		return;
	if (code_object_read(memory, l, f->code, &c, &now) < 0 || now != fingerprint)
		return;
	if (c->copied)
		code_object_find_copy(memory, l, f->code, fingerprint, f->instr, c);
}

int serve_code(struct served *s, pid_t pid, struct unpack *request, struct buf *answer)
{
	struct recorder recorder = { .from = process_memory_reader(pid), .to = answer };
	const struct reader memory = recorder_reader(&recorder);
	size_t at = section_begin(answer);
	struct plop_layout l;
	uint32_t n;
	int r;

	unpack_bytes(request, &l, sizeof(l));
	r = confirm(&memory, &l, request);
	section_end(answer, at);
	if (r < 0)
		return r;
	n = unpack_u32(request);
	for (uint32_t i = 0; i < n && !recorder_full(&recorder); i++) {
		struct plop_frame f;

		unpack_bytes(request, &f, sizeof(f));
		if (request->error)
			return request->error;
		at = section_begin(answer);
		read_frame(&memory, &l, &f);
		section_end(answer, at);
	}
	return 0;
}
