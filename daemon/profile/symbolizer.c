/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/synthetic.h"
#include "profile/symbolizer.h"
#include "python/code_pool.h"
#include "util/array.h"
#include "util/index.h"

/* By (address, fingerprint). */
struct code_entry {
	uint64_t address; /* MARK as fingerprint: what was met there in a cycle, see mark_loose() */
	uint32_t fingerprint;
	uint32_t confirmed; /* the cycle in which it was last wanted, or found to be still there */
	bool stale;         /* ... it was not there any more, or nobody could say so */
	bool captured;
	bool partial;    /* captured, but not all of it: the target has the rest */
	bool failed;     /* neither source had it; asked again only when a record comes */
	uint32_t missed; /* the cycle in which it was last noted as missing */
	uint32_t seen;   /* the table's clock when it was last asked for */
	union {
		uint32_t loose; /* of a mark: the fingerprint that was met */
		uint32_t bytes; /* of others: what their code object takes */
	};
	struct code_object *code;
};

/* Frames whose code object something is to be done with. */
struct frame_list {
	struct plop_frame *frames;
	uint32_t n, size;
};

struct code_table {
	struct plop_layout layout;
	struct code_pool *pool; /* borrowed; NULL: none */
	struct code_entry *entries;
	uint32_t nentries, entries_room;
	struct index index; /* of entries */
	uint32_t clock;     /* counts entries made */
	size_t bytes;       /* of the code objects */
	uint32_t cycle;
	/*
	 * Of this cycle's stacks: code objects that are to be confirmed, and those to be read.
	 * Entries move, addresses do not.
	 */
	struct frame_list wanted, missing;
	bool unnoted; /* there was no memory for all of them */
};

int code_table_new(const struct plop_layout *layout, struct code_table **ret)
{
	struct code_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->layout = *layout;
	*ret = t;
	return 0;
}

void code_table_share(struct code_table *t, struct code_pool *pool)
{
	t->pool = pool;
}

size_t code_object_bytes(const struct code_object *c)
{
	return code_object_name_bytes(c) + code_object_line_bytes(c) +
	       (c->copied ? 64 * sizeof(*c->copies) : 0);
}

static void code_table_clear(struct code_table *t)
{
	struct code_goers goers;

	code_goers_begin(&goers, t->pool, t->nentries);
	for (uint32_t i = 0; i < t->nentries; i++)
		code_goers_add(&goers, t->entries[i].code);
	code_goers_end(&goers);
	free(t->entries);
	t->entries = NULL;
	t->nentries = t->entries_room = t->wanted.n = t->missing.n = 0;
	index_done(&t->index);
	t->bytes = 0;
}

void code_table_free(struct code_table *t)
{
	if (!t)
		return;
	code_table_clear(t);
	free(t->wanted.frames);
	free(t->missing.frames);
	free(t);
}

size_t code_table_bytes(const struct code_table *t)
{
	return t->bytes + code_table_own_bytes(t);
}

size_t code_table_own_bytes(const struct code_table *t)
{
	return t->entries_room * sizeof(*t->entries) + index_bytes(&t->index) +
	       (t->wanted.size + t->missing.size) * sizeof(struct plop_frame);
}

/* NULL: there is none. */
static struct code_entry *code_lookup(const struct code_table *t, uint64_t address,
				      uint32_t fingerprint)
{
	uint32_t hash = index_hash(address, fingerprint), i;

	for (uint32_t at = index_start(&t->index, hash); index_next(&t->index, hash, &at, &i);) {
		if (t->entries[i].address == address && t->entries[i].fingerprint == fingerprint)
			return &t->entries[i];
	}
	return NULL;
}

/*
 * Forgets the entries that were last seen before the last recent ones were made, and gives back
 * their memory.
 */
