/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/symbolizer.h"

/* Open addressing, linear probing, load at most 3/4. Keys are (address, check); there are no deletions. */
struct code_entry {
	uint64_t address;
	uint32_t check;
	uint32_t confirmed; /* the cycle in which it was last wanted, or found to be still there */
	bool stale;         /* ... it was not there any more */
	bool captured;
	bool failed;   /* neither source had it; asked again only when a record comes */
	uint32_t seen; /* the table's clock when it was last asked for */
	struct code_object *code;
};

struct code_table {
	struct plop_layout layout;
	struct code_entry *entries;
	uint32_t used, size; /* size: a power of two */
	uint32_t clock;      /* counts entries made */
	size_t bytes;        /* of the code objects */
	/* settled code objects of this cycle's stacks, to be confirmed; entries move, addresses do not */
	uint32_t cycle;
	struct plop_frame *wanted;
	uint32_t nwanted, wanted_size;
};

/* What a window's frames may keep of code objects that their tables have forgotten, counted once for each frame. */
#define SINK_BYTES (8u << 20)

static uint64_t hash2(uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ (b << 32 | b >> 32)) * UINT64_C(0x9e3779b97f4a7c15);

	return (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> 16;
}

int code_table_new(const struct plop_layout *layout, struct code_table **ret)
{
	struct code_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->layout = *layout;
	*ret = t;
	return 0;
}

/* Near enough: malloc() adds a word to each, and rounds up. */
static size_t code_bytes(const struct code_object *c)
{
	return sizeof(*c) + strlen(c->file) + strlen(c->name) + c->linetable_size + 64 +
	       (c->copied ? 64 * sizeof(*c->copies) : 0);
}

static void code_table_clear(struct code_table *t)
{
	for (uint32_t i = 0; i < t->size; i++)
		code_object_unref(t->entries[i].code);
	free(t->entries);
	t->entries = NULL;
	t->used = t->size = t->nwanted = 0;
	t->bytes = 0;
}

void code_table_free(struct code_table *t)
{
	if (!t)
		return;
	code_table_clear(t);
	free(t->wanted);
	free(t);
}

size_t code_table_bytes(const struct code_table *t)
{
	return t->bytes + t->size * sizeof(*t->entries);
}

static struct code_entry *code_slot(struct code_entry *entries, uint32_t size, uint64_t address,
				    uint32_t check)
{
	uint32_t i = (uint32_t)hash2(address, check) & (size - 1);

	while (entries[i].address && (entries[i].address != address || entries[i].check != check))
		i = (i + 1) & (size - 1);
	return &entries[i];
}

/* Moves to a table of that size; entries that were last seen before the last recent ones were made are forgotten. */
static int code_table_move(struct code_table *t, uint32_t size, uint32_t recent)
{
	struct code_entry *entries = calloc(size, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->size; i++) {
		struct code_entry *e = &t->entries[i];

		if (!e->address)
			continue;
		if (t->clock - e->seen <= recent) {
			*code_slot(entries, size, e->address, e->check) = *e;
			continue;
		}
		if (e->code)
			t->bytes -= code_bytes(e->code);
		code_object_unref(e->code);
		t->used--;
	}
	free(t->entries);
	t->entries = entries;
	t->size = size;
	return 0;
}

void code_table_limit(struct code_table *t, size_t bytes)
{
	if (t->used < PLOP_MAX_CODES_PROCESS && code_table_bytes(t) <= bytes)
		return;
	if (code_table_move(t, t->size, t->used / 2) < 0 ||
	    t->used > PLOP_MAX_CODES_PROCESS / 4 * 3 || t->bytes > bytes / 4 * 3) {
		code_table_clear(t);
		return;
	}
	while (t->size > 64 && t->used < t->size / 4) {
		if (code_table_move(t, t->size / 2, UINT32_MAX) < 0)
			break;
	}
}

/* The entry of (address, check), a new one if need be; NULL: out of memory. */
static struct code_entry *code_entry(struct code_table *t, uint64_t address, uint32_t check)
{
	struct code_entry *e;

