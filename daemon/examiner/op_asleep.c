/* SPDX-License-Identifier: BSD-2-Clause */
#include "examiner/private.h"
#include "proc/threads.h"
#include "python/walk.h"
#include "util/clock.h"

/* Interpreters with a GIL of their own whose place is told. */
#define GILS_MAX 16

enum asleep_flags {
	ASLEEP_GIL = 1,
	ASLEEP_DISK = 2,
	ASLEEP_NATIVE = 4,
	ASLEEP_TRUNCATED = 8,
	ASLEEP_WORKER = 16,
};

/* The threads of a process while they are read. */
struct asleep {
	pid_t pid;
	struct walker *walker;
	struct walk_states states;
	struct proc_threads listed;
	const struct proc_thread **thread_of; /* of each state; NULL: not known */
	const struct walk_state **state_of; /* of each thread, the first that it has; NULL: none */
	bool all_known; /* whose each state is: a thread without one is no Python thread */
	struct buf threads;
	uint32_t n, max, left;
	uint32_t max_bytes;
};

static void asleep_done(struct asleep *j)
{
	walker_free(j->walker);
	walk_states_done(&j->states);
	proc_threads_done(&j->listed);
	free(j->thread_of);
	free(j->state_of);
	buf_free(&j->threads);
}

/* One thread while it is read. */
struct look {
	const struct asleep *job;
	const struct proc_thread *thread;
	struct proc_thread_state state;
	int result;
};

static void look_meanwhile(void *ctx)
{
	struct look *k = ctx;

	k->result = proc_thread_state_read(k->job->pid, k->thread->tid, &k->state);
}

static bool sleeps(char letter)
{
	return letter == 'S' || letter == 'D' || letter == 'T' || letter == 't' || letter == 'I';
}

static void frames_pack(struct buf *b, const struct walk_stack *s)
{
	pack_u32(b, (uint32_t)s->n);
	for (size_t i = 0; i < s->n; i++) {
		const struct walk_frame *f = &s->frames[i];

		pack_u32(b, f->code ? PLOP_FRAME_PYTHON : PLOP_FRAME_SYNTHETIC);
		pack_u32(b, (uint32_t)f->line);
		pack_u32(b, f->code ? (uint32_t)f->code->firstlineno : 0);
		pack_text(b, f->code ? f->code->name : "[unresolved]");
		pack_text(b, f->code ? f->code->file : "");
	}
}

/*
 * Reads one that slept from before it was read until after: its count of switches says so. Returns
 * 0 also where it did not.
 */
static int thread_read(struct asleep *j, const struct proc_thread *thread)
{
	const struct walk_state *s = j->state_of[thread - j->listed.threads];
	struct look look = { .job = j, .thread = thread, .state = { .syscall = -1 } };
	_cleanup_walk_stack_ struct walk_stack stack = {};
	uint64_t before, after, at = clock_ns(CLOCK_MONOTONIC);
	uint32_t flags = s ? 0 : ASLEEP_NATIVE;
	char letter;
	int r;

	if ((!s && !j->all_known) ||
	    proc_thread_switches_read(j->pid, thread->tid, &letter, &before) < 0 || !sleeps(letter))
		return 0;
	if (s) {
		r = walker_stack(j->walker, s, look_meanwhile, &look, &stack);
		if (r == -ENOMEM || r == -ESRCH)
			return r;
		if (r < 0 || stack.changing)
			return 0;
	} else {
		look_meanwhile(&look);
	}
	if (look.result < 0 ||
	    proc_thread_switches_read(j->pid, thread->tid, &letter, &after) < 0 ||
	    after != before || !sleeps(letter))
		return 0;
	if (s && look.state.syscall >= 0 && syscall_is_futex(look.state.syscall) &&
	    walker_is_gil(j->walker, s, look.state.args[0]))
		flags |= ASLEEP_GIL;
	flags |= look.state.letter == 'D' ? ASLEEP_DISK : 0;
	flags |= stack.truncated ? ASLEEP_TRUNCATED : 0;
	flags |= look.state.worker ? ASLEEP_WORKER : 0;
	pack_u32(&j->threads, (uint32_t)thread->tid);
	pack_bytes(&j->threads, &before, sizeof(before));
	pack_bytes(&j->threads, &at, sizeof(at));
	pack_u32(&j->threads, (uint32_t)look.state.syscall);
	pack_u32(&j->threads, flags);
	frames_pack(&j->threads, &stack);
	j->n++;
	return j->threads.error;
}

static int threads_read(struct asleep *j)
{
	int r = 0;

	for (size_t i = 0; i < j->listed.n && r >= 0; i++) {
		if (j->n >= j->max || j->threads.size >= j->max_bytes)
			j->left++;
		else
			r = thread_read(j, &j->listed.threads[i]);
	}
	return r;
}