static int code_table_forget(struct code_table *t, uint32_t recent)
{
	uint32_t all = t->nentries, n = 0;
	struct code_goers goers;
	struct index index = {};
	void *shrunk;

	for (uint32_t i = 0; i < all; i++)
		n += t->clock - t->entries[i].seen <= recent;
	if (index_reserve(&index, n) < 0)
		return -ENOMEM;
	t->nentries = 0;
	code_goers_begin(&goers, t->pool, all - n);
	for (uint32_t i = 0; i < all; i++) {
		struct code_entry e = t->entries[i];

		if (t->clock - e.seen <= recent) {
			index_add(&index, index_hash(e.address, e.fingerprint), t->nentries);
			t->entries[t->nentries++] = e;
			continue;
		}
		if (e.code)
			t->bytes -= e.bytes;
		code_goers_add(&goers, e.code);
	}
	code_goers_end(&goers);
	index_done(&t->index);
	t->index = index;
	shrunk = n > 0 ? reallocarray(t->entries, n, sizeof(*t->entries)) : NULL;
	if (shrunk) {
		t->entries = shrunk;
		t->entries_room = n;
	}
	return 0;
}

void code_table_limit(struct code_table *t, size_t bytes)
{
	if (t->nentries < PLOP_MAX_CODES_PROCESS && code_table_bytes(t) <= bytes)
		return;
	if (code_table_forget(t, t->nentries / 2) < 0 ||
	    t->nentries > PLOP_MAX_CODES_PROCESS / 4 * 3 || t->bytes > bytes / 4 * 3)
		code_table_clear(t);
}

/* The entry of (address, fingerprint), a new one if need be; NULL: out of memory. */
static struct code_entry *code_entry(struct code_table *t, uint64_t address, uint32_t fingerprint)
{
	struct code_entry *e = code_lookup(t, address, fingerprint);
	void *array = t->entries;

	if (!e) {
		if (index_reserve(&t->index, 1) < 0 ||
		    array_reserve(&array, t->nentries, &t->entries_room, sizeof(*t->entries)) < 0)
			return NULL;
		t->entries = array;
		index_add(&t->index, index_hash(address, fingerprint), t->nentries);
		e = &t->entries[t->nentries++];
		*e = (struct code_entry){ .address = address, .fingerprint = fingerprint };
		t->clock++;
	}
	e->seen = t->clock;
	return e;
}

/* c is taken over, in place of what was there. */
static void code_entry_set(struct code_table *t, struct code_entry *e, struct code_object *c,
			   bool captured)
{
	if (e->code)
		t->bytes -= e->bytes;
	code_object_unref(e->code);
	if (t->pool)
		c = code_pool_share(t->pool, c);
	e->code = c;
	e->captured = captured;
	/* of names and a line table with maxima */
	e->bytes = (uint32_t)code_object_bytes(c);
	t->bytes += e->bytes;
}

/*
 * Between two calls of code_table_limit() more may come, but not without end: neither for one nor
 * for all.
 */
static bool code_table_full(const struct code_table *t)
{
	size_t all = t->pool ? t->pool->name_bytes + t->pool->line_bytes : 0;

	return MAX(t->bytes, all) > 2 * PLOP_MAX_CODE_BYTES;
}

/*
 * Makes a code object of what the kernel captured; -ENODATA: file or name are missing altogether.
 */
static int code_from_record(const struct plop_layout *l, const struct code_pool *pool,
			    const struct plop_record_code *record, struct code_object **ret)
{
	const uint8_t *table = record->data + record->file_bytes + record->name_bytes;
	struct python_string file = { .data = record->data,
				      .bytes = record->file_bytes,
				      .length = record->file_length };
	struct python_string name = { .data = record->data + record->file_bytes,
				      .bytes = record->name_bytes,
				      .length = record->name_length };
	int r;

	if (record->faults & (PLOP_FAULT_FILE | PLOP_FAULT_NAME))
		return -ENODATA;
	r = python_string_state(l, record->file_state, &file.kind, &file.ascii);
	if (r < 0)
		return r;
	r = python_string_state(l, record->name_state, &name.kind, &name.ascii);
	if (r < 0)
		return r;
	if (pool && !record->faults && !l->code_tlbc &&
	    record->linetable_bytes == record->linetable_size) {
		*ret = code_pool_find(pool, l, record->firstlineno, &file, &name, table,
				      record->linetable_bytes);
		if (*ret)
			return 0;
	}
	return code_object_new(
		l, record->firstlineno, &file, &name, table, record->linetable_bytes,
		record->faults & PLOP_FAULT_LINETABLE ? UINT32_MAX : record->linetable_size, ret);
}

