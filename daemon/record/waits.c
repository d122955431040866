/* SPDX-License-Identifier: BSD-2-Clause */
#include <uthash.h>

#include "record/waits.h"
#include "plop/places.h"
#include "proc/syscalls.h"
#include "proc/threads.h"

/*
 * A stack whose record has not come after so many cycles, or the other way round, will not come any
 * more.
 */
#define CYCLES_MAX 3

struct stack_key {
	uint64_t hash;
	uint32_t tgid, tid;
};

struct wait_stack {
	struct stack_key key;
	UT_hash_handle hh;
	uint32_t stack; /* of the sink's dict */
};

struct sum_key {
	struct stack_key stack;
	uint32_t process;
	uint32_t state; /* enum sample_state */
	int32_t syscall;
	uint32_t disk;
};

struct wait_sum {
	struct sum_key key;
	UT_hash_handle hh;
	uint64_t ns;
	unsigned int cycles;
};

/*
 * In place of the kernel's: a stack that was read from the outside; none, of a wait that began
 * before the recording.
 */
#define HASH_READ   1
#define HASH_BEFORE 2

/* The root where nothing is known below it. */
#define BEFORE "[began before the recording]"

/*
 * A thread that nobody saw leave its CPU: if it is not on one, it left before the recording began.
 */
struct quiet_thread {
	uint64_t key; /* PLOP_SLEEPER_KEY() */
	UT_hash_handle hh;
	/* It was seen to come back. */
	uint64_t over_ns; /* CLOCK_MONOTONIC; 0: it was not */
	uint64_t runnable_ns;
	uint32_t process;
	uint32_t kind; /* enum plop_wait_kind */
	int32_t syscall;
	uint64_t argument; /* its first */
	uint64_t woken_ns; /* of one that is not back; 0: it was not woken */
	/* It was read. */
	uint64_t at_ns; /* when it slept; 0: it was not */
	uint64_t switches;
	int32_t read_syscall;
	bool gil, disk;
};

/* A process with such threads. */
#define GILS_MAX 16
struct quiet_process {
	uint32_t tgid;
	UT_hash_handle hh;
	uint32_t threads;
	bool taken; /* by waits_unread() */
	uint64_t gils[GILS_MAX];
	uint32_t ngils, gil_size;
};

struct waits {
	uint64_t begun_ns;
	struct wait_stack *stacks;
	struct wait_sum *sums;
	struct quiet_thread *quiet;
	struct quiet_process *processes;
	unsigned int asking;
};

int waits_new(uint64_t begun_ns, struct waits **ret)
{
	struct waits *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->begun_ns = begun_ns;
	*ret = w;
	return 0;
}

void waits_free(struct waits *w)
{
	struct wait_stack *stack, *stack_next;
	struct quiet_thread *quiet, *quiet_next;
	struct quiet_process *process, *process_next;
	struct wait_sum *sum, *sum_next;

	if (!w)
		return;
	HASH_ITER(hh, w->stacks, stack, stack_next)
	{
		HASH_DEL(w->stacks, stack);
		free(stack);
	}
	HASH_ITER(hh, w->sums, sum, sum_next)
	{
		HASH_DEL(w->sums, sum);
		free(sum);
	}
	HASH_ITER(hh, w->quiet, quiet, quiet_next)
	{
		HASH_DEL(w->quiet, quiet);
		free(quiet);
	}
	HASH_ITER(hh, w->processes, process, process_next)
	{
		HASH_DEL(w->processes, process);
		free(process);
	}
	free(w);
}

size_t waits_bytes(const struct waits *w)
{
	return HASH_COUNT(w->stacks) * (sizeof(struct wait_stack) + 16) +
	       HASH_COUNT(w->sums) * (sizeof(struct wait_sum) + 16) +
	       HASH_COUNT(w->quiet) * (sizeof(struct quiet_thread) + 16) +
	       HASH_COUNT(w->processes) * (sizeof(struct quiet_process) + 16);
}

