/* SPDX-License-Identifier: BSD-2-Clause */
#include "examiner/private.h"
#include "proc/syscalls.h"
#include "proc/threads.h"
#include "python/module.h"
#include "python/thread_name.h"
#include "util/frame_kind.h"
#include "util/json.h"

/* Readings of the threads, Python's list and the kernel's, until they do not change meanwhile. */
#define LISTS_TRIES 8

/* The threads of a process while they are read. */
struct dump {
	pid_t pid;
	uint64_t runtime;
	struct plop_layout layout;
	struct reader memory;
	struct walker *walker;
	struct walk_states states;
	struct proc_threads listed;
	const struct proc_thread **thread_of; /* of each state; NULL: not known */
	size_t *state_of; /* of each thread, its number + 1; 0: none, or not known */
	size_t left_out;  /* threads that are not listed */
	bool *holds;      /* the GIL, for each state */
	char **names;     /* as threading gave it; NULL: not at all */
	enum walk_gil gil;
	struct buf body;
	bool truncated;
	uint32_t max; /* bytes, beyond which threads are listed without their frames */
};

static void dump_done(struct dump *j)
{
	walker_free(j->walker);
	for (size_t i = 0; j->names && i < j->states.n; i++)
		free(j->names[i]);
	free(j->names);
	walk_states_done(&j->states);
	proc_threads_done(&j->listed);
	free(j->thread_of);
	free(j->state_of);
	free(j->holds);
	buf_free(&j->body);
}

static const char *state_name(char letter)
{
	switch (letter) {
	case 'R':
		return "running";
	case 'S':
		return "sleeping";
	case 'D':
		return "blocked";
	case 'I':
		return "idle";
	case 'T':
		return "stopped";
	case 't':
		return "traced";
	case 'Z':
	case 'X':
	case 'x':
		return "ended";
	default:
		return "unknown";
	}
}

static const char *gil_name(enum walk_gil gil)
{
	switch (gil) {
	case WALK_GIL_NONE:
		return "none";
	case WALK_GIL_FREE:
		return "free";
	case WALK_GIL_HELD:
		return "held";
	case WALK_GIL_CHANGING:
		return "changing";
	default:
		return "unknown";
	}
}

/* One thread while it is read. */
struct thread {
	struct dump *job;
	const struct proc_thread *listed;
	const char *name; /* as threading gave it, or NULL */
	struct proc_thread_state state;
	bool ended;
	bool looked; /* at what the kernel says of it */
};

static void thread_look(void *ctx)
{
	struct thread *t = ctx;

	t->looked = true;
	if (t->listed)
		t->ended = proc_thread_state_read(t->job->pid, t->listed->tid, &t->state) == -ESRCH;
}

static void put_frame(struct json_writer *w, const struct walk_frame *f)
{
	char module[PLOP_MAX_MODULE] = "";

	if (f->code)
		python_module(f->code->file, module);
	json_put_object(w, NULL);
	json_put_string(w, "function", f->code ? f->code->name : "[unresolved]");
	json_put_string(w, "file", f->code ? f->code->file : "");
	json_put_int(w, "line", f->line);
	json_put_string(w, "kind",
			frame_kind_name(f->code ? PLOP_FRAME_PYTHON : PLOP_FRAME_SYNTHETIC));
	json_put_string(w, "module", module);
	json_put_bool(w, "compiled", f->code && f->code->compiled);
	json_put_end(w);
}

static void put_number(struct json_writer *w, const char *key, pid_t number)
{
	if (number)
		json_put_int(w, key, number);
	else
		json_put_null(w, key);
}

static void put_syscall(struct json_writer *w, const struct thread *t)
{
	const char *name = syscall_name((int)t->state.syscall);
	char number[32];

	snprintf(number, sizeof(number), "syscall %ld", t->state.syscall);
	if (!t->listed || t->state.syscall < 0)
		json_put_null(w, "syscall");
	else
		json_put_string(w, "syscall", name ? name : number);
}

/*
 * What is said of every thread; the kernel's part of it is null where it is not known which thread
 * it is.
 */