int code_table_record(struct code_table *t, const struct reader *memory,
		      const struct plop_record_code *record)
{
	_cleanup_(code_object_unrefp) struct code_object *captured = NULL, *whole = NULL;
	struct code_entry *e = code_entry(t, record->code, record->fingerprint);
	uint32_t fingerprint = record->fingerprint;
	int r = 0;

	if (!e)
		return -ENOMEM;
	if (e->code || code_table_full(t))
		return 0;
	if (code_from_record(&t->layout, t->pool, record, &captured) == -ENOMEM)
		return -ENOMEM;
	/*
	 * the record is enough unless something was cut; then the target, while it is there, has
	 * the rest
	 */
	if (!captured || captured->name_cut || captured->linetable_cut)
		r = code_object_read(memory, &t->layout, record->code, &whole, &fingerprint);
	if (whole && fingerprint == record->fingerprint)
		code_entry_set(t, e, TAKE_PTR(whole), false);
	else if (captured)
		code_entry_set(t, e, TAKE_PTR(captured), true);
	e->partial = e->captured && r == -EAGAIN;
	e->failed = !e->code && r != -EAGAIN;
	return 0;
}

bool code_table_lacks(const struct code_table *t, uint64_t address, uint32_t fingerprint)
{
	const struct code_entry *e = code_lookup(t, address, fingerprint);

	return e && (e->partial || (!e->code && !e->failed));
}

/* Gives a synthetic frame, its code, what stands for it; text is its name. */
static int code_table_synthetic(struct code_table *t, uint64_t code, const char *text)
{
	struct code_entry *e = code_entry(t, code, 0);
	struct code_object *c;

	if (!e)
		return -ENOMEM;
	if (e->code)
		return 0;
	c = code_object_synthetic(text);
	if (!c)
		return -ENOMEM;
	code_entry_set(t, e, c, false);
	return 0;
}

int code_table_task(struct code_table *t, const struct plop_record_task *record)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (code_table_full(t))
		return 0;
	r = synthetic_text_named(&t->layout, record, &text);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return code_table_synthetic(t, record->code, text);
}

/*
 * What stands for a synthetic frame, whose name was in a record, if it has one that its code does
 * not tell.
 */
static struct code_object *code_table_find_synthetic(struct code_table *t, uint64_t code,
						     enum code_source *ret_source)
{
	_cleanup_free_ char *text = NULL;
	struct code_entry *e = code_entry(t, code, 0);

	if (e && !e->code && PLOP_SYNTHETIC_WHAT(code) == PLOP_SYNTHETIC_NAMED) {
		code = PLOP_SYNTHETIC(PLOP_SYNTHETIC_TASK, 0);
		e = code_entry(t, code, 0);
	}
	if (e && !e->code && !code_table_full(t) && synthetic_text(code, &text) == 0 &&
	    code_table_synthetic(t, code, text) == 0)
		e = code_entry(t, code, 0);
	if (!e || !e->code)
		return NULL;
	*ret_source = CODE_READ;
	return e->code;
}

static int frame_list_add(struct frame_list *l, uint64_t code, uint32_t instr, uint32_t fingerprint)
{
	if (l->n == l->size) {
		uint32_t size = l->size ? l->size * 2 : 64;
		struct plop_frame *grown = reallocarray(l->frames, size, sizeof(*l->frames));

		if (!grown)
			return -ENOMEM;
		l->frames = grown;
		l->size = size;
	}
	l->frames[l->n++] =
		(struct plop_frame){ .code = code, .instr = instr, .fingerprint = fingerprint };
	return 0;
}

/*
 * Notes a frame whose code object code_table_find() would have to read, each once, but for what
 * tells copies apart.
 */
