/* SPDX-License-Identifier: BSD-2-Clause */
#include "../format/known.h"
#include "check_main.h"
#include "dir.h"
#include "store/addition.h"
#include "store/lexicon.h"
#include "store/schema.h"
#include "store/store.h"

/*
 * Dictionaries as somebody may write them who knows the seed of the file: whatever stands in an
 * addition, it is read or refused, within bounds.
 */
static struct dir dir;
static sqlite3 *db;
static int64_t seed;

static void setup(void)
{
	struct store *s;
	char path[128];

	dir_make(&dir);
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	store_close(s);
	snprintf(path, sizeof(path), "%s/plop.db", dir.path);
	ck_assert_int_eq(db_open(path, DB_WRITE, &db), 0);
	ck_assert_int_eq(db_int(db, "SELECT value FROM meta WHERE key='hash_seed'", &seed), 0);
}

static void teardown(void)
{
	sqlite3_close(db);
	dir_done(&dir);
}

/* What an addition is made of: 2 texts, a function, a frame, 2 nodes and a process. */
static void make_sound(struct sections *s, uint32_t numbers[DICTIONARY_PARTS])
{
	static const uint32_t sound[DICTIONARY_PARTS] = { 2, 1, 1, 2, 1 };

	sections_clear(s);
	s->n = ADDITION_SECTIONS;
	buf_append(&s->parts[ADDITION_TEXTS], "f\0/x.py", 8);
	packed_put_signed(&s->parts[ADDITION_NAMES], 1);
	packed_put_signed(&s->parts[ADDITION_FILES], 2);
	packed_put_signed(&s->parts[ADDITION_LINES], 10);
	packed_put(&s->parts[ADDITION_KINDS], PLOP_FRAME_PYTHON);
	packed_put_signed(&s->parts[ADDITION_KINDS], 1);
	packed_put_signed(&s->parts[ADDITION_FRAMES], 1);
	packed_put_signed(&s->parts[ADDITION_FRAMES], 2);
	packed_put(&s->parts[ADDITION_NODE_PARENTS], 1);
	packed_put(&s->parts[ADDITION_NODE_PARENTS], 1);
	packed_put_signed(&s->parts[ADDITION_NODE_FRAMES], 1);
	packed_put_signed(&s->parts[ADDITION_NODE_FRAMES], 0);
	for (int i = 0; i < 3; i++)
		packed_put_signed(&s->parts[ADDITION_PROCESSES], 7);
	packed_put(&s->parts[ADDITION_PROCESSES], 1000);
	for (int i = 0; i < PROCESS_TEXTS; i++)
		packed_put_signed(&s->parts[ADDITION_PROCESS_TEXTS], 1);
	memcpy(numbers, sound, sizeof(sound));
}

static void put(const struct sections *s, const uint32_t numbers[DICTIONARY_PARTS])
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int64_t id = 1 << ADDITION_SHIFT, all[DICTIONARY_PARTS];
	_cleanup_buf_ struct buf blob = {};

	ck_assert_int_eq(sections_pack(s, &blob), 0);
	ck_assert_int_eq(
		db_prepare(db, "REPLACE INTO additions VALUES(?1,?2,?3,?4,?5,?6,?7,?8)", &st), 0);
	sqlite3_bind_int64(st, 1, id);
	for (int i = 0; i < DICTIONARY_PARTS; i++) {
		all[i] = numbers[i];
		sqlite3_bind_int64(st, 2 + i, all[i]);
	}
	sqlite3_bind_int64(st, 7,
			   (int64_t)dictionary_hash(seed, id, all, DICTIONARY_PARTS, blob.data,
						    blob.size));
	sqlite3_bind_blob64(st, 8, blob.data, blob.size, SQLITE_STATIC);
	ck_assert_int_eq(db_run(st), 0);
}

/* Whether the node that was looked up last is one without the GIL. */
static bool released;

/* What comes of looking up the last node and the process. */
static int look_up(uint32_t node, uint32_t process)
{
	_cleanup_(lexicon_done) struct lexicon l = {};
	_cleanup_(dict_freep) struct dict *d = NULL;
	struct profile_process p;
	uint32_t stack;
	int r;

	ck_assert_int_eq(dict_new(&d), 0);
	ck_assert_int_eq(lexicon_prepare(&l, db, seed), 0);
	r = lexicon_turn(&l, 1);
	if (r == 0)
		r = lexicon_stack(&l, node, d, &stack);
	released = r > 0;
	if (r >= 0)
		r = lexicon_process(&l, process, &p);
	return r;
}

