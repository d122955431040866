/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/recording_blob.h"

#include "store/addition.h"
#include "store/window.h"

/* What a blob is of: the size of each, and then all of them, each a blob of sections. */
enum piece {
	PIECE_HEAD,
	PIECE_DICTIONARY,
	PIECE_COUNTS,
	PIECE_OFF_CPU, /* counts of nanoseconds; of size 0 where there are none */
};
#define PIECES (PIECE_OFF_CPU + 1)

enum head_section {
	/*
	 * start_ns, length, hz, whether there is time off CPU, samples, nanoseconds off CPU,
	 * ticks, python, other, truncated, how many causes of loss, and each; the numbers of the
	 * dictionary
	 */
	HEAD_NUMBERS,
	HEAD_THREADS, /* process, tid, name with its NUL */
};
#define HEAD_SECTIONS (HEAD_THREADS + 1)

/* A profile on its way into a blob. */
struct packing {
	const struct profile *p;
	struct dictionary dictionary;
	struct addition addition;
	uint32_t *processes; /* numbers of p's; 0: it has no sample */
	struct counts counts, off_cpu;
	uint64_t off_cpu_ns;
	struct buf pieces[PIECES];
};

static void packing_done(struct packing *k)
{
	addition_done(&k->addition);
	dictionary_end(&k->dictionary);
	free(k->processes);
	counts_done(&k->counts);
	counts_done(&k->off_cpu);
	for (int i = 0; i < PIECES; i++)
		buf_free(&k->pieces[i]);
}

static int put_samples(struct packing *k)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < k->p->nsamples; i++) {
		const struct profile_sample *s = &k->p->samples[i];
		struct count row = addition_count(&k->addition, k->p, s, k->processes);

		if (row.n)
			r = counts_add(&k->counts, &row);
		row.n = s->off_cpu_ns;
		k->off_cpu_ns += s->off_cpu_ns;
		if (r == 0 && row.n)
			r = counts_add(&k->off_cpu, &row);
	}
	return r;
}

static int pack_counts(struct counts *c, struct buf *to)
{
	struct sections s = { .n = COUNTS_SECTIONS };
	int r;

	counts_sort(c);
	counts_put(c, &s, NULL, NULL);
	r = sections_pack(&s, to);
	sections_done(&s);
	return r;
}

