/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/synthetic.h"
#include "profile/symbolizer.h"
#include "python/code_pool.h"
#include "util/array.h"
#include "util/index.h"

/*
 * What frames may keep of code objects that their tables have forgotten, counted once for each
 * frame, if nothing else is said.
 */
#define SINK_BYTES (8u << 20)

/* (code object, instruction) -> frame id of the sink's dict. */
struct frame_entry {
	struct code_object *code;
	uint32_t instr;
	uint32_t frame;
};

struct sink {
	struct profile *profile;
	struct code_pool *pool; /* borrowed; NULL: none */
	bool states, tasks;
	uint32_t ntasks; /* different names of tasks so far */
	struct frame_entry *entries;
	uint32_t nentries, entries_room;
	struct index index;  /* of entries */
	size_t bytes, bound; /* of the code objects of all entries */
	uint32_t ids[PLOP_MAX_DEPTH + 3];
};

int sink_new(uint64_t start_ns, uint32_t hz, struct sink **ret)
{
	_cleanup_(sink_freep) struct sink *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->bound = SINK_BYTES;
	r = profile_new(start_ns, hz, &s->profile);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

/* The dict has the frames; only looking them up gets slower. */
static void sink_forget(struct sink *s)
{
	struct code_goers goers;

	code_goers_begin(&goers, s->pool, s->nentries);
	for (uint32_t i = 0; i < s->nentries; i++)
		code_goers_add(&goers, s->entries[i].code);
	code_goers_end(&goers);
	free(s->entries);
	s->entries = NULL;
	s->nentries = s->entries_room = 0;
	index_done(&s->index);
	s->bytes = 0;
}

void sink_free(struct sink *s)
{
	if (!s)
		return;
	sink_forget(s);
	profile_free(s->profile);
	free(s);
}

void sink_share(struct sink *s, struct code_pool *pool)
{
	s->pool = pool;
}

void sink_keep_states(struct sink *s)
{
	s->states = true;
}

void sink_keep_tasks(struct sink *s)
{
	s->tasks = true;
}

void sink_bound(struct sink *s, size_t bytes)
{
	s->bound = bytes;
}

void sink_settle(struct sink *s)
{
	sink_forget(s);
}

size_t sink_bytes(const struct sink *s)
{
	return sizeof(*s) + s->entries_room * sizeof(*s->entries) + index_bytes(&s->index) +
	       s->bytes + profile_bytes(s->profile);
}

struct profile *sink_profile(struct sink *s)
{
	return s->profile;
}

struct profile *sink_take(struct sink *s)
{
	struct profile *p = TAKE_PTR(s->profile);

	sink_free(s);
	return p;
}

static bool find_entry(const struct sink *s, const struct code_object *code, uint32_t instr,
		       uint32_t hash, uint32_t *ret)
{
	uint32_t i;

	for (uint32_t at = index_start(&s->index, hash); index_next(&s->index, hash, &at, &i);) {
		if (s->entries[i].code == code && s->entries[i].instr == instr) {
			*ret = s->entries[i].frame;
			return true;
		}
	}
	return false;
}

/* The frame of a code object, or of what stands for a frame that has none. */
static int sink_frame(struct sink *s, enum plop_frame_kind kind, struct code_object *code,
		      uint32_t instr, uint16_t bytecode, uint32_t *ret)
{
	const struct dict_function f = { .name = code->name,
					 .module = "",
					 .file = code->file,
					 .line = code->firstlineno,
					 .kind = kind };
	uint32_t function, hash = index_hash((uintptr_t)code, instr);
	struct dict *d = s->profile->dict;
	void *array;
	int r;

	if (s->bytes > s->bound)
		sink_forget(s);
	if (find_entry(s, code, instr, hash, ret))
		return 0;
	array = s->entries;
	r = index_reserve(&s->index, 1);
	if (r == 0)
		r = array_reserve(&array, s->nentries, &s->entries_room, sizeof(*s->entries));
	if (r < 0)
		return r;
	s->entries = array;
	r = dict_function(d, &f, &function);
	if (r < 0)
		return r;
	r = dict_frame(
		d, function,
		code->compiled ? DICT_LINE_COMPILED : code_object_line(code, instr, bytecode), ret);
	if (r < 0)
		return r;
	index_add(&s->index, hash, s->nentries);
	s->entries[s->nentries++] = (struct frame_entry){ code_object_ref(code), instr, *ret };
	s->bytes += sizeof(*s->entries) + code_object_bytes(code);
	return 0;
}

static int sink_synthetic(struct sink *s, const char *name, uint32_t *ret)
{
	return dict_synthetic(s->profile->dict, name, ret);
}

/* The frame of a task that has a name, of which there may be one for each task. */
static int sink_task(struct sink *s, struct code_object *code, uint16_t bytecode, uint32_t *ret)
{
	struct dict *d = s->profile->dict;
	uint32_t before = dict_functions(d);
	bool full = s->ntasks >= PLOP_MAX_TASK_NAMES;
	int r;

	if (full)
		dict_freeze(d, true);
	r = sink_frame(s, PLOP_FRAME_SYNTHETIC, code, 0, bytecode, ret);
	if (full)
		dict_freeze(d, false);
	s->ntasks += dict_functions(d) - before;
	return r == -ENOSPC ? sink_synthetic(s, "[other tasks]", ret) : r;
}

static bool is_named_task(const struct plop_frame *f)
{
	return plop_frame_kind(f->code) == PLOP_FRAME_SYNTHETIC &&
	       PLOP_SYNTHETIC_WHAT(f->code) == PLOP_SYNTHETIC_NAMED;
}

/* The frames of a stack, root first, in s->ids. Returns how many. */
static int sink_frames(struct sink *s, const struct symbolized_stack *y)
{
	const struct plop_stack *k = y->stack;
	uint32_t n = 0, from, to;
	int r = 0;

	if (k->depth > PLOP_MAX_DEPTH)
		return -E2BIG;
	if (k->flags & PLOP_STACK_TRUNCATED)
		r = sink_synthetic(s, "[truncated]", &s->ids[n++]);
	else if (k->flags & PLOP_STACK_NO_THREAD)
		r = sink_synthetic(s, "[native thread]", &s->ids[n++]);
	else if (k->flags & PLOP_STACK_WORKER)
		r = sink_synthetic(s, "[kernel worker]", &s->ids[n++]);
	else if (k->flags & PLOP_STACK_FINALISED)
		r = sink_synthetic(s, "[interpreter finalised]", &s->ids[n++]);
	else if (k->flags & PLOP_STACK_DUMPING)
		r = sink_synthetic(s, "[dumping core]", &s->ids[n++]);
	else if (k->flags & PLOP_STACK_NO_INTERP)
		r = sink_synthetic(s, "[interpreter starting]", &s->ids[n++]);
	else if (k->flags & PLOP_STACK_NO_FRAME)
		r = sink_synthetic(s, "[no Python frame]", &s->ids[n++]);
	else if (k->flags & PLOP_STACK_EXITING)
		r = sink_synthetic(s, "[exec or exit]", &s->ids[n++]);
	synthetic_find(y->frames, s->tasks ? 0 : k->depth, &from, &to);
	for (uint32_t i = k->depth; i-- > 0 && r >= 0;) {
		if ((i >= from && i < to) || (y->codes[i] && code_object_hidden(y->codes[i])))
			continue;
		if (y->codes[i] && is_named_task(&y->frames[i]))
			r = sink_task(s, y->codes[i], y->bytecode, &s->ids[n++]);
		else if (y->codes[i])
			r = sink_frame(s, plop_frame_kind(y->frames[i].code), y->codes[i],
				       y->frames[i].instr, y->bytecode, &s->ids[n++]);
		else
			r = sink_synthetic(
				s, y->sources[i] == CODE_STALE ? "[stale code]" : "[unresolved]",
				&s->ids[n++]);
	}
	return r < 0 ? r : (int)n;
}

static enum sample_state stack_state(const struct sink *s, const struct plop_stack *k)
{
	if (!s->states)
		return SAMPLE_PLAIN;
	return k->flags & PLOP_STACK_GIL_HELD     ? SAMPLE_GIL_HELD :
	       k->flags & PLOP_STACK_GIL_RELEASED ? SAMPLE_GIL_RELEASED :
						    SAMPLE_PLAIN;
}

int sink_add(struct sink *s, uint32_t process, const struct symbolized_stack *y)
{
	const struct plop_stack *k = y->stack;
	int n = sink_frames(s, y), r;
	uint32_t id;

	if (n < 0)
		return n;
	r = dict_stack(s->profile->dict, s->ids, (uint32_t)n, &id);
	return r < 0 ? r :
		       profile_add_state(s->profile, process, k->tid, id, stack_state(s, k),
					 k->count, 0);
}

int sink_add_known(struct sink *s, uint32_t process, const struct symbolized_stack *y)
{
	int r;

	dict_freeze(s->profile->dict, true);
	r = sink_add(s, process, y);
	dict_freeze(s->profile->dict, false);
	return r;
}

int sink_stack(struct sink *s, const struct symbolized_stack *y, uint32_t *ret)
{
	int n = sink_frames(s, y);

	return n < 0 ? n : dict_stack(s->profile->dict, s->ids, (uint32_t)n, ret);
}

int sink_named_stack(struct sink *s, const char *root, const struct named_frame *frames, uint32_t n,
		     uint32_t *ret)
{
	struct dict *d = s->profile->dict;
	uint32_t k = 0, function;
	int r = n > PLOP_MAX_DEPTH ? -E2BIG : 0;

	if (r >= 0 && root)
		r = sink_synthetic(s, root, &s->ids[k++]);
	for (uint32_t i = n; i-- > 0 && r >= 0;) {
		const struct dict_function f = { .name = frames[i].name,
						 .module = "",
						 .file = frames[i].file,
						 .line = frames[i].firstlineno,
						 .kind = frames[i].kind };

		r = dict_function(d, &f, &function);
		if (r >= 0)
			r = dict_frame(d, function, frames[i].line, &s->ids[k++]);
	}
	return r < 0 ? r : dict_stack(d, s->ids, k, ret);
}

int sink_add_wait(struct sink *s, uint32_t process, uint32_t thread, uint32_t stack,
		  enum sample_state state, const char *leaf, uint64_t ns)
{
	const struct dict_stack *k;
	uint32_t n = 0, id;
	int r;

	if (stack != SINK_NO_STACK) {
		k = dict_get_stack(s->profile->dict, stack);
		n = MIN(k->depth, (uint32_t)ARRAY_SIZE(s->ids) - 1);
		/* the leaf-most, should there be too many */
		memcpy(s->ids, k->frames + (k->depth - n), n * sizeof(*s->ids));
	}
	r = sink_synthetic(s, leaf, &s->ids[n++]);
	if (r >= 0)
		r = dict_stack(s->profile->dict, s->ids, n, &id);
	return r < 0 ? r : profile_add_state(s->profile, process, thread, id, state, 0, ns);
}
