/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/fsck.h"

#include "store/functions.h"
#include "store/internal.h"
#include "store/reader.h"
#include "store/recording_row.h"
#include "store/schema.h"
#include "store/window.h"

/* Windows that are read in one transaction, and into one profile. */
#define BATCH "128"
/* Rows that SQLite tells of what it finds. */
#define SQLITE_MOST "20"

static void say(struct fsck *f, bool fault, const char *format, ...) _printf_(3, 4);
static void say(struct fsck *f, bool fault, const char *format, ...)
{
	char text[512];
	va_list ap;

	f->faults += fault;
	if (f->faults > FSCK_TOLD_MOST)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	f->tell(f->ctx, fault, text);
}

/* Each line of a row is a fault, but for "ok" and the heading that integrity_check begins with. */
static void say_row(struct fsck *f, const char *row)
{
	static const char heading[] = "*** in database ";

	for (size_t size; *row; row += size + (row[size] == '\n')) {
		size = strcspn(row, "\n");
		if (size == 0 || strncmp(row, heading, strlen(heading)) == 0 ||
		    (size == 2 && strncmp(row, "ok", size) == 0))
			continue;
		say(f, true, "SQLite finds it damaged: %.*s", (int)MIN(size, (size_t)400), row);
	}
}

/* Rows of text, for say_row(). */
static int check_by_sqlite(struct fsck *f, struct store_reader *reader, const char *sql)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r = db_prepare(reader->db, sql, &st);

	while (r >= 0 && (r = db_step(st)) > 0) {
		const char *row = db_text(st, 0);

		if (row)
			say_row(f, row);
	}
	return r;
}

/* What one table of heads is called, and how its rows are found from the last one looked at on. */
struct heads {
	const char *from, *what;
};
static const struct heads windows = { "windows WHERE id > ?1 ORDER BY id LIMIT " BATCH, "window" };
static const struct heads rollups = { "rollups WHERE id > ?1 ORDER BY id LIMIT " BATCH, "roll-up" };

/* The next rows: *last becomes the last of them. Returns how many there were. */
static int check_batch(struct fsck *f, struct store_reader *reader, const struct heads *t,
		       int64_t *last)
{
	static const struct selectors none;
	_cleanup_(window_done) struct window_reader w = {};
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct answer a = { .selectors = &none };
	int n = 0, r = profile_new(0, 0, &p);

	if (r == 0)
		r = window_prepare(&w, reader, t->from);
	if (r < 0)
		return r;
	a.p = p;
	sqlite3_bind_int64(w.heads, 1, *last);
	while ((r = db_step(w.heads)) > 0) {
		struct head h;

		head_read(w.heads, &h);
		*last = h.id;
		n++;
		r = window_add(&w, &a, &h);
		if (r == -EBADMSG)
			say(f, true,
			    "%s %lld cannot be read: what it counted or what that is of is "
			    "missing, damaged, or not of the sum that its head says",
			    t->what, (long long)h.id);
		else if (r < 0)
			return r;
		if (h.start_ns > h.end_ns)
			say(f, true, "%s %lld ends before it begins", t->what, (long long)h.id);
	}
	return r < 0 ? r : n;
}

static int check_heads(struct fsck *f, struct store_reader *reader, const struct heads *t,
		       uint64_t *ret)
{
	int64_t last = INT64_MIN;
	int r;

	do {
		r = reader_begin(reader);
		if (r == 0)
			r = check_batch(f, reader, t, &last);
		reader_end(reader);
		if (r > 0)
			*ret += (uint64_t)r;
	} while (r > 0);
	return r;
}

/* Adds up the heads of what a roll-up is of. 1: all of that is there. */
static int add_pieces(struct store_reader *reader, const struct rollup *of, sqlite3_stmt *st,
		      struct head *ret)
{
	bool of_windows = of->tier == TIER_MINUTES;
	int64_t next = of->first;
	int r;

