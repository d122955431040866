/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/object.h"

/* Code objects checked in one round: some hundred reads go with one system call. */
#define BATCH 64

struct fingerprint_batch {
	const struct plop_layout *layout;
	size_t n;
	uint8_t bytes[BATCH][PLOP_FINGERPRINT_MAX];
	__u64 hash[BATCH];
	uint64_t texts[BATCH][PLOP_TEXTS];
	__u64 heads[BATCH][PLOP_TEXTS][PLOP_TEXT_HEAD / 8];
	__u64 tails[BATCH][PLOP_TEXTS][PLOP_TEXT_TAIL / 8];
	struct reader_part parts[BATCH * PLOP_TEXTS];
	struct reader_part tail_parts[BATCH * PLOP_TEXTS];
};

static uint64_t pointer_at(const uint8_t *bytes, const struct plop_layout *l, size_t offset)
{
	uint64_t v;

	memcpy(&v, bytes + (offset - l->code_fingerprint), sizeof(v));
	return v;
}

static bool bytes_object(size_t text)
{
	return text == PLOP_TEXT_LINES;
}

/* The heads of all texts; where one is not mapped to its end, its beginning. */
static void read_heads(struct fingerprint_batch *b, const struct reader *memory,
		       const struct code_fingerprint *out)
{
	const struct plop_layout *l = b->layout;
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		if (out[i].result < 0)
			continue;
		for (size_t t = 0; t < PLOP_TEXTS; t++) {
			b->texts[i][t] =
				pointer_at(b->bytes[i], l, plop_text_pointer(l, (enum plop_text)t));
			b->parts[n++] = (struct reader_part){
				.address = b->texts[i][t] + plop_text_head(l, bytes_object(t)),
				.buffer = b->heads[i][t],
				.size = PLOP_TEXT_HEAD,
			};
		}
	}
	reader_read_parts(memory, b->parts, n);
}

static void read_tails(struct fingerprint_batch *b, const struct reader *memory,
		       const struct code_fingerprint *out)
{
	size_t n = 0, m = 0;

	for (size_t i = 0; i < b->n; i++) {
		for (size_t t = 0; t < PLOP_TEXTS && out[i].result == 0; t++, n++) {
			uint32_t at;

			if (b->parts[n].result < 0)
				continue;
			at = plop_text_tail(b->layout, b->heads[i][t], bytes_object(t));
			if (at)
				b->tail_parts[m++] = (struct reader_part){
					.address = b->texts[i][t] + at,
					.buffer = b->tails[i][t],
					.size = PLOP_TEXT_TAIL,
				};
		}
	}
	reader_read_parts(memory, b->tail_parts, m);
}

/* As check_text() of bpf/identify.bpf.h, which reads them one by one. */
static void add_texts(struct fingerprint_batch *b, const struct reader *memory,
		      const struct code_fingerprint *out)
{
	size_t n = 0, m = 0;

	read_heads(b, memory, out);
	read_tails(b, memory, out);
	for (size_t i = 0; i < b->n; i++) {
		for (size_t t = 0; t < PLOP_TEXTS && out[i].result == 0; t++, n++) {
			__u64 *head = b->heads[i][t];
			const struct reader_part *p = &b->parts[n];
			bool tail;

			if (p->result < 0) {
				if (reader_read(memory, p->address, head, PLOP_TEXT_HEAD_LEAST) < 0)
					continue;
				b->hash[i] = plop_text_add_least(b->hash[i], head);
				continue;
			}
			tail = plop_text_tail(b->layout, head, bytes_object(t)) != 0;
			b->hash[i] = plop_text_add(b->layout, b->hash[i], head, bytes_object(t));
			if (!tail)
				continue;
			if (b->tail_parts[m++].result == 0)
				b->hash[i] = plop_fingerprint_add(b->hash[i], b->tails[i][t],
								  PLOP_TEXT_TAIL / 8);
		}
	}
}

static void check_some(struct fingerprint_batch *b, const struct reader *memory,
		       const uint64_t *addresses, struct code_fingerprint *ret)
{
	const struct plop_layout *l = b->layout;
	__u64 words[PLOP_FINGERPRINT_MAX / 8];

	for (size_t i = 0; i < b->n; i++)
		b->parts[i] = (struct reader_part){
			.address = object_is_address(addresses[i]) ?
					   addresses[i] + l->code_fingerprint :
					   0,
			.buffer = b->bytes[i],
			.size = l->code_fingerprint_len,
		};
	reader_read_parts(memory, b->parts, b->n);
	for (size_t i = 0; i < b->n; i++) {
		ret[i] = (struct code_fingerprint){ .result = object_is_address(addresses[i]) ?
								      b->parts[i].result :
								      -EBADMSG };
		if (ret[i].result < 0)
			continue;
		memcpy(words, b->bytes[i], l->code_fingerprint_len);
		b->hash[i] = plop_fingerprint_add(0, words, l->code_fingerprint_len / 8u);
	}
	if (l->code_fingerprint_texts)
		add_texts(b, memory, ret);
	for (size_t i = 0; i < b->n; i++) {
		if (ret[i].result == 0)
			ret[i].fingerprint = plop_fingerprint_end(b->hash[i]);
	}
}

int code_objects_fingerprint(const struct reader *memory, const struct plop_layout *l,
			     const uint64_t *addresses, size_t n, struct code_fingerprint *ret)
{
	_cleanup_free_ struct fingerprint_batch *b = NULL;

	if (layout_check(l) < 0)
		return -EBADMSG;
	b = malloc(sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->layout = l;
	for (size_t i = 0; i < n; i += b->n) {
		b->n = MIN(n - i, (size_t)BATCH);
		check_some(b, memory, addresses + i, ret + i);
	}
	return 0;
}

int code_object_fingerprint(const struct reader *memory, const struct plop_layout *l,
			    uint64_t address, uint32_t *ret_fingerprint)
{
	struct code_fingerprint fingerprint;
	int r = code_objects_fingerprint(memory, l, &address, 1, &fingerprint);

	if (r < 0)
		return r;
	if (fingerprint.result < 0)
		return fingerprint.result;
	*ret_fingerprint = fingerprint.fingerprint;
	return 0;
}