	if (t->used >= t->size / 4 * 3 &&
	    code_table_move(t, t->size ? t->size * 2 : 64, UINT32_MAX) < 0)
		return NULL;
	e = code_slot(t->entries, t->size, address, check);
	if (!e->address) {
		e->address = address;
		e->check = check;
		t->used++;
		t->clock++;
	}
	e->seen = t->clock;
	return e;
}

/* c is taken over. */
static void code_entry_set(struct code_table *t, struct code_entry *e, struct code_object *c,
			   bool captured)
{
	e->code = c;
	e->captured = captured;
	t->bytes += code_bytes(c);
}

/* Between two calls of code_table_limit() more may come, but not without end. */
static bool code_table_full(const struct code_table *t)
{
	return t->bytes > 2 * PLOP_MAX_CODE_BYTES;
}

/* Makes a code object of what the kernel captured; -ENODATA: file or name are missing altogether. */
static int code_from_record(const struct plop_layout *l, const struct plop_record_code *r,
			    struct code_object **ret)
{
	struct python_string file = { .data = r->data,
				      .bytes = r->file_bytes,
				      .length = r->file_length };
	struct python_string name = { .data = r->data + r->file_bytes,
				      .bytes = r->name_bytes,
				      .length = r->name_length };
	int k;

	if (r->faults & (PLOP_FAULT_FILE | PLOP_FAULT_NAME))
		return -ENODATA;
	k = python_string_state(l, r->file_state, &file.kind, &file.ascii);
	if (k < 0)
		return k;
	k = python_string_state(l, r->name_state, &name.kind, &name.ascii);
	if (k < 0)
		return k;
	return code_object_new(l, r->firstlineno, &file, &name,
			       r->data + r->file_bytes + r->name_bytes, r->linetable_bytes,
			       r->faults & PLOP_FAULT_LINETABLE ? UINT32_MAX : r->linetable_size,
			       ret);
}

int code_table_record(struct code_table *t, const struct reader *memory,
		      const struct plop_record_code *r)
{
	_cleanup_(code_object_unrefp) struct code_object *captured = NULL, *whole = NULL;
	struct code_entry *e = code_entry(t, r->code, r->check);
	uint32_t check;

	if (!e)
		return -ENOMEM;
	if (e->code || code_table_full(t))
		return 0;
	if (code_from_record(&t->layout, r, &captured) == -ENOMEM)
		return -ENOMEM;
	/* the record is enough unless something was cut; then the target, while it is there, has the rest */
	if ((!captured || captured->name_cut || captured->linetable_cut) &&
	    code_object_read(memory, &t->layout, r->code, &whole, &check) == 0 && check == r->check)
		code_entry_set(t, e, TAKE_PTR(whole), false);
	else if (captured)
		code_entry_set(t, e, TAKE_PTR(captured), true);
	e->failed = !e->code;
	return 0;
}

int code_table_want(struct code_table *t, uint32_t cycle, const struct plop_frame *frames,
		    uint32_t n)
{
	t->cycle = cycle;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t check = frames[i].check & ~PLOP_CHECK_SETTLED;
		struct code_entry *e;

		if (check == frames[i].check || t->size == 0)
			continue;
		e = code_slot(t->entries, t->size, frames[i].code, check);
		/* one that is not in the table is read, and thereby confirmed, by code_table_find() */
		if (!e->address || e->confirmed == cycle)
			continue;
		if (t->nwanted == t->wanted_size) {
			uint32_t size = t->wanted_size ? t->wanted_size * 2 : 64;
			struct plop_frame *grown =
				reallocarray(t->wanted, size, sizeof(*t->wanted));

			if (!grown)
				return -ENOMEM;
			t->wanted = grown;
			t->wanted_size = size;
		}
		t->wanted[t->nwanted++] =
			(struct plop_frame){ .code = frames[i].code, .check = check };
		e->confirmed = cycle;
		e->stale = false;
	}
	return 0;
}