static void put_thread(struct json_writer *w, const struct thread *t, bool python)
{
	const struct proc_thread *k = t->listed;
	const char *name = k ? k->comm : NULL;

	/* the main thread is what the process is called */
	if (t->name && !(k && k->tid == t->job->pid))
		name = t->name;
	json_put_bool(w, "python", python);
	json_put_bool(w, "kernel", t->state.worker);
	put_number(w, "tid", k ? k->tid : 0);
	put_number(w, "own_tid", k ? k->own_tid : 0);
	json_put_string(w, "name", name);
	json_put_string(w, "state", k ? state_name(t->state.letter) : "unknown");
	put_syscall(w, t);
}

static const char *gil_of(const struct dump *j, size_t i, const struct thread *t)
{
	if (j->holds[i])
		return "held";
	if (t->listed && syscall_is_futex(t->state.syscall) &&
	    walker_is_gil(j->walker, &j->states.states[i], t->state.args[0]))
		return "waiting";
	return NULL;
}

static int python_thread(struct dump *j, size_t i)
{
	const struct walk_state *s = &j->states.states[i];
	struct thread t = {
		.job = j, .listed = j->thread_of[i], .name = j->names[i], .state = { .syscall = -1 }
	};
	_cleanup_walk_stack_ struct walk_stack stack = {};
	struct json_writer w;
	int r;

	r = walker_thread(j->walker, &j->states, s, thread_look, &t, &stack);
	if (r == -ENOMEM || r == -ESRCH)
		return r;
	/* one whose stack cannot be read may well run */
	if (!t.looked)
		thread_look(&t);
	if (t.ended)
		return 0;
	if (j->body.size > j->max) {
		walk_stack_done(&stack);
		stack.truncated = j->truncated = true;
	}
	w = json_elements_on(&j->body);
	json_put_object(&w, NULL);
	put_thread(&w, &t, true);
	json_put_string(&w, "gil", gil_of(j, i, &t));
	json_put_int(&w, "interpreter", s->interp_no);
	json_put_bool(&w, "readable", r == 0);
	json_put_bool(&w, "changing", stack.changing);
	json_put_bool(&w, "truncated", stack.truncated);
	json_put_array(&w, "frames");
	for (size_t n = 0; n < stack.n; n++)
		put_frame(&w, &stack.frames[n]);
	json_put_end(&w);
	json_put_end(&w);
	return j->body.error;
}

static int native_thread(struct dump *j, const struct proc_thread *k)
{
	struct thread t = { .job = j, .listed = k, .state = { .syscall = -1 } };
	struct json_writer w = json_elements_on(&j->body);

	thread_look(&t);
	if (t.ended)
		return 0;
	json_put_object(&w, NULL);
	put_thread(&w, &t, false);
	json_put_end(&w);
	return j->body.error;
}

/* Whether the process made it, so that it may be the thread of some state. */
static bool thread_is_own(const struct dump *j, const struct proc_thread *k)
{
	struct proc_thread_state state;

	return proc_thread_state_read(j->pid, k->tid, &state) < 0 || !state.worker;
}

static bool threads_same(const struct proc_threads *a, const struct proc_threads *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (a->threads[i].tid != b->threads[i].tid)
			return false;
	}
	return true;
}

/* Both lists, of one moment if that can be had. */
static int lists_read(struct dump *j)
{
	for (unsigned int i = 0; i < LISTS_TRIES; i++) {
		_cleanup_proc_threads_ struct proc_threads before = {};
		int r;

		walk_states_done(&j->states);
		proc_threads_done(&j->listed);
		r = proc_threads_read(j->pid, &before);
		if (r < 0)
			return r;
		r = walker_states(j->walker, &j->states);
		if (r < 0)
			return r;
		r = proc_threads_read(j->pid, &j->listed);
		if (r < 0)
			return r;
		if (threads_same(&before, &j->listed) && !j->states.changing)
			break;
	}
	return 0;
}

/* Which thread each state is of, and what threading calls it. */
static int threads_match(struct dump *j)
{
	int r;

	j->state_of = calloc(j->listed.n + 1, sizeof(*j->state_of));
	j->thread_of = calloc(j->states.n + 1, sizeof(*j->thread_of));
	j->holds = calloc(j->states.n + 1, sizeof(*j->holds));
	j->names = calloc(j->states.n + 1, sizeof(*j->names));
	if (!j->state_of || !j->thread_of || !j->holds || !j->names)
		return -ENOMEM;
	r = thread_names_read(&j->memory, &j->layout, j->runtime, &j->states, j->names);
	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	r = states_threads(j->walker, &j->states, &j->listed, j->thread_of);
	for (size_t i = j->states.n; i-- > 0 && r >= 0;) {
		if (j->thread_of[i])
			j->state_of[j->thread_of[i] - j->listed.threads] = i + 1;
	}
	return r;
}