static struct quiet_process *process_find(const struct waits *w, uint32_t tgid)
{
	struct quiet_process *p;

	HASH_FIND(hh, w->processes, &tgid, sizeof(tgid), p);
	return p;
}

static struct quiet_process *process_note(struct waits *w, uint32_t tgid)
{
	struct quiet_process *p = process_find(w, tgid);

	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return NULL;
		p->tgid = tgid;
		HASH_ADD(hh, w->processes, tgid, sizeof(p->tgid), p);
	}
	return p;
}

struct listing {
	struct waits *waits;
	struct quiet_process *process; /* NULL: there was no memory for it */
	pid_t pid;
};

static int thread_note(pid_t tid, void *ctx)
{
	struct listing *l = ctx;
	struct quiet_thread *q = calloc(1, sizeof(*q)), *old;

	if (!q)
		return 0;
	q->key = PLOP_SLEEPER_KEY(l->pid, tid);
	HASH_REPLACE(hh, l->waits->quiet, key, sizeof(q->key), q, old);
	free(old);
	if (l->process)
		l->process->threads++;
	return 0;
}

void waits_threads(struct waits *w, pid_t pid)
{
	struct listing l = { w, process_note(w, (uint32_t)pid), pid };

	/* of one that has ended there are none */
	(void)tasks_each(pid, thread_note, &l);
}

bool waits_unread(struct waits *w, pid_t *ret, uint32_t *ret_threads)
{
	for (struct quiet_process *p = w->processes; p; p = p->hh.next) {
		if (p->taken)
			continue;
		p->taken = true;
		*ret = (pid_t)p->tgid;
		*ret_threads = p->threads;
		return true;
	}
	return false;
}

unsigned int waits_asking(struct waits *w, int more)
{
	w->asking += (unsigned int)more;
	return w->asking;
}

void waits_gil(struct waits *w, pid_t pid, uint64_t gil, uint32_t size)
{
	struct quiet_process *p = process_find(w, (uint32_t)pid);

	if (!p || p->ngils == GILS_MAX)
		return;
	p->gils[p->ngils++] = gil;
	p->gil_size = size;
}

static struct quiet_thread *quiet_find(const struct waits *w, uint32_t tgid, uint32_t tid)
{
	uint64_t key = PLOP_SLEEPER_KEY(tgid, tid);
	struct quiet_thread *q;

	HASH_FIND(hh, w->quiet, &key, sizeof(key), q);
	return q;
}

static void quiet_drop(struct waits *w, struct quiet_thread *q)
{
	HASH_DEL(w->quiet, q);
	free(q);
}

/* Has the sink's stack stand for one of HASH_* of a thread. */
static int stack_note(struct waits *w, const struct stack_key *key, uint32_t id)
{
	struct wait_stack *k;

	HASH_FIND(hh, w->stacks, key, sizeof(*key), k);
	if (!k) {
		k = calloc(1, sizeof(*k));
		if (!k)
			return -ENOMEM;
		k->key = *key;
		HASH_ADD(hh, w->stacks, key, sizeof(k->key), k);
	}
	k->stack = id;
	return 0;
}

int waits_read(struct waits *w, struct sink *sink, pid_t pid, const struct asleep_thread *t)
{
	struct quiet_thread *q = quiet_find(w, (uint32_t)pid, t->tid);
	struct stack_key key = { HASH_READ, (uint32_t)pid, t->tid };
	_cleanup_free_ struct named_frame *frames = calloc(t->n + 1u, sizeof(*frames));
	const char *root = t->worker    ? "[kernel worker]" :
			   t->native    ? "[native thread]" :
			   t->truncated ? "[truncated]" :
			   t->n == 0    ? "[no Python frame]" :
					  NULL;
	uint32_t id;
	int r;

	if (!frames)
		return -ENOMEM;
	/* one that is back slept then, or did so another time */
	if (!q || t->at_ns < w->begun_ns || (q->over_ns && q->over_ns < t->at_ns))
		return 0;
	for (uint32_t i = 0; i < t->n; i++)
		frames[i] = (struct named_frame){ .kind = t->frames[i].kind,
						  .name = t->frames[i].name,
						  .file = t->frames[i].file,
						  .firstlineno = t->frames[i].firstlineno,
						  .line = t->frames[i].line };
	r = sink_named_stack(sink, root, frames, t->n, &id);
	if (r >= 0)
		r = stack_note(w, &key, id);
	if (r < 0)
		return r;
	q->at_ns = t->at_ns;
	q->switches = t->switches;
	q->read_syscall = t->syscall;
	q->gil = t->gil;
	q->disk = t->disk;
	return 0;
}