/* Whether the interpreter is on its way out, or cannot be asked any more. Up to 3.6 its list's end says so. */
static bool is_finalising(const struct plop_layout *l, const struct reader *memory,
			  uint64_t runtime)
{
	uint64_t word;

	if (reader_u64(memory,
		       runtime + (l->runtime_finalizing ? l->runtime_finalizing :
							  l->runtime_interpreters_head),
		       &word) < 0)
		return true;
	return l->runtime_finalizing ? word != 0 : word == 0;
}

int code_table_confirm(struct code_table *t, const struct reader *memory, uint64_t runtime,
		       void (*forget)(uint64_t address, void *ctx), void *ctx)
{
	_cleanup_free_ struct code_check *now = NULL;
	_cleanup_free_ uint64_t *addresses = NULL;
	uint32_t n = t->nwanted;
	int r;

	t->nwanted = 0;
	if (n == 0)
		return 0;
	now = calloc(n, sizeof(*now));
	addresses = calloc(n, sizeof(*addresses));
	if (!now || !addresses)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		addresses[i] = t->wanted[i].code;
	r = code_objects_check(memory, &t->layout, addresses, n, now);
	if (r < 0)
		return r;
	/* asked after: whatever was freed before it began to is told apart */
	if (is_finalising(&t->layout, memory, runtime))
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		struct code_entry *e =
			code_slot(t->entries, t->size, addresses[i], t->wanted[i].check);

		/* of a process that is gone nothing can be confirmed, nor was anything freed while it ran */
		if (!e->address || now[i].result == -ESRCH ||
		    (now[i].result == 0 && now[i].check == t->wanted[i].check))
			continue;
		e->stale = true;
		forget(addresses[i], ctx);
	}
	return 0;
}

struct code_object *code_table_find(struct code_table *t, const struct reader *memory,
				    const struct plop_frame *f, enum code_source *ret_source)
{
	_cleanup_(code_object_unrefp) struct code_object *code = NULL;
	struct code_entry *e;
	uint32_t check = f->check & ~PLOP_CHECK_SETTLED;

	*ret_source = CODE_UNKNOWN;

	if (!f->code)
		return NULL;
	/*
	 * The code object's own page was not there at the tick: what is there now is taken only when this address was seen
	 * with the same check before, or for the first time.
	 */
	if (check == 0 && code_object_check(memory, &t->layout, f->code, &check) < 0)
		return NULL;
	e = code_entry(t, f->code, check);
	if (!e)
		return NULL;
	if (check != f->check && e->confirmed == t->cycle && e->stale) {
		*ret_source = CODE_STALE;
		return NULL;
	}
	if (!e->code && !e->failed && !code_table_full(t)) {
		uint32_t now;

		if (code_object_read(memory, &t->layout, f->code, &code, &now) == 0 && now == check)
			code_entry_set(t, e, TAKE_PTR(code), false);
		else
			e->failed = true;
	}
	if (e->code && e->code->copied)
		code_object_find_copy(memory, &t->layout, f->code, check, f->instr, e->code);
	if (e->code)
		*ret_source = e->captured ? CODE_CAPTURED : CODE_READ;
	return e->code;
}

/* (code object, instruction) -> frame id of the sink's dict. */
struct frame_entry {
	struct code_object *code;
	uint32_t instr;
	uint32_t frame;
};

struct sink {
	struct profile *profile;
	bool states;
	struct frame_entry *entries;
	uint32_t used, size;
	size_t bytes; /* of the code objects of all entries */
	uint32_t ids[PLOP_MAX_DEPTH + 3];
};

