/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What comes through the ring buffer and the stack tables, up to the profile: records of any
 * content, for a target whose memory works against its reader; stacks of frames that those records
 * do or do not name.
 */
#include "hostile.h"
#include "profile/symbolizer.h"
#include "sampler/decode.h"

#define STEPS_MAX 64
#define DEPTH_MAX 16

struct play {
	struct plop_layout layout;
	struct hostile hostile;
	struct reader memory;
	struct code_table *table;
	struct sink *sink;
	uint32_t process;
	uint64_t code;      /* of the last record */
	uint64_t forgotten; /* the last code object that the kernel was to read again */
	uint32_t fingerprint;
	uint64_t samples;
};

static void play_record(struct play *p, const uint8_t **data, size_t *size)
{
	const struct plop_record_code *r;
	uint16_t n;
	void *record;

	if (!fuzz_take(data, size, &n, sizeof(n)))
		return;
	n = (uint16_t)MIN(n, *size);
	/* An exact copy, so that a byte too many is noticed. */
	record = malloc(n ? n : 1);
	FUZZ_ASSERT(record);
	fuzz_take(data, size, record, n);
	r = record;
	if (record_check(record, n) == 0 && r->head.type == PLOP_RECORD_CODE) {
		FUZZ_ASSERT(code_table_record(p->table, &p->memory, r) == 0);
		p->code = r->code;
		p->fingerprint = r->fingerprint;
	} else if (record_check(record, n) == 0 && r->head.type == PLOP_RECORD_TASK) {
		FUZZ_ASSERT(code_table_task(p->table, record) == 0);
		p->code = ((const struct plop_record_task *)record)->code;
		p->fingerprint = 0;
	}
	free(record);
}

static void play_forget(uint64_t address, void *ctx)
{
	struct play *p = ctx;

	p->forgotten = address;
}

/* One frame in two is that of the last record, as the kernel would send it. */
static void play_stack(struct play *p, const uint8_t **data, size_t *size)
{
	struct plop_frame frames[DEPTH_MAX];
	struct code_object *codes[DEPTH_MAX];
	enum code_source sources[DEPTH_MAX];
	struct plop_stack stack = { .tgid = 5, .count = 1 };
	struct symbolized_stack y = { .stack = &stack,
				      .frames = frames,
				      .codes = codes,
				      .sources = sources,
				      .bytecode = p->layout.code_bytecode };
	uint8_t head[3];

	if (!fuzz_take(data, size, head, sizeof(head)))
		return;
	stack.tid = head[0];
	stack.flags = head[1];
	for (uint32_t i = 0; i < head[2] % DEPTH_MAX; i++) {
		if (!fuzz_take(data, size, &frames[i], sizeof(frames[i])))
			break;
		if (frames[i].code % 2) {
			frames[i].code = p->code;
			frames[i].fingerprint = p->fingerprint;
		}
		if (head[0] % 2) {
			frames[i].fingerprint |= PLOP_FINGERPRINT_UNREAD;
			FUZZ_ASSERT(code_table_want(p->table, head[1], &frames[i], 1) == 0);
			FUZZ_ASSERT(code_table_confirm(p->table,
						       head[0] % 4 == 1 ? &p->memory : NULL,
						       p->code, play_forget, p) == 0);
		}
		codes[i] = code_table_find(p->table, &p->memory, &frames[i], &sources[i]);
		stack.depth++;
	}
	FUZZ_ASSERT(sink_add(p->sink, p->process, &y) == 0);
	p->samples++;
}

/* What the check lets through lies inside. */
static void play_half(const uint8_t **data, size_t *size)
{
	static struct plop_half half;
	struct {
		uint32_t n, frames, nstacks;
		uint16_t depth, stack;
	} __attribute__((packed)) k;
	const struct plop_stack *stack;

	if (!fuzz_take(data, size, &k, sizeof(k)))
		return;
	half.stacks[k.n % PLOP_HALF_STACKS].frames = k.frames;
	half.stacks[k.n % PLOP_HALF_STACKS].depth = k.depth;
	half.nstacks = half.nframes = k.nstacks;
	if (stack_check(&half, k.n) == 0)
		FUZZ_ASSERT(k.n < PLOP_HALF_STACKS && k.depth <= PLOP_MAX_DEPTH &&
			    (uint64_t)k.frames + k.depth <=
				    MIN((uint32_t)k.nstacks, (uint32_t)PLOP_HALF_FRAMES));
	half.threads[k.n % PLOP_HALF_THREADS].stack = k.stack;
	if (stack_thread_check(&half, k.n) < 0)
		return;
	FUZZ_ASSERT(k.n < PLOP_HALF_THREADS && k.stack < PLOP_HALF_STACKS);
	stack = &half.stacks[k.stack];
	FUZZ_ASSERT((uint64_t)stack->frames + stack->depth <= PLOP_HALF_FRAMES);
}

static void play_steps(struct play *p, const uint8_t *data, size_t size)
{
	uint8_t step;

	for (int i = 0; i < STEPS_MAX && fuzz_take(&data, &size, &step, sizeof(step)); i++) {
		switch (step % 8) {
		case 0:
		case 1:
		case 2:
			play_record(p, &data, &size);
			break;
		case 3:
		case 4:
			play_stack(p, &data, &size);
			break;
		case 5:
			play_half(&data, &size);
			break;
		case 6:
			code_table_limit(p->table, 0);
			break;
		default:
			code_table_limit(p->table, 1000);
			break;
		}
	}
}

static void play_begin(struct play *p, bool tasks)
{
	const struct process_info info = process_info_of(5);

	FUZZ_ASSERT(code_table_new(&p->layout, &p->table) == 0);
	FUZZ_ASSERT(sink_new(1, 100, &p->sink) == 0);
	if (tasks)
		sink_keep_tasks(p->sink);
	FUZZ_ASSERT(profile_process(sink_profile(p->sink), &info, "3.11.2", &p->process) == 0);
}

/* The sink keeps what it needs when the process is forgotten, and no sample gets lost. */
static void play_end(struct play *p)
{
	struct callgraph *g;
	struct profile *profile;
	uint64_t self = 0;

	code_table_free(p->table);
	profile = sink_take(p->sink);
	FUZZ_ASSERT(profile->samples_total == p->samples);
	FUZZ_ASSERT(callgraph_new(profile, CALLGRAPH_NODES, &g) == 0);
	for (uint32_t i = 0; i < g->nnodes; i++)
		self += g->nodes[i].self;
	/* those without any frame have no node */
	FUZZ_ASSERT(g->total == p->samples && self <= p->samples);
	callgraph_free(g);
	profile_free(profile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct {
		uint8_t layout, wrap;
		uint16_t steps; /* bytes of them; the rest is memory */
	} __attribute__((packed)) head;
	struct play p = { .memory = { .read = hostile_read, .ctx = &p.hostile } };
	const uint8_t *steps;
	size_t nsteps;

	if (!fuzz_take(&data, &size, &head, sizeof(head)) ||
	    !hostile_layout(head.layout, &data, &size, &p.layout))
		return 0;
	nsteps = MIN(head.steps, size);
	steps = data;
	data += nsteps;
	size -= nsteps;
	if (!hostile_take(&data, &size, head.wrap & 1, &p.hostile))
		p.hostile = (struct hostile){};
	play_begin(&p, head.wrap & 2);
	play_steps(&p, steps, nsteps);
	play_end(&p);
	return 0;
}
