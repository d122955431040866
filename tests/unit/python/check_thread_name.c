/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "plop/limits.h"
#include "proc/process.h"
#include "python/dicts.h"
#include "python/thread_name.h"

/*
 * A target's memory: one interpreter with sys.modules["threading"]._active and some threads; what
 * is made is put behind what there is.
 */
#define BASE    0x7f0000000000ull
#define RUNTIME (BASE + 0x100)
#define INTERP  (BASE + 0x1000)
#define MODULES 0x200 /* where 3.13 and later say that it is */
#define HEAP    (BASE + 0x4000)
#define SIZE    0x40000
#define IDENT   0x7f1234500700ull
#define THREADS 3

struct target {
	uint8_t memory[SIZE];
	struct reader_bytes bytes;
	struct reader plain, r;
	struct plop_layout l;
	const struct object_layout *o;
	uint64_t used; /* of the heap */
	unsigned int reads;
	void (*change)(struct target *t); /* called before each read */
	uint64_t dict_type, str_type, other_type;
	uint64_t active, slots[THREADS],
		names[THREADS]; /* where they are: the entries of _active, _name of each */
	struct walk_state states[THREADS];
	char *given[THREADS];
};

static void put(struct target *t, uint64_t address, uint64_t v, size_t size)
{
	ck_assert(address >= BASE && address + size <= BASE + SIZE);
	memcpy(t->memory + (address - BASE), &v, size);
}

static int changing_read(void *ctx, uint64_t address, void *buffer, size_t size)
{
	struct target *t = ctx;

	t->reads++;
	if (t->change)
		t->change(t);
	return reader_read(&t->plain, address, buffer, size);
}

/* A new object of that type; some words before it are its own. */
static uint64_t make(struct target *t, uint64_t type, size_t size)
{
	uint64_t address = HEAP + t->used + 32;

	t->used += (size + 32 + 15) / 16 * 16;
	ck_assert_uint_le(HEAP + t->used, BASE + SIZE);
	put(t, address + object_type_at(&t->l), type, 8);
	return address;
}

static uint64_t make_type(struct target *t, uint64_t flags, int64_t basicsize, int64_t dictoffset,
			  uint64_t keys)
{
	uint64_t type = make(t, 0, 1024);

	put(t, type + t->o->type_flags, flags, 8);
	put(t, type + t->o->type_basicsize, (uint64_t)basicsize, 8);
	put(t, type + t->o->type_dictoffset, (uint64_t)dictoffset, 8);
	if (t->o->type_cached_keys)
		put(t, type + t->o->type_cached_keys, keys, 8);
	return type;
}

static uint64_t make_str(struct target *t, const char *text)
{
	uint64_t s = make(t, t->str_type, t->l.str_ascii_data + strlen(text) + 1);

	put(t, s + t->l.str_length, strlen(text), 8);
	put(t, s + t->l.str_state, 1u << t->l.str_kind_shift | 3u << (t->l.str_kind_shift + 3), 4);
	strcpy((char *)t->memory + (s + t->l.str_ascii_data - BASE), text);
	return s;
}

/* Keys with room for eight, and where their entries are. kind: as 3.11 and later have it. */
static uint64_t make_keys(struct target *t, uint64_t n, unsigned int kind, uint64_t *ret_entries)
{
	uint64_t keys = make(t, 0, 40 + 8 + 8 * 24);

	if (t->o->dicts == DICT_SIZED) {
		put(t, keys + 8, 8, 8);
	} else {
		put(t, keys + 8, 3, 1);
		put(t, keys + 9, 3, 1);
		put(t, keys + 10, kind, 1);
	}
	put(t, keys + t->o->keys_nentries, n, 8);
	*ret_entries = keys + t->o->keys_indices + 8;
	return keys;
}

struct item {
	uint64_t hash, key, value;
};

static uint64_t put_entry(struct target *t, uint64_t entry, const struct item *i, bool hashed)
{
	if (hashed)
		put(t, entry, i->hash, 8);
	entry += hashed ? 8 : 0;
	put(t, entry, i->key, 8);
	put(t, entry + 8, i->value, 8);
	return entry + 16;
}