static void put_numbers(const struct packing *k, struct buf *b)
{
	const struct profile *p = k->p;
	const uint64_t numbers[] = {
		p->start_ns,
		p->end_ns > p->start_ns ? p->end_ns - p->start_ns : 0,
		p->hz,
		p->off_cpu,
		p->samples_total,
		k->off_cpu_ns,
		p->tally.ticks,
		p->tally.python,
		p->tally.other,
		p->tally.truncated,
		PLOP_LOST_CAUSES,
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		packed_put(b, numbers[i]);
	for (int i = 0; i < PLOP_LOST_CAUSES; i++)
		packed_put(b, p->tally.lost[i]);
	for (int i = 0; i < DICTIONARY_PARTS; i++)
		packed_put(b, k->dictionary.numbers[i]);
}

static int pack_head(struct packing *k)
{
	struct sections s = { .n = HEAD_SECTIONS };
	int r;

	put_numbers(k, &s.parts[HEAD_NUMBERS]);
	for (uint32_t i = 0; i < k->p->nthreads; i++) {
		const struct profile_thread *t = &k->p->threads[i];

		if (!*t->name || !k->processes[t->process])
			continue;
		packed_put(&s.parts[HEAD_THREADS], k->processes[t->process]);
		packed_put(&s.parts[HEAD_THREADS], t->tid);
		buf_append(&s.parts[HEAD_THREADS], t->name, strlen(t->name) + 1);
	}
	r = sections_pack(&s, &k->pieces[PIECE_HEAD]);
	sections_done(&s);
	return r;
}

static int pack_pieces(struct packing *k, int64_t seed)
{
	int r = dictionary_begin(&k->dictionary, 1);

	if (r == 0)
		r = addition_begin(&k->addition, &k->dictionary, seed, k->p->dict);
	k->processes = calloc((size_t)k->p->nprocesses + 1, sizeof(*k->processes));
	if (r == 0)
		r = k->processes ? put_samples(k) : -ENOMEM;
	if (r == 0)
		r = sections_pack(&k->addition.sections, &k->pieces[PIECE_DICTIONARY]);
	if (r == 0)
		r = pack_counts(&k->counts, &k->pieces[PIECE_COUNTS]);
	if (r == 0 && k->off_cpu_ns)
		r = pack_counts(&k->off_cpu, &k->pieces[PIECE_OFF_CPU]);
	return r < 0 ? r : pack_head(k);
}

int recording_pack(const struct profile *p, int64_t seed, struct buf *to)
{
	_cleanup_(packing_done) struct packing k = { .p = p };
	int r = profile_bytes(p) > RECORDING_MEMORY_MAX ? -E2BIG : pack_pieces(&k, seed);

	if (r < 0)
		return r;
	buf_clear(to);
	for (int i = 0; i < PIECES; i++)
		packed_put(to, k.pieces[i].size);
	for (int i = 0; i < PIECES; i++)
		buf_append(to, k.pieces[i].data, k.pieces[i].size);
	if (to->error)
		return to->error;
	return to->size > RECORDING_BLOB_MAX ? -E2BIG : 0;
}

/* A blob on its way into a profile. */
struct unpacking {
	struct packed pieces[PIECES];
	struct unpacked head;
	uint64_t samples, off_cpu_ns;
	uint32_t numbers[DICTIONARY_PARTS];
	struct window_reader reader; /* its lexicon alone */
	struct answer answer;
};

static void unpacking_done(struct unpacking *k)
{
	unpacked_done(&k->head);
	window_done(&k->reader);
	profile_free(k->answer.p);
}

static int find_pieces(struct unpacking *k, const void *data, size_t size)
{
	struct packed in = { data, (const uint8_t *)data + size };
	uint64_t sizes[PIECES];
	int r = 0;

	for (int i = 0; r == 0 && i < PIECES; i++)
		r = packed_get(&in, &sizes[i]);
	for (int i = 0; r == 0 && i < PIECES; i++) {
		if (sizes[i] > (size_t)(in.end - in.at))
			return -EBADMSG;
		k->pieces[i] = (struct packed){ in.at, in.at + sizes[i] };
		in.at += sizes[i];
	}
	return r == 0 && in.at != in.end ? -EBADMSG : r;
}

static int unpack_piece(const struct unpacking *k, enum piece piece, unsigned int n,
			struct unpacked *ret)
{
	const struct packed *p = &k->pieces[piece];

	return sections_unpack(p->at, (size_t)(p->end - p->at), n, ret);
}

static int get_losses(struct packed *in, struct tally *to)
{
	uint64_t causes, n;
	int r = packed_get(in, &causes);

	if (r == 0 && causes > PLOP_LOST_CAUSES)
		r = -EBADMSG;
	for (uint64_t i = 0; r == 0 && i < causes; i++) {
		r = packed_get(in, &n);
		if (r == 0)
			to->lost[i] = n;
	}
	return r;
}

static int get_numbers(struct unpacking *k)
{
	struct packed *in = &k->head.parts[HEAD_NUMBERS];
	struct profile *p = k->answer.p;
	uint64_t length = 0, hz = 0, off_cpu = 0, n = 0;
	uint64_t *const numbers[] = {
		&p->start_ns,
		&length,
		&hz,
		&off_cpu,
		&k->samples,
		&k->off_cpu_ns,
		&p->tally.ticks,
		&p->tally.python,
		&p->tally.other,
		&p->tally.truncated,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(numbers); i++)
		r = packed_get(in, numbers[i]);
	if (r == 0)
		r = get_losses(in, &p->tally);
	for (int i = 0; r == 0 && i < DICTIONARY_PARTS; i++) {
		r = packed_get(in, &n);
		if (r == 0 && n > DICTIONARY_MOST)
			r = -EBADMSG;
		k->numbers[i] = (uint32_t)n;
	}
	if (r < 0)
		return r;
	if (hz > UINT32_MAX || off_cpu > 1 || in->at != in->end ||
	    __builtin_add_overflow(p->start_ns, length, &p->end_ns))
		return -EBADMSG;
	p->hz = (uint32_t)hz;
	p->off_cpu = off_cpu;
	return 0;
}

static int get_counts(struct unpacking *k, enum piece piece, uint64_t sum)
{
	_cleanup_(unpacked_done) struct unpacked u = {};
	int r = unpack_piece(k, piece, COUNTS_SECTIONS, &u);

	k->answer.off_cpu = piece == PIECE_OFF_CPU;
	return r < 0 ? r : window_add_counts(&k->reader, &k->answer, &u, sum);
}

static int get_threads(struct unpacking *k)
{
	struct packed *in = &k->head.parts[HEAD_THREADS];
	int r = 0;

	while (r == 0 && in->at < in->end) {
		uint64_t number, tid;
		const uint8_t *end = NULL;
		uint32_t process;

		r = packed_get(in, &number);
		if (r == 0)
			r = packed_get(in, &tid);
		if (r == 0)
			end = memchr(in->at, '\0', (size_t)(in->end - in->at));
		if (r < 0 || !end || number > DICTIONARY_MOST || tid > UINT32_MAX)
			return -EBADMSG;
		r = window_find_process(&k->reader, &k->answer, (uint32_t)number, &process);
		if (r == 0)
			r = profile_thread(k->answer.p, process, (uint32_t)tid,
					   (const char *)in->at);
		in->at = end + 1;
	}
	return r;
}

static int unpack_pieces(struct unpacking *k)
{
	_cleanup_(unpacked_done) struct unpacked dictionary = {};
	int r = unpack_piece(k, PIECE_HEAD, HEAD_SECTIONS, &k->head);

	if (r == 0)
		r = get_numbers(k);
	if (r == 0)
		r = unpack_piece(k, PIECE_DICTIONARY, ADDITION_SECTIONS, &dictionary);
	if (r == 0)
		r = lexicon_take(&k->reader.lexicon, &dictionary, k->numbers);
	if (r == 0)
		r = get_counts(k, PIECE_COUNTS, k->samples);
	if (r == 0 && k->off_cpu_ns)
		r = get_counts(k, PIECE_OFF_CPU, k->off_cpu_ns);
	return r < 0 ? r : get_threads(k);
}

int recording_unpack(const void *data, size_t size, struct profile **ret)
{
	static const struct selectors none;
	_cleanup_(unpacking_done) struct unpacking k = {
		/* what was added one by one has other room to spare than what it was read from */
		.answer = { .selectors = &none, .limit = 3 * (size_t)RECORDING_MEMORY_MAX },
	};
	int r = profile_new(0, 0, &k.answer.p);

	if (r == 0)
		r = find_pieces(&k, data, size);
	if (r == 0)
		r = unpack_pieces(&k);
	if (r == 0)
		*ret = TAKE_PTR(k.answer.p);
	return r;
}