static int sum_add(struct waits *w, const struct sum_key *key, uint64_t from, uint64_t to,
		   uint64_t end_ns)
{
	struct wait_sum *sum;

	from = MAX(from, w->begun_ns);
	to = MIN(to, end_ns);
	if (from >= to)
		return 0;
	HASH_FIND(hh, w->sums, key, sizeof(*key), sum);
	if (!sum) {
		sum = calloc(1, sizeof(*sum));
		if (!sum)
			return -ENOMEM;
		sum->key = *key;
		HASH_ADD(hh, w->sums, key, sizeof(sum->key), sum);
	}
	sum->ns += to - from;
	return 0;
}

static enum sample_state state_of(uint32_t kind)
{
	return kind == PLOP_WAIT_GIL      ? SAMPLE_WAITING_GIL :
	       kind == PLOP_WAIT_RUNNABLE ? SAMPLE_RUNNABLE :
	       kind == PLOP_WAIT_LET_GO   ? SAMPLE_RUNNABLE :
	       kind == PLOP_WAIT_SLEEPING ? SAMPLE_SLEEPING :
					    SAMPLE_OFF_CPU;
}

/*
 * What began before the recording is over: told at the end, when all that was read of it is there.
 */
static void quiet_over(struct quiet_thread *q, const struct plop_record_wait *r, uint32_t process)
{
	q->over_ns = r->ns;
	q->runnable_ns = r->runnable_ns;
	q->process = process;
	q->kind = r->kind;
	q->syscall = r->syscall;
	q->argument = r->hash;
	/* what was read of it was of a later sleep */
	if (q->at_ns > q->over_ns)
		q->at_ns = 0;
}

int waits_add(struct waits *w, const struct plop_record_wait *record, uint32_t process,
	      uint64_t end_ns)
{
	struct sum_key key = { .stack = { record->hash, record->head.tgid, record->tid },
			       .process = process,
			       .state = state_of(record->kind),
			       .syscall = record->syscall,
			       .disk = record->disk };
	uint64_t over = record->since + record->ns;
	struct quiet_thread *q = quiet_find(w, record->head.tgid, record->tid);
	int r;

	if (record->since == 0) {
		/* a thread that was not there before has just begun */
		if (q && !q->over_ns)
			quiet_over(q, record, process);
		return 0;
	}
	/* back, and nobody saw it */
	if (q && !q->over_ns)
		quiet_drop(w, q);
	r = sum_add(w, &key, record->since, over - MIN(record->runnable_ns, record->ns), end_ns);
	key.state = SAMPLE_RUNNABLE;
	key.syscall = -1;
	key.disk = 0;
	return r < 0 ? r :
		       sum_add(w, &key, over - MIN(record->runnable_ns, record->ns), over, end_ns);
}

int waits_stack(struct waits *w, struct sink *sink, const struct symbolized_stack *s)
{
	struct stack_key key = { s->stack->hash, s->stack->tgid, s->stack->tid };
	struct wait_stack *k;
	uint32_t id;
	int r;

	HASH_FIND(hh, w->stacks, &key, sizeof(key), k);
	if (k)
		return 0;
	r = sink_stack(sink, s, &id);
	return r < 0 ? r : stack_note(w, &key, id);
}