/* A dict with all in its entries; *ret_entries: where they are. */
static uint64_t make_dict(struct target *t, const struct item *items, size_t n, bool strings,
			  uint64_t *ret_entries)
{
	uint64_t dict = make(t, t->dict_type, 80), entries, at;
	bool hashed = !strings || t->o->dicts != DICT_LOG2;

	if (t->o->dicts == DICT_TABLE) {
		entries = make(t, 0, 8 * 24);
		put(t, entries + object_type_at(&t->l), 0, 8);
		put(t, dict + t->o->dict_keys, 7, 8);
		put(t, dict + t->o->dict_values, entries, 8);
	} else {
		put(t, dict + t->o->dict_keys, make_keys(t, n, strings ? 1 : 0, &entries), 8);
	}
	*ret_entries = at = entries;
	for (size_t i = 0; i < n; i++)
		at = put_entry(t, at, &items[i], hashed);
	return dict;
}

/* How the attributes of a thread are kept. */
enum how {
	IN_DICT,
	SPLIT,  /* 3.6 and later: the dict shares its keys */
	VALUES, /* 3.11 and later: there is no dict */
};

static bool can(const struct target *t, enum how how)
{
	if (how == SPLIT)
		return t->o->dicts != DICT_TABLE;
	return how != VALUES || t->o->attributes != ATTRIBUTES_DICT;
}

/* A Thread whose third attribute is its name; *ret_slot: where that is. */
static uint64_t make_thread(struct target *t, uint64_t attribute, uint64_t name, enum how how,
			    uint64_t *ret_slot)
{
	const size_t head = object_type_at(&t->l) + 8;
	const struct item items[] = { { 1, make_str(t, "_target"), t->str_type },
				      { 2, make_str(t, "__name"), t->str_type },
				      { 3, attribute, name } };
	uint64_t entries, keys = make_keys(t, 3, 2, &entries), thread, type, dict, values;
	bool managed = t->o->attributes != ATTRIBUTES_DICT;
	uint64_t flags = TYPE_HEAP | (managed ? TYPE_MANAGED_DICT : 0) |
			 (t->o->attributes == ATTRIBUTES_INLINE ? TYPE_INLINE_VALUES : 0);

	for (size_t i = 0; i < 3; i++)
		put(t, entries + i * (managed ? 16 : 24) + (managed ? 0 : 8), items[i].key, 8);
	type = make_type(t, flags, (int64_t)(managed ? head : head + 8),
			 managed ? -1 : (int64_t)head, keys);
	thread = make(t, type, head + 8 + 8 * 8);
	values = t->o->attributes == ATTRIBUTES_INLINE ? thread + head : make(t, 0, 8 * 8);
	if (how == IN_DICT) {
		dict = make_dict(t, items, 3, true, &entries);
		*ret_slot = entries + 2 * (t->o->dicts == DICT_LOG2 ? 16 : 24) +
			    (t->o->dicts == DICT_LOG2 ? 8 : 16);
	} else {
		dict = make(t, t->dict_type, 80);
		put(t, dict + t->o->dict_keys, keys, 8);
		put(t, dict + t->o->dict_values, values, 8);
		if (t->o->values_first)
			put(t, values, 8 | 3 << 8 | 1 << 16 | 1 << 24, 4);
		for (size_t i = 0; i < 3; i++)
			put(t, values + t->o->values_first + 8 * i, items[i].value, 8);
		*ret_slot = values + t->o->values_first + 16;
	}
	if (t->o->attributes == ATTRIBUTES_DICT)
		put(t, thread + head, dict, 8);
	else if (how != VALUES)
		put(t, thread - t->o->before_dict, dict, 8);
	else if (t->o->attributes == ATTRIBUTES_VALUES)
		put(t, thread - t->o->before_values, values, 8);
	else if (t->o->attributes == ATTRIBUTES_TAGGED)
		put(t, thread - t->o->before_dict, values - 1, 8);
	return thread;
}

static uint64_t modules_at(const struct target *t)
{
	return INTERP + (t->o->interp_modules ? t->o->interp_modules : MODULES);
}

/* The layouts: those that are tables, and what later ones have in common with 3.12. */
static const struct {
	uint16_t version;
	bool free_threaded;
} versions[] = { { 0x0207, false }, { 0x0306, false }, { 0x0307, false }, { 0x0308, false },
		 { 0x0309, false }, { 0x030a, false }, { 0x030b, false }, { 0x030c, false },
		 { 0x030d, false }, { 0x030d, true },  { 0x030e, false }, { 0x030e, true },
		 { 0x030f, false }, { 0x030f, true } };