static int code_table_miss(struct code_table *t, const struct plop_frame *f, uint32_t fingerprint)
{
	struct code_entry *e;

	if (t->missing.n >= CODE_MISSING_MAX)
		return 0;
	if (fingerprint == 0)
		return frame_list_add(&t->missing, f->code, f->instr, 0);
	e = code_entry(t, f->code, fingerprint);
	if (!e)
		return -ENOMEM;
	if (e->failed || (e->code && !e->partial && !e->code->copied) ||
	    (e->code && e->code->copied && code_object_has_copy(e->code, f->instr, &t->layout)))
		return 0;
	if (e->missed == t->cycle && !(e->code && e->code->copied))
		return 0;
	e->missed = t->cycle;
	return frame_list_add(&t->missing, f->code, f->instr, fingerprint);
}

/*
 * Notes which code object lay at an address that changes, at the tick of a cycle; stale: more than
 * one did.
 */
#define MARK PLOP_FINGERPRINT_LOOSE
static int mark_loose(struct code_table *t, uint64_t address, uint32_t fingerprint)
{
	struct code_entry *e = code_entry(t, address, MARK);

	if (!e)
		return -ENOMEM;
	if (e->confirmed != t->cycle) {
		e->loose = fingerprint;
		e->stale = false;
	}
	e->stale |= e->loose != fingerprint;
	e->confirmed = t->cycle;
	return 0;
}

/* Whether another lay at the address of f at a tick of this cycle. */
static bool is_replaced(const struct code_table *t, const struct plop_frame *f)
{
	const struct code_entry *e = code_lookup(t, f->code, MARK);

	return e && e->confirmed == t->cycle && (e->stale || e->loose != f->fingerprint);
}

/*
 * Of one frame. What is to be confirmed is stale until it is: also what has no name yet, for that
 * may come meanwhile, from a reading that is older than the half.
 */
static int code_table_want_frame(struct code_table *t, const struct plop_frame *f)
{
	uint32_t fingerprint = f->fingerprint & PLOP_FINGERPRINT_BITS;
	int r = code_table_miss(t, f, fingerprint);
	struct code_entry *e;

	if (r >= 0 && f->fingerprint & PLOP_FINGERPRINT_LOOSE)
		r = mark_loose(t, f->code, fingerprint);
	if (!(f->fingerprint & PLOP_FINGERPRINT_UNREAD))
		return r;
	e = code_lookup(t, f->code, fingerprint);
	if (!e || e->confirmed == t->cycle)
		return r;
	e->confirmed = t->cycle;
	e->stale = true;
	if (r >= 0)
		r = frame_list_add(&t->wanted, f->code, 0, fingerprint);
	return r;
}

int code_table_want(struct code_table *t, uint32_t cycle, const struct plop_frame *frames,
		    uint32_t n)
{
	if (t->cycle != cycle) {
		t->wanted.n = t->missing.n = 0;
		t->unnoted = false;
	}
	t->cycle = cycle;
	for (uint32_t i = 0; i < n; i++) {
		if (plop_frame_is_python(frames[i].code) &&
		    code_table_want_frame(t, &frames[i]) < 0)
			t->unnoted = true;
	}
	return t->unnoted ? -ENOMEM : 0;
}

/*
 * The address of the word that says whether the interpreter finalises. Up to 3.6 its list's end
 * says so.
 */
static uint64_t code_table_word(const struct plop_layout *l, uint64_t runtime)
{
	return runtime +
	       (l->runtime_finalizing ? l->runtime_finalizing : l->runtime_interpreters_head);
}

void code_table_wants(const struct code_table *t, uint32_t cycle, uint64_t runtime,
		      struct code_wants *ret)
{
	*ret = (struct code_wants){};
	if (t->cycle != cycle)
		return;
	*ret = (struct code_wants){
		.confirm = t->wanted.frames,
		.nconfirm = t->wanted.n,
		.read = t->missing.frames,
		.nread = t->missing.n,
		.word = code_table_word(&t->layout, runtime),
	};
}