/* "[sleeping: epoll_wait]" */
static const char *leaf_name(const struct sum_key *key, char *buffer, size_t size)
{
	const char *call = key->syscall < 0 ? NULL : syscall_name(key->syscall);

	if (key->state == SAMPLE_WAITING_GIL)
		return "[waiting for the GIL]";
	if (key->state == SAMPLE_RUNNABLE)
		return "[runnable]";
	if (key->state == SAMPLE_OFF_CPU)
		return "[off CPU]";
	if (key->disk && call)
		snprintf(buffer, size, "[sleeping: disk, %s]", call);
	else if (key->disk)
		snprintf(buffer, size, "[sleeping: disk]");
	else if (call)
		snprintf(buffer, size, "[sleeping: %s]", call);
	else if (key->syscall >= 0)
		snprintf(buffer, size, "[sleeping: system call %d]", key->syscall);
	else
		snprintf(buffer, size, "[sleeping]");
	return buffer;
}

int waits_settle(struct waits *w, struct sink *sink, bool last)
{
	struct wait_sum *sum, *next;
	int r = 0;

	HASH_ITER(hh, w->sums, sum, next)
	{
		struct wait_stack *k;
		char leaf[64];

		HASH_FIND(hh, w->stacks, &sum->key.stack, sizeof(sum->key.stack), k);
		if (!k && !last && sum->cycles++ < CYCLES_MAX)
			continue;
		r = sink_add_wait(sink, sum->key.process, sum->key.stack.tid,
				  k ? k->stack : SINK_NO_STACK, sum->key.state,
				  leaf_name(&sum->key, leaf, sizeof(leaf)), sum->ns);
		if (r < 0)
			return r;
		HASH_DEL(w->sums, sum);
		free(sum);
	}
	return 0;
}

void waits_sleeping(struct waits *w, const struct plop_sleeper *sleeper, uint32_t process,
		    uint64_t end_ns)
{
	struct plop_record_wait r = {
		.head = { .tgid = PLOP_SLEEPER_TGID(sleeper->key) },
		.tid = (uint32_t)sleeper->key,
		.hash = sleeper->hash,
		.since = sleeper->since,
		.kind = sleeper->kind,
		.syscall = sleeper->syscall,
		.disk = sleeper->disk,
	};
	struct quiet_thread *q = quiet_find(w, r.head.tgid, r.tid);

	if (end_ns <= r.since)
		return;
	if (r.since == 0) {
		if (q)
			q->woken_ns = sleeper->woken;
		return;
	}
	r.ns = (sleeper->back > r.since ? MIN(sleeper->back, end_ns) : end_ns) - r.since;
	if (sleeper->kind == PLOP_WAIT_RUNNABLE || sleeper->kind == PLOP_WAIT_LET_GO)
		r.runnable_ns = r.ns;
	else if (sleeper->woken > r.since && sleeper->woken < end_ns)
		r.runnable_ns = end_ns - sleeper->woken;
	waits_add(w, &r, process, end_ns);
}

/* The kernel's PID_MAX_LIMIT on machines of 64 bits (include/linux/threads.h). */
#define TIDS_MAX (1u << 22)

/* A bit for each thread that was seen on a CPU. NULL: no memory. */
static uint8_t *threads_ran(struct sink *sink)
{
	const struct profile *p = sink_profile(sink);
	uint8_t *ran = calloc(TIDS_MAX / 8, 1);

	for (uint32_t i = 0; ran && i < p->nsamples; i++) {
		uint32_t tid = p->samples[i].thread;

		if (p->samples[i].count && tid < TIDS_MAX)
			ran[tid / 8] |= (uint8_t)(1u << tid % 8);
	}
	return ran;
}

/* Then it was there all the time, or it would have been seen to leave. */
static bool has_run(const uint8_t *ran, uint32_t tid)
{
	return tid < TIDS_MAX && ran[tid / 8] >> tid % 8 & 1;
}