static void setup_layout(struct target *t, size_t i)
{
	uint16_t version = versions[i].version;
	unsigned int more = versions[i].free_threaded ? 16 : 0;

	ck_assert_int_eq(
		layout_by_version((uint32_t)MIN(version, (uint16_t)0x030c) << 16 | 0xf0, &t->l), 0);
	t->l.version = version;
	t->l.free_threaded = versions[i].free_threaded;
	t->l.str_length += more;
	t->l.str_state += more;
	t->l.str_ascii_data += more;
	t->l.str_compact_data += more;
	t->o = object_layout_find(&t->l);
	ck_assert_ptr_nonnull(t->o);
	if (t->o->debug_modules)
		put(t, RUNTIME + t->o->debug_modules, MODULES, 8);
}

/* Three threads, called texts. */
static void setup(struct target *t, size_t version, const char *const *texts, enum how how)
{
	struct item items[THREADS];
	uint64_t attribute, module, ignored;

	memset(t, 0, sizeof(*t));
	t->bytes = (struct reader_bytes){ .data = t->memory, .size = SIZE, .base = BASE };
	t->plain = bytes_reader(&t->bytes);
	t->r = (struct reader){ .read = changing_read, .ctx = t };
	setup_layout(t, version);
	t->dict_type = make_type(t, TYPE_DICT, 48, 0, 0);
	t->str_type = make_type(t, t->l.version < 0x0300 ? TYPE_BYTES : TYPE_STR, 80, 0, 0);
	t->other_type = make_type(t, 0, 16, 0, 0);
	attribute = make_str(t, t->l.version < 0x0300 ? "_Thread__name" : "_name");
	for (unsigned int i = 0; i < THREADS; i++) {
		t->names[i] = make_str(t, texts[i]);
		items[i] =
			(struct item){ IDENT + i * 0x1000, t->other_type,
				       make_thread(t, attribute, t->names[i], how, &t->slots[i]) };
		t->states[i] = (struct walk_state){ .address = INTERP + 0x2000,
						    .interp = INTERP,
						    .thread_id = IDENT + i * 0x1000 };
	}
	module = make(t, t->other_type, 64);
	put(t, module + t->o->module_dict,
	    make_dict(t,
		      (struct item[]){ { 7, make_str(t, "_limbo"), t->str_type },
				       { 8, make_str(t, "_active"),
					 make_dict(t, items, THREADS, false, &t->active) } },
		      2, true, &ignored),
	    8);
	put(t, modules_at(t),
	    make_dict(t,
		      (struct item[]){ { 5, make_str(t, "sys"), t->str_type },
				       { 4, make_str(t, "threadinG"), t->str_type },
				       { 6, make_str(t, "threading"), module } },
		      3, true, &ignored),
	    8);
}

static int names(struct target *t)
{
	const struct walk_states s = { .states = t->states, .n = THREADS, .interpreters = 1 };

	for (size_t i = 0; i < THREADS; i++)
		free(t->given[i]);
	return thread_names_read(&t->r, &t->l, RUNTIME, &s, t->given);
}

static void teardown(struct target *t)
{
	for (size_t i = 0; i < THREADS; i++)
		free(t->given[i]);
}

static const char *const plain[] = { "worker", "Thread-7 (run)",
				     "a-name-of-more-than-fifteen-bytes" };

START_TEST(names_of_all_generations)
{
	static struct target t;
	unsigned int tried = 0;

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		for (enum how how = IN_DICT; how <= VALUES; how++) {
			memset(&t, 0, sizeof(t));
			setup_layout(&t, i);
			/*
			 * from 3.13 on a type with values in place says of each instance whether it
			 * has them
			 */
			if (!can(&t, how))
				continue;
			setup(&t, i, plain, how);
			ck_assert_int_eq(names(&t), 0);
			for (size_t k = 0; k < THREADS; k++)
				ck_assert_str_eq(t.given[k], plain[k]);
			teardown(&t);
			tried++;
		}
	}
	ck_assert_uint_eq(tried, 14 + 13 + 8);
}
END_TEST