/* Whether the interpreter is on its way out, or has gone. Not when it could not be asked. */
static bool is_finalising(const struct plop_layout *l, const struct reader *memory,
			  uint64_t runtime)
{
	uint64_t word;
	int r = reader_u64(memory, code_table_word(l, runtime), &word);

	if (r < 0)
		return r != -EAGAIN;
	return l->runtime_finalizing ? word != 0 : word == 0;
}

int code_table_confirm(struct code_table *t, const struct reader *memory, uint64_t runtime,
		       void (*loosen)(uint64_t address, void *ctx), void *ctx)
{
	_cleanup_free_ struct code_fingerprint *now = NULL;
	_cleanup_free_ uint64_t *addresses = NULL;
	uint32_t n = t->wanted.n;
	bool gone = !memory;
	int r = 0;

	t->wanted.n = 0;
	if (t->unnoted)
		return -ENOMEM;
	if (n == 0)
		return 0;
	now = calloc(n, sizeof(*now));
	addresses = calloc(n, sizeof(*addresses));
	if (!now || !addresses)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		addresses[i] = t->wanted.frames[i].code;
	if (!gone)
		r = code_objects_fingerprint(memory, &t->layout, addresses, n, now);
	if (r < 0)
		return r;
	/* asked after: whatever was freed before it began to is told apart */
	gone = gone || is_finalising(&t->layout, memory, runtime);
	for (uint32_t i = 0; i < n; i++) {
		const struct plop_frame *f = &t->wanted.frames[i];
		struct code_entry *e = code_lookup(t, f->code, f->fingerprint);

		if (!e)
			continue;
		/*
		 * Of a process that is gone nothing can be confirmed but by what was met. Where its
		 * memory does not answer, nothing is known, however long it was the same; from then
		 * on it is read at each tick.
		 */
		if (!is_replaced(t, f) &&
		    (gone || now[i].result == -ESRCH ||
		     (now[i].result == 0 && now[i].fingerprint == f->fingerprint)))
			e->stale = false;
		else
			loosen(f->code, ctx);
	}
	return 0;
}

struct code_object *code_table_find(struct code_table *t, const struct reader *memory,
				    const struct plop_frame *f, enum code_source *ret_source)
{
	_cleanup_(code_object_unrefp) struct code_object *code = NULL;
	struct code_entry *e;
	uint32_t fingerprint = f->fingerprint & PLOP_FINGERPRINT_BITS;

	*ret_source = CODE_UNKNOWN;

	if (plop_frame_kind(f->code) == PLOP_FRAME_SYNTHETIC)
		return code_table_find_synthetic(t, f->code, ret_source);
	if (!plop_frame_is_python(f->code))
		return NULL;
	/*
	 * The code object's own page was not there at the tick: what is there now is taken only
	 * when this address was seen with the same fingerprint before, or for the first time.
	 */
	if (fingerprint == 0 &&
	    code_object_fingerprint(memory, &t->layout, f->code, &fingerprint) < 0)
		return NULL;
	e = code_entry(t, f->code, fingerprint);
	if (!e)
		return NULL;
	if (f->fingerprint & PLOP_FINGERPRINT_UNREAD && e->code && e->confirmed == t->cycle &&
	    e->stale) {
		*ret_source = CODE_STALE;
		return NULL;
	}
	if ((!e->code || e->partial) && !e->failed && !code_table_full(t)) {
		uint32_t now = fingerprint;
		int r = code_object_read(memory, &t->layout, f->code, &code, &now);

		if (r == 0 && now == fingerprint) {
			code_entry_set(t, e, TAKE_PTR(code), false);
			e->stale = false;
		} else {
			/* where it was not tried, it may be in the next cycle */
			e->failed = r != -EAGAIN;
		}
		e->partial = e->partial && r == -EAGAIN;
	}
	if (e->code && e->code->copied)
		code_object_find_copy(memory, &t->layout, f->code, fingerprint, f->instr, e->code);
	if (e->code)
		*ret_source = e->captured ? CODE_CAPTURED : CODE_READ;
	return e->code;
}