/* Python's threads by tid, then those that are not known by it, then all others. */
static int threads_read(struct dump *j)
{
	_cleanup_free_ const struct proc_thread **native = calloc(j->listed.n + 1, sizeof(*native));
	size_t others = 0;
	bool own = false;
	int r = 0;

	if (!native)
		return -ENOMEM;
	for (size_t i = 0; i < j->listed.n && r >= 0; i++) {
		if (!j->state_of[i])
			native[others++] = &j->listed.threads[i];
		else
			r = python_thread(j, j->state_of[i] - 1);
	}
	for (size_t i = 0; i < others && !own; i++)
		own = thread_is_own(j, native[i]);
	/*
	 * where each thread has a state that can have one, other states have no thread: those that
	 * fork() left behind
	 */
	for (size_t i = 0; i < j->states.n && own && r >= 0; i++) {
		if (!j->thread_of[i])
			r = python_thread(j, i);
	}
	j->left_out = j->listed.beyond;
	/* the states of some were not looked at: whether they are Python's is not known */
	if (j->states.more) {
		j->left_out += others;
		return r;
	}
	for (size_t i = 0; i < others && r >= 0; i++)
		r = native_thread(j, native[i]);
	return r;
}

static int dump_read(struct dump *j)
{
	int r = walker_new(&j->memory, &j->layout, j->runtime, &j->walker);

	if (r >= 0)
		r = lists_read(j);
	if (r >= 0)
		r = threads_match(j);
	if (r < 0)
		return r;
	j->gil = walker_gil(j->walker, &j->states, j->holds);
	return threads_read(j);
}

/* Members without the braces around them; the threads are text already. */
static int dump_answer(const struct dump *j, struct buf *answer)
{
	_cleanup_free_ char *comm = NULL, *cmdline = NULL;
	int r = process_title_read(j->pid, &comm, &cmdline);
	_cleanup_buf_ struct buf b = {};
	struct json_writer w = json_writer_on(&b);

	json_put_object(&w, NULL);
	json_put_string(&w, "comm", r < 0 ? "" : comm);
	json_put_string(&w, "cmdline", r < 0 ? "" : cmdline);
	json_put_string(&w, "gil", gil_name(j->gil));
	json_put_uint(&w, "interpreters", j->states.interpreters);
	json_put_bool(&w, "changing", j->states.changing);
	json_put_bool(&w, "truncated", j->truncated || j->states.more || j->left_out > 0);
	json_put_uint(&w, "left_out", j->left_out);
	json_put_end(&w);
	r = json_writer_done(&w);
	if (r < 0)
		return r;
	buf_append(answer, b.data + 1, b.size - 2);
	buf_puts(answer, ",\"threads\":[");
	pack_bytes(answer, j->body.data, j->body.size);
	buf_puts(answer, "]");
	return 0;
}

void examine_dump(struct buf *request, const struct plop_layout *l, uint64_t runtime, uint32_t max)
{
	examine_threads(request, l, runtime);
	pack_u32(request, max);
}

int serve_dump(struct served *s, pid_t pid, struct unpack *request, struct buf *answer)
{
	_cleanup_(dump_done) struct dump j = { .pid = pid, .memory = process_memory_reader(pid) };
	int r;

	unpack_bytes(request, &j.layout, sizeof(j.layout));
	unpack_bytes(request, &j.runtime, sizeof(j.runtime));
	j.max = unpack_u32(request);
	r = request->error ? request->error : dump_read(&j);
	return r < 0 ? r : dump_answer(&j, answer);
}

int examined_members(struct unpack *body, const char **ret_text, size_t *ret_size)
{
	size_t size = body->size;
	const char *text = unpack_take(body, size);

	if (!text || size == 0)
		return -EBADMSG;
	*ret_text = text;
	*ret_size = size;
	return 0;
}