START_TEST(what_threading_did_not_start)
{
	static const char *const texts[] = { "MainThread", "Dummy-1", "" };
	static struct target t;

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		setup(&t, i, texts, IN_DICT);
		ck_assert_int_eq(names(&t), 0);
		ck_assert(!t.given[0] && !t.given[1] && !t.given[2]);
		teardown(&t);
		/* nor is what only looks like it */
		setup(&t, i, (const char *const[]){ "MainThread-1", "Dummy-x", "Dummy" }, IN_DICT);
		ck_assert_int_eq(names(&t), 0);
		ck_assert_str_eq(t.given[0], "MainThread-1");
		ck_assert(t.given[1] && t.given[2]);
		teardown(&t);
	}
}
END_TEST

START_TEST(what_is_not_there)
{
	static struct target t;

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		setup(&t, i, plain, IN_DICT);
		/* one that is not in _active, one that was deleted */
		put(&t, t.active, IDENT + 8, 8);
		put(&t, t.active + 24 + 16, 0, 8);
		ck_assert_int_eq(names(&t), 0);
		ck_assert(!t.given[0] && !t.given[1]);
		ck_assert_str_eq(t.given[2], plain[2]);
		/* no sys.modules */
		put(&t, modules_at(&t), 0, 8);
		ck_assert_int_eq(names(&t), 0);
		ck_assert_ptr_null(t.given[2]);
		teardown(&t);
		/* no version that is known */
		setup(&t, i, plain, IN_DICT);
		t.l.version = 0x0310;
		ck_assert_int_eq(names(&t), -EOPNOTSUPP);
		ck_assert_ptr_null(t.given[2]);
	}
}
END_TEST

/* What has not the type that it must have is not taken for it. */
START_TEST(wrong_types)
{
	static struct target t;

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		setup(&t, i, plain, IN_DICT);
		put(&t, t.names[0] + object_type_at(&t.l), t.other_type, 8);
		/* a thread that is a str, and one whose type lies nowhere */
		put(&t, t.active + 24 + 16, t.names[0], 8);
		put(&t, t.active + 48 + 16, 12, 8);
		ck_assert_int_eq(names(&t), 0);
		ck_assert(!t.given[0] && !t.given[1] && !t.given[2]);
		teardown(&t);
		setup(&t, i, plain, IN_DICT);
		put(&t, t.dict_type + t.o->type_flags, ~TYPE_DICT, 8);
		ck_assert_int_eq(names(&t), 0);
		ck_assert(!t.given[0] && !t.given[1] && !t.given[2]);
		teardown(&t);
	}
}
END_TEST

/* The first thread gets the second one's name. */
static void rename_first(struct target *t)
{
	put(t, t->slots[0], t->names[1], 8);
}

/* Another string of the same length lies where the first one's name was. */
static void rewrite_first(struct target *t)
{
	memcpy(t->memory + (t->names[0] + t->l.str_ascii_data - BASE), "OTHERS", 6);
}

/* The first one's place in _active is the second one's, who was there before. */
static void replace_first(struct target *t)
{
	memcpy(t->memory + (t->active + 16 - BASE), t->memory + (t->active + 24 + 16 - BASE), 8);
}

static void (*once)(struct target *t);
static unsigned int once_at;

static void change_once(struct target *t)
{
	if (t->reads == once_at)
		once(t);
}

static void rewrite_always(struct target *t)
{
	char text[7];

	snprintf(text, sizeof(text), "%06u", t->reads);
	memcpy(t->memory + (t->names[0] + t->l.str_ascii_data - BASE), text, 6);
}

/*
 * Before each of the reads that there are something changes: the name is what it was before or
 * after, or there is none.
 */
START_TEST(what_changes)
{
	static const struct {
		void (*change)(struct target *t);
		const char *after;
	} rows[] = { { rename_first, "Thread-7 (run)" },
		     { rewrite_first, "OTHERS" },
		     { replace_first, "Thread-7 (run)" } };
	static struct target t;

	for (size_t i = 0; i < ARRAY_SIZE(versions) * ARRAY_SIZE(rows); i++) {
		unsigned int seen[3] = {}, reads = 1;

		once = rows[i % ARRAY_SIZE(rows)].change;
		for (once_at = 0; once_at <= reads; once_at++) {
			setup(&t, i / ARRAY_SIZE(rows), plain, IN_DICT);
			t.change = change_once;
			ck_assert_int_eq(names(&t), 0);
			reads = MAX(reads, t.reads);
			if (!t.given[0])
				seen[0]++;
			else if (streq(t.given[0], plain[0]))
				seen[1]++;
			else if (streq(t.given[0], rows[i % ARRAY_SIZE(rows)].after))
				seen[2]++;
			else
				ck_abort_msg("named %s", t.given[0]);
			ck_assert_str_eq(t.given[2], plain[2]);
			teardown(&t);
		}
		ck_assert(seen[0] && seen[1] && seen[2]);
	}
}
END_TEST