	sqlite3_bind_int64(st, 1, of->first);
	sqlite3_bind_int64(st, 2, of->last);
	while ((r = db_step(st)) > 0) {
		struct rollup piece = {};

		if (of_windows) {
			head_read(st, &piece.head);
			piece.first = piece.last = piece.head.id;
		} else {
			rollup_read(st, &piece);
		}
		if (piece.first != next)
			break;
		next = piece.last + 1;
		head_add(ret, &piece.head);
	}
	sqlite3_reset(st);
	return r < 0 ? r : next == of->last + 1;
}

static bool same_sums(const struct head *a, const struct head *b)
{
	return a->samples == b->samples && a->start_ns == b->start_ns && a->end_ns == b->end_ns &&
	       memcmp(&a->tally, &b->tally, sizeof(a->tally)) == 0;
}

/* The statements of a look at the roll-ups. */
struct tier_sums {
	sqlite3_stmt *all, *pieces[STORE_TIERS];
};

static void tier_sums_done(struct tier_sums *s)
{
	sqlite3_finalize(s->all);
	for (int i = 0; i < STORE_TIERS; i++)
		sqlite3_finalize(s->pieces[i]);
}

static int sums_prepare(struct store_reader *reader, struct tier_sums *s)
{
	_cleanup_free_ char *all = rollup_select("ORDER BY tier, last");
	_cleanup_free_ char *minutes =
		head_select(SCHEMA_VERSION, "", "windows WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
	_cleanup_free_ char *hours = rollup_select("WHERE tier = 1 AND last BETWEEN ?1 AND ?2"
						   " ORDER BY last");
	int r = all && minutes && hours ? 0 : -ENOMEM;

	if (r == 0)
		r = db_prepare(reader->db, all, &s->all);
	if (r == 0)
		r = db_prepare(reader->db, minutes, &s->pieces[TIER_MINUTES]);
	if (r == 0)
		r = db_prepare(reader->db, hours, &s->pieces[TIER_HOURS]);
	return r;
}

static int check_sums(struct fsck *f, struct store_reader *reader)
{
	_cleanup_(tier_sums_done) struct tier_sums s = {};
	struct rollup before = {}, at;
	int r = sums_prepare(reader, &s);

	while (r >= 0 && (r = db_step(s.all)) > 0) {
		struct head sum = {};

		rollup_read(s.all, &at);
		if (at.tier != TIER_MINUTES && at.tier != TIER_HOURS) {
			say(f, true, "roll-up %lld is of no tier", (long long)at.head.id);
			continue;
		}
		if (at.first > at.last)
			say(f, true, "roll-up %lld is of no window", (long long)at.head.id);
		else if (before.tier == at.tier && at.first <= before.last)
			say(f, true, "windows %lld to %lld are in two roll-ups of one tier",
			    (long long)at.first, (long long)MIN(before.last, at.last));
		before = at;
		r = add_pieces(reader, &at, s.pieces[at.tier], &sum);
		if (r > 0 && !same_sums(&sum, &at.head))
			say(f, true,
			    "roll-up %lld has not the sums of windows %lld to %lld, of which it is",
			    (long long)at.head.id, (long long)at.first, (long long)at.last);
	}
	return r;
}

static int number_nothing(const struct dict_function *f, void *ctx, uint32_t *ret)
{
	*ret = SUMS_OTHERS;
	return 0;
}

/* Whether a roll-up's sums by name can be read, and are of as many samples as its stacks. */
static int check_named_row(struct fsck *f, struct store_reader *reader, struct functions *k,
			   const struct head *h)
{
	uint64_t samples;
	int r;

	sums_clear(&k->sums);
	r = functions_add(k, h);
	functions_sum(k);
	samples = k->sums.samples;
	sums_clear(&k->sums);
	/* what that cannot read is told of the roll-up */
	if (r == -EBADMSG)
		return 0;
	if (r == 0)
		r = named_add(&k->named, reader, k->selectors, k->of->name, h, &k->sums);
	if (r == -EBADMSG || (r > 0 && k->sums.samples != samples))
		say(f, true, "the sums by name of roll-up %lld %s", (long long)h->id,
		    r > 0 ? "are not those of its stacks" :
			    "cannot be read: they or what they are of is missing or damaged");
	return r == -EBADMSG ? 0 : MIN(r, 0);
}

static int check_named(struct fsck *f, struct store_reader *reader)
{
	static const struct selectors all;
	static const struct sums_of of = { .number = number_nothing, .name = "" };
	_cleanup_(functions_done) struct functions k = { .selectors = &all, .of = &of };
	_cleanup_free_ char *sql =
		rollup_select("WHERE tier = 2 AND id IN (SELECT id FROM sums) ORDER BY id");
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r = sql ? window_prepare(&k.windows, reader, NULL) : -ENOMEM;

	if (r == 0)
		r = db_prepare(reader->db, sql, &st);
	while (r >= 0 && (r = db_step(st)) > 0) {
		struct rollup at;

		rollup_read(st, &at);
		r = check_named_row(f, reader, &k, &at.head);
	}
	return r;
}

/* Each addition by itself: those too that no stack needed. */
static int check_additions(struct fsck *f, struct store_reader *reader)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int64_t seed;
	int r = db_int(reader->db, "SELECT value FROM meta WHERE key='hash_seed'", &seed);

	if (r == 0)
		r = db_prepare(reader->db,
			       "SELECT id, texts, functions, frames, nodes, processes, hash, data"
			       " FROM additions ORDER BY id",
			       &st);
	while (r >= 0 && (r = db_step(st)) > 0) {
		int64_t id = sqlite3_column_int64(st, 0), numbers[DICTIONARY_PARTS];
		const void *data = sqlite3_column_blob(st, 7);

		for (int i = 0; i < DICTIONARY_PARTS; i++)
			numbers[i] = sqlite3_column_int64(st, 1 + i);
		if (dictionary_hash(seed, id, numbers, DICTIONARY_PARTS, data,
				    (size_t)sqlite3_column_bytes(st, 7)) !=
		    (uint64_t)sqlite3_column_int64(st, 6))
			say(f, true,
			    "dictionary %lld is damaged: its addition %lld has another hash",
			    (long long)(id >> ADDITION_SHIFT),
			    (long long)(id & ((INT64_C(1) << ADDITION_SHIFT) - 1)));
	}
	return r;
}