/* Whether it slept from when it was read until now. */
static bool still_sleeps(const struct quiet_thread *q)
{
	uint64_t switches;
	char letter;

	return proc_thread_switches_read((pid_t)PLOP_SLEEPER_TGID(q->key), (pid_t)q->key, &letter,
					 &switches) == 0 &&
	       switches == q->switches;
}

static bool is_gil(const struct waits *w, const struct quiet_thread *q)
{
	const struct quiet_process *p = process_find(w, PLOP_SLEEPER_TGID(q->key));

	if (q->at_ns)
		return q->gil;
	for (uint32_t i = 0; p && i < p->ngils; i++) {
		if (syscall_is_futex(q->syscall) && q->argument - p->gils[i] < p->gil_size)
			return true;
	}
	return false;
}

/*
 * What one waited for whose wait began before the recording, and until when: the rest it was
 * runnable.
 */
static void quiet_tell(const struct waits *w, const struct quiet_thread *q, struct sum_key *key,
		       uint64_t end_ns, uint64_t *ret_until)
{
	uint64_t woken = q->over_ns ? q->over_ns - MIN(q->runnable_ns, q->over_ns) : q->woken_ns;

	*ret_until = woken ? woken : end_ns;
	key->syscall = -1;
	if (is_gil(w, q)) {
		/* a look at whether it is free, in between, is no use of a CPU */
		key->state = SAMPLE_WAITING_GIL;
		*ret_until = end_ns;
	} else if (q->at_ns) {
		key->state = SAMPLE_SLEEPING;
		key->syscall = q->read_syscall;
		key->disk = q->disk;
	} else if (q->over_ns) {
		key->state = state_of(q->kind);
		key->syscall = q->kind == PLOP_WAIT_SLEEPING ? q->syscall : -1;
	} else {
		key->state = woken ? SAMPLE_SLEEPING : SAMPLE_OFF_CPU;
	}
}

static int quiet_add(struct waits *w, const struct quiet_thread *q, uint32_t process,
		     uint64_t end_ns)
{
	struct sum_key key = { .stack = { q->at_ns ? HASH_READ : HASH_BEFORE,
					  PLOP_SLEEPER_TGID(q->key), PLOP_SLEEPER_TID(q->key) },
			       .process = process };
	uint64_t over = q->over_ns ? q->over_ns : end_ns, until;
	int r;

	quiet_tell(w, q, &key, over, &until);
	r = sum_add(w, &key, w->begun_ns, until, end_ns);
	key.state = SAMPLE_RUNNABLE;
	key.syscall = -1;
	key.disk = 0;
	return r < 0 ? r : sum_add(w, &key, MAX(until, w->begun_ns), over, end_ns);
}

int waits_from_before(struct waits *w, struct sink *sink,
		      int (*process)(uint32_t tgid, uint32_t *ret, void *ctx), void *ctx,
		      uint64_t end_ns, uint32_t *ret_unread)
{
	_cleanup_free_ uint8_t *ran = threads_ran(sink);
	struct quiet_thread *q, *next;
	uint32_t before;
	int r = ran ? sink_named_stack(sink, BEFORE, NULL, 0, &before) : -ENOMEM;

	*ret_unread = 0;
	HASH_ITER(hh, w->quiet, q, next)
	{
		struct stack_key none = { HASH_BEFORE, PLOP_SLEEPER_TGID(q->key),
					  PLOP_SLEEPER_TID(q->key) };
		uint32_t at = q->process;

		if (r >= 0 && (q->over_ns ||
			       (!has_run(ran, none.tid) && process(none.tgid, &at, ctx) >= 0))) {
			if (!q->over_ns && q->at_ns && !still_sleeps(q))
				q->at_ns = 0;
			*ret_unread += !q->at_ns && !q->over_ns;
			r = stack_note(w, &none, before);
			if (r >= 0)
				r = quiet_add(w, q, at, end_ns);
		}
		quiet_drop(w, q);
	}
	return r;
}