START_TEST(what_changes_always)
{
	static struct target t;

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		setup(&t, i, plain, IN_DICT);
		t.change = rewrite_always;
		ck_assert_int_eq(names(&t), 0);
		ck_assert_ptr_null(t.given[0]);
		ck_assert_str_eq(t.given[2], plain[2]);
		teardown(&t);
	}
}
END_TEST

/* Tables that say that they are larger than anything can be. */
START_TEST(tables_without_end)
{
	static struct target t;
	struct dict_table table = {
		.entries = HEAP, .keys = HEAP, .n = UINT64_C(1) << 39, .stride = 24
	};
	struct dict_hint hint = {};
	uint64_t index, sys_modules, keys;
	struct dicts d;

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		setup(&t, i, plain, IN_DICT);
		dicts_init(&d, &t.r, &t.l, t.o);
		/* as much as is there, then as much as is looked at of one */
		ck_assert_int_eq(dicts_find(&d, &table, "none", UINT64_MAX, &hint, &index),
				 -EFAULT);
		ck_assert_int_eq(dicts_find(&d, &table, "none", 64, &hint, &index), -ENOENT);
		d.left = 100;
		ck_assert_int_eq(dicts_find(&d, &table, "none", 640, &hint, &index), -E2BIG);
		/* sizes that cannot be */
		memcpy(&sys_modules, t.memory + (modules_at(&t) - BASE), 8);
		memcpy(&keys, t.memory + (sys_modules + t.o->dict_keys - BASE), 8);
		if (t.o->dicts == DICT_TABLE) {
			put(&t, sys_modules + t.o->dict_keys, 8, 8);
		} else if (t.o->dicts == DICT_SIZED) {
			put(&t, keys + 8, 9, 8);
		} else {
			put(&t, keys + 9, 60, 1);
		}
		ck_assert_int_eq(dicts_open(&d, sys_modules, &table), -EBADMSG);
		ck_assert_int_eq(names(&t), 0);
		ck_assert_ptr_null(t.given[2]);
		teardown(&t);
		table = (struct dict_table){
			.entries = HEAP, .keys = HEAP, .n = UINT64_C(1) << 39, .stride = 24
		};
		hint = (struct dict_hint){};
	}
}
END_TEST

/* Not ASCII, with a control character, and longer than is shown. */
START_TEST(names_of_all_letters)
{
	static char length[PLOP_MAX_THREAD_NAME + 20];
	static struct target t;

	memset(length, 'x', sizeof(length) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		setup(&t, i, (const char *const[]){ "two\nlines", length, "ab" }, IN_DICT);
		if (t.l.version >= 0x0300) {
			/* the same four bytes as two characters of 16 bits */
			put(&t, t.names[2] + t.l.str_state,
			    2u << t.l.str_kind_shift | 1u << (t.l.str_kind_shift + 3), 4);
			put(&t, t.names[2] + t.l.str_compact_data, 0x6771 | 0x4eacu << 16, 4);
		}
		ck_assert_int_eq(names(&t), 0);
		ck_assert_str_eq(t.given[0], "two\xef\xbf\xbdlines");
		ck_assert_uint_eq(strlen(t.given[1]), PLOP_MAX_THREAD_NAME + 3);
		ck_assert_str_eq(t.given[1] + PLOP_MAX_THREAD_NAME, "\xe2\x80\xa6");
		ck_assert_str_eq(t.given[2],
				 t.l.version < 0x0300 ? "ab" : "\xe6\x9d\xb1\xe4\xba\xac");
		teardown(&t);
	}
}
END_TEST

CHECK_MAIN("thread_name", names_of_all_generations, what_threading_did_not_start, what_is_not_there,
	   wrong_types, what_changes, what_changes_always, tables_without_end,
	   names_of_all_letters);