int sink_new(uint64_t start_ns, uint32_t hz, struct sink **ret)
{
	_cleanup_(sink_freep) struct sink *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	r = profile_new(start_ns, hz, &s->profile);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

/* The dict has the frames; only looking them up gets slower. */
static void sink_forget(struct sink *s)
{
	for (uint32_t i = 0; i < s->size; i++)
		code_object_unref(s->entries[i].code);
	free(s->entries);
	s->entries = NULL;
	s->used = s->size = 0;
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

void sink_keep_states(struct sink *s)
{
	s->states = true;
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

static struct frame_entry *frame_slot(struct frame_entry *entries, uint32_t size,
				      const struct code_object *code, uint32_t instr)
{
	uint32_t i = (uint32_t)hash2((uintptr_t)code, instr) & (size - 1);

	while (entries[i].code && (entries[i].code != code || entries[i].instr != instr))
		i = (i + 1) & (size - 1);
	return &entries[i];
}

static int sink_grow(struct sink *s)
{
	uint32_t size = s->size ? s->size * 2 : 256;
	struct frame_entry *grown = calloc(size, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->size; i++) {
		if (s->entries[i].code)
			*frame_slot(grown, size, s->entries[i].code, s->entries[i].instr) =
				s->entries[i];
	}
	free(s->entries);
	s->entries = grown;
	s->size = size;
	return 0;
}

static int sink_frame(struct sink *s, struct code_object *code, uint32_t instr, uint16_t bytecode,
		      uint32_t *ret)
{
	struct dict *d = s->profile->dict;
	struct frame_entry *e;
	uint32_t function;
	int r;

	if (s->bytes > SINK_BYTES)
		sink_forget(s);
	if (s->used >= s->size / 4 * 3) {
		r = sink_grow(s);
		if (r < 0)
			return r;
	}
	e = frame_slot(s->entries, s->size, code, instr);
	if (!e->code) {
		r = dict_function(d, code->name, code->file, code->firstlineno, &function);
		if (r < 0)
			return r;
		r = dict_frame(d, function, code_object_line(code, instr, bytecode), &e->frame);
		if (r < 0)
			return r;
		e->instr = instr;
		e->code = code_object_ref(code);
		s->bytes += sizeof(*e) + code_bytes(code);
		s->used++;
	}
	*ret = e->frame;
	return 0;
}

static int sink_pseudo(struct sink *s, const char *name, uint32_t *ret)
{
	uint32_t function;
	int r = dict_function(s->profile->dict, name, "", 0, &function);

	return r < 0 ? r : dict_frame(s->profile->dict, function, 0, ret);
}

/* The frames of a stack, root first, in s->ids. Returns how many. */
static int sink_frames(struct sink *s, const struct symbolized_stack *y)
{
	const struct plop_stack *k = y->stack;
	uint32_t n = 0;
	int r = 0;

	if (k->depth > PLOP_MAX_DEPTH)
		return -E2BIG;
	if (k->flags & PLOP_STACK_TRUNCATED)
		r = sink_pseudo(s, "[truncated]", &s->ids[n++]);
	else if (k->flags & PLOP_STACK_NO_THREAD)
		r = sink_pseudo(s, "[native thread]", &s->ids[n++]);
	else if (k->flags & PLOP_STACK_FINALISED)
		r = sink_pseudo(s, "[interpreter finalised]", &s->ids[n++]);
	else if (k->flags & PLOP_STACK_DUMPING)
		r = sink_pseudo(s, "[dumping core]", &s->ids[n++]);
	else if (k->flags & PLOP_STACK_NO_INTERP)
		r = sink_pseudo(s, "[interpreter starting]", &s->ids[n++]);
	else if (k->flags & PLOP_STACK_NO_FRAME)
		r = sink_pseudo(s, "[no Python frame]", &s->ids[n++]);
	else if (k->flags & PLOP_STACK_EXITING)
		r = sink_pseudo(s, "[exec or exit]", &s->ids[n++]);
	for (uint32_t i = k->depth; i-- > 0 && r >= 0;) {
		if (y->codes[i] && code_object_hidden(y->codes[i]))
			continue;
		if (y->codes[i])
			r = sink_frame(s, y->codes[i], y->frames[i].instr, y->bytecode,
				       &s->ids[n++]);
		else
			r = sink_pseudo(
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

int sink_stack(struct sink *s, const struct symbolized_stack *y, uint32_t *ret)
{
	int n = sink_frames(s, y);

	return n < 0 ? n : dict_stack(s->profile->dict, s->ids, (uint32_t)n, ret);
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
	r = sink_pseudo(s, leaf, &s->ids[n++]);
	if (r >= 0)
		r = dict_stack(s->profile->dict, s->ids, n, &id);
	return r < 0 ? r : profile_add_state(s->profile, process, thread, id, state, 0, ns);
}
