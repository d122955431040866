/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All programs of bpf/, one after the other, on a process whose memory is made up and then spoilt:
 * as it lies there, and in between two reads. Or on one whose memory is the input, by a layout that
 * the input may give. Or the tick on a spoilt one that stands still, whose stacks have to be those
 * that python/walk.h reads. Or all of them on one that runs asyncio's tasks.
 */
#include "compare.h"
#include "hostile.h"
#include "made.h"
#include "tasks.h"
#include "ticked.h"

#define NEXT_TGID 4712u
#define STEPS     64

/* What of a made-up process's memory the input changes, and to what. */
struct edit {
	uint8_t where, how;
	uint16_t place, what;
} __attribute__((packed));

/*
 * A reader over another, which lies: a script of one byte for each read, as struct hostile has it.
 */
struct liar {
	const struct reader *of;
	const uint8_t *script;
	uint8_t nscript;
	unsigned int reads;
};

static int liar_read(void *ctx, uint64_t address, void *buffer, size_t size)
{
	struct liar *t = ctx;
	uint8_t op = t->nscript ? t->script[t->reads % t->nscript] : 0, *to = buffer;
	int r = op == UINT8_MAX ? -EFAULT : reader_read(t->of, address, buffer, size);

	t->reads++;
	if (r >= 0 && op && size)
		to[op % size] ^= op;
	return r;
}

static void spoil(struct made *m, const struct edit *e)
{
	static const struct {
		uint64_t from, size;
	} regions[] = { { MADE_RUNTIME, 0x1000 },  { MADE_INTERP(0), 0x8000 },
			{ MADE_STATE(0), 0x2000 }, { MADE_CODE(0), 0x4000 },
			{ MADE_ENTRY(0), 0x1000 }, { MADE_CHUNK(0), 0x4000 },
			{ MADE_CHUNK(1), 0x8000 }, { MADE_TASKS, MADE_TASK(8) - MADE_TASKS },
			{ MADE_CORO(0), 0x1800 },  { MADE_BASE, MADE_SIZE } };
	const size_t n = e->where % ARRAY_SIZE(regions);
	uint64_t at = regions[n].from + e->place * 8u % (regions[n].size - 8) + (e->how >> 4 & 7);

	switch (e->how & 3) {
	case 0:
		made_put(m, at, e->what, 1);
		break;
	case 1:
		made_put(m, at & ~7ull, MADE_BASE + e->what * 8u, 8);
		break;
	case 2:
		made_put(m, at, e->what, 8);
		break;
	default:
		made_put(m, at & ~7ull, ~(uint64_t)e->what, 8);
		break;
	}
}

static struct kernel_task next_task;

/* What all programs but the walk itself need of plopd. */
static void others_begin(bool user)
{
	const struct plop_filter w = { .ticks = 1,
				       .children = 1,
				       .off_cpu = 2,
				       .off_cpu_children = 2,
				       .threads = 1,
				       .budget = user };

	tick_wanted_set(TICK_TGID, &w);
	*tick_channel(1) = (struct plop_channel){ .kind = PLOP_CHANNEL_PROCESSES,
						  .part = user ? 1 : PLOP_PART_TRUSTED,
						  .budget = user };
	tick_budget(1)->step = 1000000;
	plop_trusted = user ? 0 : 3;
	next_task = tick_task;
	next_task.task.pid++;
}

static void step(uint8_t op)
{
	struct bpf_perf_event_data ctx = { .sample_period = 1 };
	struct signal_struct nobody = {};

	switch (op & 15) {
	case 0:
	case 1:
		plop_tick(&ctx);
		break;
	case 2:
		plop_tick_bound(&ctx);
		break;
	case 3:
		plop_tick_chan(&ctx);
		break;
	case 4:
		plop_tick_async(&ctx);
		break;
	case 5:
		plop_switch(op & 16, &tick_task.task, &next_task.task);
		break;
	case 6:
		plop_sw_async(op & 16, &next_task.task, &tick_task.task);
		break;
	case 7:
		plop_wakeup(op & 16 ? &tick_task.task : &next_task.task);
		break;
	case 8:
		kernel.now += (uint64_t)(op >> 4) * 7000000u;
		break;
	case 9:
		plop_seconds += op >> 4;
		break;
	case 10:
		plop_active++;
		break;
	case 11:
		tick_thread(TICK_TGID + (op >> 4), MADE_THREAD(op >> 4));
		break;
	case 12:
		next_task.task.tgid = (int)(op & 16 ? NEXT_TGID : TICK_TGID);
		plop_fork(&tick_task.task, &next_task.task);
		break;
	case 13:
		plop_exec(op & 16 ? &next_task.task : &tick_task.task);
		break;
	case 14:
		next_task.task.signal = &nobody;
		plop_exit(&next_task.task);
		break;
	default:
		tick_task.task.flags = op & 16 ? PF_EXITING : 0;
		tick_task.task.__state = op & 32 ? 1 : 0;
		/* futex() on x86-64 */
		tick_task.regs.orig_ax = op & 64 ? 202 : ~0ull;
		tick_task.regs.di = MADE_RUNTIME + (op & 128 ? 360 + 32 : 0);
		break;
	}
}

/* What was sent is as long as it says. */
static void check_records(void)
{
	for (size_t i = 0; i < kernel_records(); i++) {
		struct kernel_record k = kernel_record(i);
		const struct plop_record_code *c = k.data;

		FUZZ_ASSERT(k.size >= sizeof(struct plop_record));
		if (c->head.type == PLOP_RECORD_CODE) {
			FUZZ_ASSERT(k.size >= sizeof(*c));
			FUZZ_ASSERT(k.size == sizeof(*c) + c->file_bytes + c->name_bytes +
						      c->linetable_bytes);
			FUZZ_ASSERT(c->file_bytes <= PLOP_CAPTURE_FILE &&
				    c->name_bytes <= PLOP_CAPTURE_NAME &&
				    c->linetable_bytes <= PLOP_CAPTURE_LINETABLE);
		}
	}
}