static int asleep_read(struct asleep *j)
{
	int r = walker_states(j->walker, &j->states);

	if (r >= 0)
		r = proc_threads_list(j->pid, &j->listed);
	if (r < 0)
		return r;
	j->thread_of = calloc(j->states.n + 1, sizeof(*j->thread_of));
	j->state_of = calloc(j->listed.n, sizeof(*j->state_of));
	if (!j->thread_of || !j->state_of)
		return -ENOMEM;
	r = states_threads(j->walker, &j->states, &j->listed, j->thread_of);
	if (r < 0)
		return r;
	j->all_known = !j->states.more && !j->states.changing;
	for (size_t i = j->states.n; i-- > 0;) {
		j->all_known = j->all_known && j->thread_of[i];
		if (j->thread_of[i])
			j->state_of[j->thread_of[i] - j->listed.threads] = &j->states.states[i];
	}
	return threads_read(j);
}

/* Where the GILs are. */
static void gils_pack(const struct asleep *j, struct buf *answer)
{
	uint64_t gils[GILS_MAX];
	uint32_t n = 0;

	for (size_t i = 0; i < j->states.n && n < GILS_MAX; i++) {
		bool known = walker_gil_at(j->walker, &j->states.states[i], &gils[n]) < 0;

		for (uint32_t k = 0; k < n && !known; k++)
			known = gils[k] == gils[n];
		n += !known;
	}
	pack_u32(answer, n);
	pack_bytes(answer, gils, n * sizeof(*gils));
}

void examine_asleep(struct buf *request, const struct plop_layout *l, uint64_t runtime,
		    uint32_t max, uint32_t max_bytes)
{
	examine_threads(request, l, runtime);
	pack_u32(request, max);
	pack_u32(request, max_bytes);
}

int serve_asleep(struct served *s, pid_t pid, struct unpack *request, struct buf *answer)
{
	_cleanup_(asleep_done) struct asleep j = { .pid = pid };
	const struct reader memory = process_memory_reader(pid);
	struct plop_layout l;
	uint64_t runtime;
	int r;

	unpack_bytes(request, &l, sizeof(l));
	unpack_bytes(request, &runtime, sizeof(runtime));
	j.max = unpack_u32(request);
	j.max_bytes = unpack_u32(request);
	r = request->error ? request->error : walker_new(&memory, &l, runtime, &j.walker);
	if (r >= 0)
		r = asleep_read(&j);
	if (r < 0)
		return r;
	gils_pack(&j, answer);
	pack_u32(answer, j.left);
	pack_u32(answer, j.n);
	pack_bytes(answer, j.threads.data, j.threads.size);
	return 0;
}

static void frames_done(struct asleep_thread *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		free(t->frames[i].name);
		free(t->frames[i].file);
	}
	free(t->frames);
}

static int thread_unpack(struct unpack *body, struct asleep_thread *t)
{
	uint32_t flags, n;

	t->tid = unpack_u32(body);
	unpack_bytes(body, &t->switches, sizeof(t->switches));
	unpack_bytes(body, &t->at_ns, sizeof(t->at_ns));
	t->syscall = (int32_t)unpack_u32(body);
	flags = unpack_u32(body);
	t->gil = flags & ASLEEP_GIL;
	t->disk = flags & ASLEEP_DISK;
	t->native = flags & ASLEEP_NATIVE;
	t->worker = flags & ASLEEP_WORKER;
	t->truncated = flags & ASLEEP_TRUNCATED;
	n = unpack_u32(body);
	if (body->error || n > PLOP_MAX_DEPTH)
		return -EBADMSG;
	t->frames = calloc(n + 1u, sizeof(*t->frames));
	if (!t->frames)
		return -ENOMEM;
	for (t->n = 0; t->n < n; t->n++) {
		struct asleep_frame *f = &t->frames[t->n];

		f->kind = unpack_u32(body);
		f->line = (int32_t)unpack_u32(body);
		f->firstlineno = (int32_t)unpack_u32(body);
		f->name = unpack_text(body);
		f->file = unpack_text(body);
		if (!f->name || !f->file || f->kind >= PLOP_FRAME_KINDS) {
			t->n++;
			return body->error ? body->error : -EBADMSG;
		}
	}
	return 0;
}

int examined_asleep(struct unpack *body, void (*gil)(uint64_t address, void *ctx),
		    int (*thread)(const struct asleep_thread *t, void *ctx), void *ctx,
		    uint32_t *ret_left)
{
	uint32_t n = unpack_u32(body);
	int r = 0;

	if (n > GILS_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < n && !body->error; i++) {
		uint64_t at;

		unpack_bytes(body, &at, sizeof(at));
		if (!body->error)
			gil(at, ctx);
	}
	*ret_left = unpack_u32(body);
	n = unpack_u32(body);
	for (uint32_t i = 0; i < n && r >= 0 && !body->error; i++) {
		struct asleep_thread t = {};

		r = thread_unpack(body, &t);
		if (r >= 0)
			r = thread(&t, ctx);
		frames_done(&t);
	}
	return r < 0 ? r : body->error;
}