/* One after the other by its id: one that cannot be read ends nothing. */
static int check_recording(struct fsck *f, struct recording_row *row, int64_t *last)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int r;

	sqlite3_reset(row->st);
	sqlite3_bind_int64(row->st, 1, *last);
	r = recording_row_next(row);
	if (r == 0 || (r < 0 && row->id <= *last))
		return r;
	*last = row->id;
	f->recordings++;
	if (r > 0)
		r = recording_row_profile(row, &p);
	if (r == -EBADMSG)
		say(f, true, "recording %lld cannot be read: it is damaged", (long long)*last);
	return r == -EBADMSG || r == 0 ? 1 : r;
}

static int check_recordings(struct fsck *f, struct store_reader *reader)
{
	_cleanup_(recording_row_done) struct recording_row row = {};
	int64_t seed, last = INT64_MIN;
	int r = db_int(reader->db, "SELECT value FROM meta WHERE key='hash_seed'", &seed);

	if (r == 0)
		r = recording_row_prepare(&row, reader->db, seed,
					  "WHERE id > ?1 ORDER BY id LIMIT 1");
	if (r == 0)
		r = 1;
	while (r > 0)
		r = check_recording(f, &row, &last);
	return r;
}

/* What nothing refers to. what: before the number of it; a fault, or only worth knowing. */
static const struct {
	const char *sql, *what;
	bool fault;
} unused[] = {
	{ "SELECT count(*) FROM counts WHERE id NOT IN (SELECT id FROM windows) AND id NOT IN"
	  " (SELECT id FROM rollups)",
	  "rows of counts that belong to no window and no roll-up", true },
	{ "SELECT count(*) FROM sums WHERE id NOT IN (SELECT id FROM rollups WHERE tier = 2)",
	  "rows of sums that belong to no roll-up of six hours", true },
	{ "SELECT count(*) FROM additions WHERE id >> 20 NOT IN (SELECT dictionary FROM windows)"
	  " AND id >> 20 NOT IN (SELECT dictionary FROM rollups)"
	  " AND id >> 20 NOT IN (SELECT dictionary FROM sums)",
	  "additions of dictionaries that no window has any more, which plopd lets go some at a "
	  "time",
	  false },
	{ "SELECT count(*) FROM windows WHERE dictionary = 0",
	  "windows as an older plop saved them, which plopd carries over some at a time", false },
};