/*
 * The most that any of the programs reads, see the maxima of plop/limits.h: a search, callers,
 * frames, code and tasks.
 */
#define MOST_READS                                                                               \
	(2 * PLOP_MAX_THREAD_STEPS + 3 * PLOP_MAX_CALLER_STEPS + 5 * 1024 + 8 * PLOP_MAX_DEPTH + \
	 20 * PLOP_MAX_DEPTH + 64 * PLOP_ASYNC_TASKS * PLOP_ASYNC_FRAMES)

static void run(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < MIN(size, (size_t)STEPS); i++) {
		const char *broken;

		kernel.reads = 0;
		step(data[i]);
		FUZZ_ASSERT(kernel.reads <= MOST_READS);
		broken = tick_broken();
		if (broken) {
			fprintf(stderr, "after step %zu (%u): %s\n", i, data[i] & 15u, broken);
			abort();
		}
	}
	check_records();
}

static void tasks_begin(const struct plop_layout *l)
{
	struct plop_process *p = tick_process(TICK_TGID);

	if (tasks_layout(l, tick_async(1)))
		p->async = 1;
}

/* State 0 runs a task that others await, one after another or several at once. */
static void tasks_make(struct made *m, uint8_t shape, unsigned int depth)
{
	const unsigned int n = shape & 7;
	struct plop_async a;
	struct tasks t;

	if (!tasks_layout(&m->l, &a)) {
		made_stack(m, 0, depth);
		return;
	}
	tasks_new(&t, m, &a);
	for (unsigned int i = 0; i <= n; i++) {
		tasks_coro(&t, 2 * i + 1, MADE_COROUTINE, i ? MADE_TASK(i - 1) : 0);
		tasks_coro(&t, 2 * i, MADE_COROUTINE, MADE_CORO(2 * i + 1));
		tasks_task(&t, i, 2 * i, shape & 16 ? "import" : NULL);
		if (i > 0)
			tasks_awaited(&t, i - 1, i);
	}
	if (shape & 8)
		tasks_awaited_by(&t, n / 2, n / 2, n - n / 2);
	tasks_run(&t, 0, 0, 2, depth, shape >> 5);
}

static void on_made(const uint8_t *data, size_t size, bool still, bool tasks)
{
	struct {
		uint8_t layout, interpreters, depth, nedits, nscript;
	} head;
	struct liar liar;
	struct reader r = { .read = liar_read, .ctx = &liar };
	struct plop_layout l;
	static struct made m;
	uint8_t shape = 0;
	struct edit e;

	if (!fuzz_take(&data, &size, &head, sizeof(head)) ||
	    (tasks && !fuzz_take(&data, &size, &shape, sizeof(shape))) ||
	    !made_layout(head.layout % 14u, &l))
		return;
	made_new(&m, &l);
	made_state(&m, 0, 0, 0);
	if (tasks)
		tasks_make(&m, shape, head.depth + 1u);
	else
		made_stack(&m, 0, head.depth);
	head.interpreters = head.interpreters % 3 + 1;
	for (unsigned int i = 1; i < head.interpreters; i++)
		made_interp(&m, i);
	for (unsigned int i = 0; i < head.interpreters; i++) {
		made_state(&m, 1 + i, head.interpreters - 1u - i, 1);
		made_stack(&m, 1 + i, 2 + i);
		made_status(&m, 1 + i, i == 0, i == 0);
	}
	made_gil(&m, 1);
	for (unsigned int i = 0; i < head.nedits && fuzz_take(&data, &size, &e, sizeof(e)); i++)
		spoil(&m, &e);
	if (still) {
		struct compared c = {};
		const char *differs = compare(&m.r, &l, MADE_RUNTIME, &c);

		if (differs)
			fprintf(stderr, "%s: %s\n", made_layout(head.layout % 14u, &l), differs);
		FUZZ_ASSERT(!differs);
		return;
	}
	liar = (struct liar){ .of = &m.r, .script = data };
	liar.nscript = (uint8_t)MIN(size, (size_t)head.nscript);
	data += liar.nscript;
	size -= liar.nscript;
	tick_begin(&r, &l, MADE_RUNTIME);
	tick_thread(TICK_TGID + !tasks, MADE_THREAD(!tasks));
	kernel.step = 100;
	others_begin(head.interpreters & 1);
	tasks_begin(&l);
	run(data, size);
}

static void on_input(const uint8_t *data, size_t size)
{
	struct {
		uint8_t layout, wrap, nsteps;
		uint16_t runtime;
		uint64_t thread;
	} __attribute__((packed)) head;
	uint8_t steps[UINT8_MAX];
	struct plop_layout l;
	struct hostile h;
	struct reader r = { .read = hostile_read, .ctx = &h };

	if (!fuzz_take(&data, &size, &head, sizeof(head)) ||
	    !fuzz_take(&data, &size, steps, head.nsteps) ||
	    !hostile_layout(head.layout, &data, &size, &l) ||
	    !hostile_take(&data, &size, head.wrap & 1, &h))
		return;
	tick_begin(&r, &l, HOSTILE_BASE + head.runtime);
	tick_thread(TICK_TGID, head.thread);
	kernel.step = 100;
	others_begin(head.wrap & 2);
	tasks_begin(&l);
	run(steps, head.nsteps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t which;

	if (!fuzz_take(&data, &size, &which, sizeof(which)))
		return 0;
	if (which == 1)
		on_input(data, size);
	else
		on_made(data, size, which == 2, which == 3);
	return 0;
}