START_TEST(a_sound_one_is_read)
{
	_cleanup_(sections_done) struct sections s = {};
	uint32_t numbers[DICTIONARY_PARTS];

	make_sound(&s, numbers);
	put(&s, numbers);
	ck_assert_int_eq(look_up(2, 1), 0);
	ck_assert_int_eq(look_up(0, 1), 0);
	ck_assert_int_eq(look_up(3, 1), -EBADMSG);
	ck_assert_int_eq(look_up(UINT32_MAX, 1), -EBADMSG);
	ck_assert_int_eq(look_up(2, 0), -EBADMSG);
	ck_assert_int_eq(look_up(2, 2), -EBADMSG);
}
END_TEST

/* Each in place of what a sound addition has there. */
START_TEST(what_cannot_be_is_refused)
{
	static const struct {
		enum addition_section section;
		const char *bytes;
		size_t size;
	} cases[] = {
		{ ADDITION_TEXTS, "f\0/x.py", 7 }, /* no end */
		{ ADDITION_TEXTS, "", 0 },
		{ ADDITION_TEXTS, "f\0/x.py\0g", 10 }, /* one too many */
		{ ADDITION_NAMES, "\0", 1 },           /* text 0 */
		{ ADDITION_NAMES, "\6", 1 },           /* text 3 */
		{ ADDITION_NAMES, "\1", 1 },           /* text -1 */
		{ ADDITION_FILES, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1", 10 },
		{ ADDITION_LINES, "\x80\x80\x80\x80\x20", 5 }, /* beyond an int */
		{ ADDITION_LINES, "", 0 },
		{ ADDITION_KINDS, "\4\2", 2 }, /* no such kind */
		{ ADDITION_KINDS, "\0", 1 },
		{ ADDITION_FRAMES, "\4\0", 2 }, /* function 2 */
		{ ADDITION_FRAMES, "\2\xfe\xff\xff\xff\x1f", 6 },
		{ ADDITION_NODE_PARENTS, "\0\1", 2 }, /* its own parent */
		{ ADDITION_NODE_PARENTS, "\2\1", 2 }, /* before the first */
		{ ADDITION_NODE_PARENTS, "\1\xff\xff\xff\xff\x1f", 6 },
		{ ADDITION_NODE_FRAMES, "\2\2", 2 },   /* frame 2 */
		{ ADDITION_NODE_FRAMES, "\2\0\0", 3 }, /* more than nodes */
		{ ADDITION_PROCESSES, "\2\2\2", 3 },
		{ ADDITION_PROCESSES, "\2\2\2\xff\xff\xff\xff\x1f", 8 }, /* no such user */
		{ ADDITION_PROCESS_TEXTS, "\2\2\2\2\2\2\2\2", 8 },
		{ ADDITION_PROCESS_TEXTS, "\2\2\2\2\2\2\2\2\6", 9 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(sections_done) struct sections s = {};
		uint32_t numbers[DICTIONARY_PARTS];

		make_sound(&s, numbers);
		buf_clear(&s.parts[cases[i].section]);
		buf_append(&s.parts[cases[i].section], cases[i].bytes, cases[i].size);
		put(&s, numbers);
		ck_assert_msg(look_up(2, 1) == -EBADMSG, "case %zu", i);
	}
}
END_TEST

/* Numbers beside the blob that it has not. */
START_TEST(numbers_that_are_not_there)
{
	_cleanup_(sections_done) struct sections s = {};
	uint32_t numbers[DICTIONARY_PARTS];

	for (int i = 0; i < DICTIONARY_PARTS; i++) {
		make_sound(&s, numbers);
		numbers[i]++;
		put(&s, numbers);
		ck_assert_int_eq(look_up(2, 1), -EBADMSG);
		numbers[i] = DICTIONARY_MOST + 1;
		put(&s, numbers);
		ck_assert_int_eq(look_up(2, 1), -EBADMSG);
	}
}
END_TEST

/* A stack of more frames than there may be, each on the one before. */
START_TEST(a_stack_without_end)
{
	_cleanup_(sections_done) struct sections s = {};
	uint32_t numbers[DICTIONARY_PARTS];

	make_sound(&s, numbers);
	numbers[DICTIONARY_NODES] = DICTIONARY_DEPTH + 1;
	while (s.parts[ADDITION_NODE_PARENTS].size < numbers[DICTIONARY_NODES]) {
		packed_put(&s.parts[ADDITION_NODE_PARENTS], 1);
		packed_put_signed(&s.parts[ADDITION_NODE_FRAMES], 0);
	}
	put(&s, numbers);
	ck_assert_int_eq(look_up(DICTIONARY_DEPTH, 1), 0);
	ck_assert_int_eq(look_up(DICTIONARY_DEPTH + 1, 1), -EBADMSG);
}
END_TEST

/* Blobs that claim to be larger than they can be, and what no blob is. */
START_TEST(broken_sections)
{
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {
		{ "", 0 },
		{ "\x80", 1 },
		{ "\1\1", 2 },
		{ "\xff\xff\xff\x1f\1"
		  "abcdefgh",
		  13 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\1"
		  "abcdefgh",
		  19 },
	};
	_cleanup_(sections_done) struct sections s = { .n = 2 };
	_cleanup_(unpacked_done) struct unpacked u = {};
	_cleanup_buf_ struct buf b = {};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_int_eq(sections_unpack(cases[i].bytes, cases[i].size, 2, &u), -EBADMSG);
	for (int i = 0; i < 1000; i++)
		packed_put(&s.parts[1], (uint64_t)i * i);
	ck_assert_int_eq(sections_pack(&s, &b), 0);
	for (size_t cut = 0; cut < b.size; cut++)
		ck_assert_int_eq(sections_unpack(b.data, cut, 2, &u), -EBADMSG);
	/* a section that is not there shows in what comes out */
	ck_assert_int_eq(sections_unpack(b.data, b.size, 1, &u), -EBADMSG);
	ck_assert_int_eq(sections_unpack(b.data, b.size, 2, &u), 0);
	ck_assert_uint_eq(u.size, s.parts[1].size);
	ck_assert_mem_eq(u.parts[1].at, s.parts[1].data, u.size);
	ck_assert_ptr_eq(u.parts[0].at, u.parts[0].end);
}
END_TEST

/* What was used lately is remembered, whatever there is of it; the rest gets another number. */
START_TEST(what_is_remembered)
{
	struct dictionary d = {};
	unsigned int forgotten = 0;
	uint32_t hot, number;

	ck_assert_int_eq(dictionary_begin(&d, 1), 0);
	ck_assert(!dictionary_number(&d, DICTIONARY_NODES, 7, &hot));
	ck_assert_uint_eq(hot, 1);
	/* the same key in another part is another thing */
	ck_assert(!dictionary_number(&d, DICTIONARY_FRAMES, 7, &number));
	ck_assert_uint_eq(number, 1);
	for (uint64_t i = 0; i < 50000; i++)
		ck_assert(!dictionary_number(&d, DICTIONARY_TEXTS, i, &number));
	/* where hashes crowd one may be forgotten early */
	for (uint64_t i = 0; i < 50000; i++) {
		if (dictionary_number(&d, DICTIONARY_TEXTS, i, &number))
			ck_assert_uint_eq(number, i + 1);
		else
			forgotten++;
	}
	ck_assert_uint_lt(forgotten, 100);
	for (int window = 0; window < 50; window++) {
		dictionary_tick(&d);
		for (uint64_t i = 0; i < 5000; i++)
			dictionary_number(&d, DICTIONARY_NODES, 1000000 + window * 5000 + i,
					  &number);
		ck_assert(dictionary_number(&d, DICTIONARY_NODES, 7, &number));
		ck_assert_uint_eq(number, hot);
	}
	dictionary_number(&d, DICTIONARY_TEXTS, 50000, &number);
	ck_assert_uint_eq(number, 50001 + forgotten);
	ck_assert(dictionary_is_full(&d, 0));
	ck_assert(!dictionary_is_full(&d, 1));
	dictionary_end(&d);
}
END_TEST

static int64_t number(const char *sql)
{
	int64_t n;

	ck_assert_int_eq(db_int(db, sql, &n), 0);
	return n;
}

/* A stack that was seen in another window already is found there, and what is new lies on it. */
START_TEST(a_dictionary_grows)
{
	_cleanup_(profile_freep) struct profile *p = known_profile(), *out = NULL;
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_(store_closep) struct store *store = NULL;
	const struct dict_stack *stack;
	uint32_t frames[2];
	int64_t nodes;

	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	ck_assert_int_eq(store_save(store, p), 0);
	nodes = number("SELECT max(nodes) FROM additions");
	frames[0] = dict_get_stack(p->dict, p->samples[0].stack)->frames[0];
	frames[1] = known_frame(p, "new", "/srv/app.py", 3, 4);
	known_add(p, 0, 101, frames, 2, 7);
	ck_assert_int_eq(store_save(store, p), 0);
	ck_assert_int_eq(number("SELECT count(*) FROM additions"), 2);
	ck_assert_int_eq(number("SELECT max(nodes) FROM additions"), nodes + 1);
	ck_assert_int_eq(number("SELECT max(functions) FROM additions"), 10);
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &out), 0);
	ck_assert_uint_eq(out->samples_total, 2 * KNOWN_TOTAL + 7);
	ck_assert_uint_eq(dict_functions(out->dict), 10);
	stack = dict_get_stack(out->dict, dict_stacks(out->dict) - 1);
	ck_assert_uint_eq(stack->depth, 2);
	ck_assert_int_eq(dict_get_frame(out->dict, stack->frames[1])->line, 4);
}
END_TEST

CHECK_MAIN_WITH("store/dictionary", setup, teardown, a_dictionary_grows, a_sound_one_is_read,
		what_cannot_be_is_refused, numbers_that_are_not_there, a_stack_without_end,
		broken_sections, what_is_remembered);