static int check_unused(struct fsck *f, struct store_reader *reader)
{
	int r = 0;

	_Static_assert(ADDITION_SHIFT == 20, "as it is in the statement");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(unused); i++) {
		int64_t n = 0;

		r = db_int(reader->db, unused[i].sql, &n);
		if (r == 0 && n > 0)
			say(f, unused[i].fault, "%s: %lld", unused[i].what, (long long)n);
	}
	return r;
}

static void on_bad_memo(void *ctx, int64_t id)
{
	static const char *const names[STORE_MEMOS] = {
		[MEMO_MARKS] = "the versions that were set by hand",
		[MEMO_REGRESSIONS] = "what was found to be slower",
		[MEMO_TOKENS] = "the tokens of plopctl token",
	};

	say(ctx, true, "%s cannot be read: damaged",
	    id >= 1 && id <= STORE_MEMOS ? names[id - 1] : "a memo of a number that plop has not");
}

static int check_memos(struct fsck *f, struct store_reader *reader)
{
	return memos_check(reader, on_bad_memo, f);
}

/* Each in a transaction of its own, so that plopd's WAL has an end to wait for. */
static int check_in_one(struct fsck *f, struct store_reader *reader,
			int (*check)(struct fsck *f, struct store_reader *reader))
{
	int r = reader_begin(reader);

	if (r == 0)
		r = check(f, reader);
	reader_end(reader);
	/* what SQLite found may be all there is to say of it */
	if (r == -EBADMSG && f->faults == 0)
		say(f, true, "it contradicts itself, or lacks a table or column that it must have");
	return r == -EBADMSG ? 0 : r;
}

static int check_file(struct fsck *f, struct store_reader *reader)
{
	/* as pragma_integrity_check() SQLite 3.46 takes the number for the name of a table */
	int r = check_by_sqlite(f, reader, "PRAGMA integrity_check(" SQLITE_MOST ")");

	return r == 0 ? check_by_sqlite(f, reader,
					"SELECT 'a row of ' || \"table\" || ' refers to a row of '"
					" || parent || ' that is not there'"
					" FROM pragma_foreign_key_check LIMIT " SQLITE_MOST) :
			r;
}

static int check_windows(struct fsck *f, struct store_reader *reader)
{
	int r = check_heads(f, reader, &windows, &f->windows);

	return r == 0 ? check_heads(f, reader, &rollups, &f->rollups) : r;
}

static int check_all(struct fsck *f, struct store_reader *reader)
{
	int r = check_in_one(f, reader, check_file);

	if (r == 0 && reader->version < SCHEMA_VERSION) {
		say(f, false,
		    "it is of version %d of the schema; plopd brings it to version %d when it "
		    "starts, and only then its windows can be looked at",
		    reader->version, SCHEMA_VERSION);
		return r;
	}
	if (r == 0)
		r = check_in_one(f, reader, check_additions);
	if (r == 0)
		r = check_in_one(f, reader, check_sums);
	if (r == 0)
		r = check_in_one(f, reader, check_named);
	if (r == 0)
		r = check_in_one(f, reader, check_unused);
	if (r == 0)
		r = check_in_one(f, reader, check_recordings);
	if (r == 0)
		r = check_in_one(f, reader, check_memos);
	/* it begins its own transactions */
	if (r == 0)
		r = check_windows(f, reader);
	if (r == -EBADMSG && f->faults == 0)
		say(f, true, "its windows cannot be read");
	return r == -EBADMSG ? 0 : r;
}

int store_fsck(const char *path, struct fsck *f)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	int r = reader_open_damaged(path, &reader);

	if (r < 0)
		return r;
	reader->stay_ns = UINT64_MAX / 2;
	return check_all(f, reader);
}
