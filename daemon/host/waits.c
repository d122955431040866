/* SPDX-License-Identifier: BSD-2-Clause */
#include <uthash.h>

#include <dirent.h>

#include "host/waits.h"
#include "proc/syscalls.h"

/* A stack whose record has not come after so many cycles, or the other way round, will not come any more. */
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

/* A thread that nobody saw leave its CPU. */
struct quiet_thread {
	uint64_t key; /* tgid << 32 | tid */
	UT_hash_handle hh;
};

struct waits {
	uint64_t begun_ns;
	struct wait_stack *stacks;
	struct wait_sum *sums;
	struct quiet_thread *quiet;
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
	free(w);
}

size_t waits_bytes(const struct waits *w)
{
	return HASH_COUNT(w->stacks) * (sizeof(struct wait_stack) + 16) +
	       HASH_COUNT(w->sums) * (sizeof(struct wait_sum) + 16) +
	       HASH_COUNT(w->quiet) * (sizeof(struct quiet_thread) + 16);
}

void waits_threads(struct waits *w, pid_t pid)
{
	char path[64];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		unsigned long tid = strtoul(e->d_name, NULL, 10);
		struct quiet_thread *q = tid ? calloc(1, sizeof(*q)) : NULL, *old;

		if (!q)
			continue;
		q->key = (uint64_t)(uint32_t)pid << 32 | (uint32_t)tid;
		HASH_REPLACE(hh, w->quiet, key, sizeof(q->key), q, old);
		free(old);
	}
	if (d)
		closedir(d);
}

/* Whether the thread was quiet; it is not any more. */
static bool quiet_ends(struct waits *w, uint32_t tgid, uint32_t tid)
{
	uint64_t key = (uint64_t)tgid << 32 | tid;
	struct quiet_thread *q;

	HASH_FIND(hh, w->quiet, &key, sizeof(key), q);
	if (!q)
		return false;
	HASH_DEL(w->quiet, q);
	free(q);
	return true;
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
					    SAMPLE_SLEEPING;
}

int waits_add(struct waits *w, const struct plop_record_wait *r, uint32_t process, uint64_t end_ns)
{
	struct sum_key key = { .stack = { r->hash, r->head.tgid, r->tid },
			       .process = process,
			       .state = state_of(r->kind),
			       .syscall = r->syscall,
			       .disk = r->disk };
	uint64_t over = r->since + r->ns;
	bool quiet = quiet_ends(w, r->head.tgid, r->tid);
	int k;

	if (r->since == 0) {
		/* ns is when it ended; a thread that was not there before has just begun */
		key.state = SAMPLE_SLEEPING;
		key.syscall = -1;
		return quiet ? sum_add(w, &key, w->begun_ns, r->ns, end_ns) : 0;
	}
	k = sum_add(w, &key, r->since, over - MIN(r->runnable_ns, r->ns), end_ns);
	key.state = SAMPLE_RUNNABLE;
	key.syscall = -1;
	key.disk = 0;
	return k < 0 ? k : sum_add(w, &key, over - MIN(r->runnable_ns, r->ns), over, end_ns);
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
	if (r < 0)
		return r;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->key = key;
	k->stack = id;
	HASH_ADD(hh, w->stacks, key, sizeof(k->key), k);
	return 0;
}

/* "[sleeping: epoll_wait]" */
static const char *leaf_name(const struct sum_key *key, char *buffer, size_t size)
{
	const char *call = key->syscall < 0 ? NULL : syscall_name(key->syscall);

	if (key->state == SAMPLE_WAITING_GIL)
		return "[waiting for the GIL]";
	if (key->state == SAMPLE_RUNNABLE)
		return "[runnable]";
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
		.head = { .tgid = (uint32_t)(sleeper->key >> 32) },
		.tid = (uint32_t)sleeper->key,
		.hash = sleeper->hash,
		.since = sleeper->since,
		.kind = sleeper->kind,
		.syscall = sleeper->syscall,
		.disk = sleeper->disk,
	};

	if (end_ns <= r.since)
		return;
	r.ns = end_ns - r.since;
	if (sleeper->kind == PLOP_WAIT_RUNNABLE)
		r.runnable_ns = r.ns;
	else if (sleeper->woken > r.since && sleeper->woken < end_ns)
		r.runnable_ns = end_ns - sleeper->woken;
	waits_add(w, &r, process, end_ns);
}

/* Whether a thread was seen on a CPU: then it was there all the time, or it would have been seen to leave. */
static bool thread_ran(struct sink *sink, uint32_t tid)
{
	const struct profile *p = sink_profile(sink);

	for (uint32_t i = 0; i < p->nsamples; i++) {
		if (p->samples[i].thread == tid && p->samples[i].count)
			return true;
	}
	return false;
}

int waits_asleep_throughout(struct waits *w, struct sink *sink,
			    int (*process)(uint32_t tgid, uint32_t *ret, void *ctx), void *ctx,
			    uint64_t end_ns)
{
	struct quiet_thread *q, *next;
	int r = 0;

	HASH_ITER(hh, w->quiet, q, next)
	{
		struct sum_key key = { .stack = { 0, (uint32_t)(q->key >> 32), (uint32_t)q->key },
				       .state = SAMPLE_SLEEPING,
				       .syscall = -1 };

		if (r >= 0 && !thread_ran(sink, key.stack.tid) &&
		    process(key.stack.tgid, &key.process, ctx) >= 0)
			r = sum_add(w, &key, w->begun_ns, end_ns, end_ns);
		HASH_DEL(w->quiet, q);
		free(q);
	}
	return r;
}
