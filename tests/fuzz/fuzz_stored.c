/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What plopd and plop-gateway read of a plop.db whose rows are not what was written. Their hashes
 * would keep every input out: so there is a store with windows, roll-ups, sums and a memo, an input
 * is what is changed in it, and each row that was changed gets its hash anew.
 *
 * A change is a row, a section of its blob or a number beside it, where in that, how many bytes go,
 * and how many come. Without changes all is as it was written.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/format/known.h"
#include "fuzz.h"
#include "profile/profile.h"
#include "store/dictionary.h"
#include "store/follow.h"
#include "store/memos.h"
#include "store/reader.h"
#include "store/recordings.h"
#include "store/schema.h"
#include "store/store.h"

/* Windows that there are, an hour from one to the next, so one roll-up of six hours is whole. */
#define WINDOWS   14
#define WINDOW_NS (3600 * NSEC_PER_SEC)
/* What the question about them may take. */
#define MEMORY   (24u << 20)
#define STRANGER 1000

static struct table {
	const char *name, *numbers[12]; /* columns, of which the first so many are hashed */
	unsigned int hashed, sections;
} tables[] = {
	{ "additions",
	  { "texts", "functions", "frames", "nodes", "processes" },
	  DICTIONARY_PARTS,
	  ADDITION_SECTIONS },
	{ "counts", {}, 0, COUNTS_SECTIONS },
	{ "sums", { "dictionary" }, 1, SUMS_SECTIONS },
	{ "windows",
	  { "dictionary", "start_ns", "end_ns", "stepped_ns", "life_ns", "hz", "ticks", "python",
	    "other", "truncated", "samples", "lost_fault" },
	  0,
	  0 },
	{ "rollups",
	  { "dictionary", "start_ns", "end_ns", "tier", "first", "last", "hz", "ticks", "python",
	    "samples", "life_ns" },
	  0,
	  0 },
	{ "recordings",
	  { "uid", "user", "start_ns", "end_ns", "samples", "bytes", "blob_hash" },
	  0,
	  0 },
	{ "memos", { "hash" }, 0, 0 },
};

/* One row as it was written. */
static struct row {
	const struct table *of;
	int64_t id;
	int64_t numbers[ARRAY_SIZE(tables->numbers)];
	unsigned int nnumbers;
	struct buf parts[SECTIONS_MOST];
} rows[256];
static size_t nrows;

static sqlite3 *db;
static int64_t seed;
static struct store_reader *reader;

static void run(const char *sql)
{
	FUZZ_ASSERT(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

/* Of which dictionary what a window or a roll-up counted is. */
static int64_t dictionary_of(const struct row *all, int64_t id)
{
	for (size_t i = 0; i < nrows; i++)
		if (all[i].id == id && !all[i].of->sections)
			return all[i].numbers[0];
	return 0;
}

/* Puts a row into the table as it is now. */
static void put(const struct row *all, const struct row *row)
{
	struct sections s = { .n = row->of->sections };
	_cleanup_buf_ struct buf sql = {}, blob = {};
	int64_t numbers[DICTIONARY_PARTS];
	unsigned int n = row->of->hashed;
	sqlite3_stmt *st = NULL;

	memcpy(numbers, row->numbers, sizeof(numbers));
	if (s.n && n == 0) {
		numbers[0] = dictionary_of(all, row->id);
		n = 1;
	}
	memcpy(s.parts, row->parts, sizeof(s.parts));
	if (s.n && sections_pack(&s, &blob) < 0)
		return;
	buf_printf(&sql, "UPDATE %s SET ", row->of->name);
	for (unsigned int i = 0; i < row->nnumbers; i++)
		buf_printf(&sql, "%s%s=%lld", i ? ", " : "", row->of->numbers[i],
			   (long long)row->numbers[i]);
	if (s.n)
		buf_printf(&sql, "%shash=%lld, data=?1", row->nnumbers ? ", " : "",
			   (long long)dictionary_hash(seed, row->id, numbers, n, blob.data,
						      blob.size));
	buf_printf(&sql, " WHERE id=%lld", (long long)row->id);
	FUZZ_ASSERT(sqlite3_prepare_v2(db, sql.data, (int)sql.size, &st, NULL) == SQLITE_OK);
	if (s.n)
		sqlite3_bind_blob64(st, 1, blob.data, blob.size, SQLITE_STATIC);
	/* a number that another row has already (rollups_tier) is not taken */
	(void)sqlite3_step(st);
	sqlite3_finalize(st);
}

static void load_table(const struct table *t)
{
	_cleanup_buf_ struct buf sql = {};
	sqlite3_stmt *st = NULL;
	unsigned int n = 0;

	while (n < ARRAY_SIZE(t->numbers) && t->numbers[n])
		n++;
	buf_puts(&sql, "SELECT id");
	for (unsigned int i = 0; i < n; i++)
		buf_printf(&sql, ", %s", t->numbers[i]);
	buf_printf(&sql, "%s FROM %s", t->sections ? ", data" : "", t->name);
	FUZZ_ASSERT(sqlite3_prepare_v2(db, sql.data, (int)sql.size, &st, NULL) == SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW && nrows < ARRAY_SIZE(rows)) {
		struct row *row = &rows[nrows++];
		int at = (int)n + 1;
		struct unpacked u;

		*row = (struct row){ .of = t, .id = sqlite3_column_int64(st, 0), .nnumbers = n };
		for (unsigned int i = 0; i < n; i++)
			row->numbers[i] = sqlite3_column_int64(st, 1 + (int)i);
		if (!t->sections)
			continue;
		FUZZ_ASSERT(sections_unpack(sqlite3_column_blob(st, at),
					    (size_t)sqlite3_column_bytes(st, at), t->sections,
					    &u) == 0);
		for (unsigned int i = 0; i < t->sections; i++)
			buf_append(&row->parts[i], u.parts[i].at,
				   (size_t)(u.parts[i].end - u.parts[i].at));
		unpacked_done(&u);
	}
	sqlite3_finalize(st);
}

/* A store as plopd makes it, in a folder that goes again. */
static void make(const char *folder)
{
	_cleanup_(profile_freep) struct profile *kept = known_profile();
	_cleanup_(labels_done) struct labels labels = {};
	const struct store_recording row = { .ident = "r1",
					     .name = "kept",
					     .uid = STRANGER,
					     .user = STRANGER,
					     .start_ns = kept->start_ns,
					     .end_ns = kept->end_ns,
					     .samples = kept->samples_total,
					     .labels = &labels,
					     .facts = "{}" };
	struct store *s = NULL;
	char name[40];

	FUZZ_ASSERT(labels_add(&labels, "build", "12") == 0);
	FUZZ_ASSERT(store_open(folder, &s, NULL) == 0);
	store_keep(s, 48 * 3600 * NSEC_PER_SEC, 0);
	store_roll_up(s, 14 * 86400 * NSEC_PER_SEC, 400 * 86400 * NSEC_PER_SEC);
	for (unsigned int i = 0; i < WINDOWS; i++) {
		_cleanup_(profile_freep) struct profile *p = known_profile();

		p->start_ns = KNOWN_START + i * WINDOW_NS;
		p->end_ns = p->start_ns + 30 * NSEC_PER_SEC;
		snprintf(name, sizeof(name), "function_%u", i % 5);
		known_add(p, i % 2, 1, (uint32_t[]){ known_frame(p, name, "/srv/made.py", 1, 2) },
			  1, 1);
		FUZZ_ASSERT(store_save(s, p) == 0);
	}
	do {
		FUZZ_ASSERT(store_check(s) == 0);
	} while (store_is_mending(s));
	FUZZ_ASSERT(store_put_memo(s, MEMO_MARKS, "{}", 2) == 0);
	FUZZ_ASSERT(store_add_recording(s, &row, kept, NULL) == 0);
	store_close(s);
}

/* The same in memory, where a row is changed at no cost. */
static void copy(const char *path)
{
	sqlite3_backup *backup;
	sqlite3 *file = NULL;

	FUZZ_ASSERT(sqlite3_open(path, &file) == SQLITE_OK);
	FUZZ_ASSERT(sqlite3_exec(file, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) ==
		    SQLITE_OK);
	FUZZ_ASSERT(sqlite3_open(":memory:", &db) == SQLITE_OK);
	backup = sqlite3_backup_init(db, "main", file, "main");
	FUZZ_ASSERT(backup && sqlite3_backup_step(backup, -1) == SQLITE_DONE);
	sqlite3_backup_finish(backup);
	sqlite3_close(file);
}

static int no_window(const struct profile *window, void *ctx)
{
	return 0;
}

static int no_head(const struct head *h, void *ctx)
{
	return 0;
}

static int no_process(const struct profile_process *p, uint64_t start_ns, uint64_t end_ns,
		      void *ctx)
{
	FUZZ_ASSERT(p->info.comm && p->info.version && p->python);
	return 0;
}

static int no_sums(const struct sums *s, void *ctx)
{
	return 0;
}

static int number_of(const struct dict_function *f, void *ctx, uint32_t *ret)
{
	*ret = (uint32_t)strlen(f->name) % 16;
	return 0;
}

static int named(const struct dict_function *f, void *ctx, uint32_t *ret)
{
	*ret = streq(f->name, "Job.work") ? SUMS_NAMED : SUMS_OTHERS;
	return 0;
}

static int sums_process(const struct profile_process *p, uint64_t samples, void *ctx)
{
	return 0;
}

static int sums_call(uint32_t caller, uint32_t callee, uint64_t samples, void *ctx)
{
	return 0;
}

static int sums_line(uint32_t number, int first, int line, uint64_t samples, void *ctx)
{
	return 0;
}

static bool is_known(int r)
{
	return r == 0 || r == -EBADMSG || r == -E2BIG || r == -ETIME || r == -ENOENT ||
	       r == -EFBIG || r == -EAGAIN;
}

static int read_profile(const struct selectors *s)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	uint64_t total = 0;
	int r = store_profile(reader, 0, UINT64_MAX, s, &p);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < p->nsamples; i++) {
		FUZZ_ASSERT(p->samples[i].process < p->nprocesses);
		FUZZ_ASSERT(p->samples[i].stack < dict_stacks(p->dict));
		total += p->samples[i].count;
	}
	FUZZ_ASSERT(total == p->samples_total);
	return 0;
}

static int no_recording(const struct store_recording *r, void *ctx)
{
	return 0;
}

/* Recordings and memos, whose hashes are not made anew: they are as they were, or refused. */
static int read_rest(const struct selectors *see)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_buf_ struct buf facts = {}, memo = {};
	int r = store_each_recording(reader, see, no_recording, NULL);

	if (r == 0)
		r = store_read_recording(reader, "r1", see, &facts, &p);
	if (r == 0)
		r = store_read_memo(reader, MEMO_MARKS, &memo);
	return r;
}

static int read_sums(void)
{
	const struct sums_of all = { .number = number_of,
				     .process = sums_process,
				     .call = sums_call,
				     .line = sums_line },
			     one = { .number = named, .name = "Job.work" };
	int r = store_each_sums(reader, 0, UINT64_MAX, NULL, &all, no_sums, NULL);

	store_reader_unit(reader, STORE_UNIT_HOURS);
	if (r == 0)
		r = store_each_sums(reader, 0, UINT64_MAX, NULL, &one, no_sums, NULL);
	store_reader_unit(reader, 0);
	return r;
}

static int follow(void)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct store_place none = {}, place;
	struct head h;
	uint64_t n;
	int r = store_follow(reader, &none, &h, &place);

	if (r == 0)
		r = store_followed(reader, &place, &p);
	if (r == 0)
		r = store_behind(reader, &place, &n);
	return r;
}

/* Asks all that is asked of a store; the first that is refused, or 0. */
static int ask(bool functions)
{
	struct selectors owned = { .owned = true, .uid = STRANGER };
	_cleanup_buf_ struct buf text = { .limit = 1u << 20 };
	struct store_facts facts;
	int results[10], n = 0, r = 0;

	reader->functions = functions;
	results[n++] = read_profile(NULL);
	results[n++] = read_profile(&owned);
	results[n++] = store_each_window(reader, 0, UINT64_MAX, NULL, no_window, NULL);
	results[n++] = read_sums();
	results[n++] = store_windows(reader, 0, UINT64_MAX, 100, &owned, &text);
	results[n++] = store_each_head(reader, 0, UINT64_MAX, no_head, NULL);
	results[n++] = store_each_process(reader, 0, UINT64_MAX, NULL, true, no_process, NULL);
	results[n++] = follow();
	results[n++] = read_rest(&owned);
	results[n++] = store_reader_facts(reader, &facts);
	for (int i = 0; i < n; i++) {
		FUZZ_ASSERT(is_known(results[i]));
		r = r ? r : results[i];
	}
	return r;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char folder[] = "/tmp/plop-fuzz-XXXXXX", text[64];
	struct stat st;

	FUZZ_ASSERT(mkdtemp(folder));
	make(folder);
	snprintf(text, sizeof(text), "%s/plop.db", folder);
	copy(text);
	snprintf(text, sizeof(text), "rm -r %s", folder);
	FUZZ_ASSERT(system(text) == 0 && stat("/dev/null", &st) == 0);
	reader = calloc(1, sizeof(*reader));
	FUZZ_ASSERT(reader);
	/* the file that it takes its own for is there, and is not opened */
	*reader = (struct store_reader){ .path = strdup("/dev/null"),
					 .db = db,
					 .version = SCHEMA_VERSION,
					 .dev = st.st_dev,
					 .ino = st.st_ino,
					 .stay_ns = STORE_READ_NS,
					 .until_ns = UINT64_MAX };
	store_reader_limit(reader, MEMORY);
	FUZZ_ASSERT(db_int(db, "SELECT value FROM meta WHERE key='hash_seed'", &seed) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		load_table(&tables[i]);
	FUZZ_ASSERT(ask(false) == 0 && ask(true) == 0);
	return 0;
}

/* Takes out cut bytes at a place, and puts others there. */
static void splice(struct buf *b, size_t at, size_t cut, const uint8_t *data, size_t n)
{
	struct buf out = {};

	at = MIN(at, b->size);
	cut = MIN(cut, b->size - at);
	buf_append(&out, b->data, at);
	buf_append(&out, data, n);
	buf_append(&out, b->data ? b->data + at + cut : "", b->size - at - cut);
	FUZZ_ASSERT(!out.error);
	buf_free(b);
	*b = out;
}

static void change(struct row *row, uint8_t part, uint16_t at, uint8_t cut, const uint8_t *data,
		   size_t n)
{
	unsigned int parts = row->of->sections + row->nnumbers;

	if (parts == 0)
		return;
	part = (uint8_t)(part % parts);
	if (part < row->of->sections)
		splice(&row->parts[part], at, cut, data, n);
	else
		memcpy(&row->numbers[part - row->of->sections], data, MIN(n, sizeof(int64_t)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct {
		uint8_t row, part, cut, n;
		uint16_t at;
	} __attribute__((packed)) head;
	static struct row changed[ARRAY_SIZE(rows)];
	static bool is_changed[ARRAY_SIZE(rows)];

	memset(is_changed, 0, sizeof(is_changed));
	memcpy(changed, rows, sizeof(changed));
	while (fuzz_take(&data, &size, &head, sizeof(head))) {
		size_t i = head.row % nrows, n = MIN((size_t)head.n, size);

		if (!is_changed[i])
			for (size_t k = 0; k < SECTIONS_MOST; k++) {
				changed[i].parts[k] = (struct buf){};
				buf_append(&changed[i].parts[k], rows[i].parts[k].data,
					   rows[i].parts[k].size);
			}
		is_changed[i] = true;
		change(&changed[i], head.part, head.at, head.cut, data, n);
		data += n;
		size -= n;
	}
	run("SAVEPOINT input");
	for (size_t i = 0; i < nrows; i++)
		if (is_changed[i])
			put(changed, &changed[i]);
	run("RELEASE input");
	(void)ask(false);
	(void)ask(true);
	run("SAVEPOINT input");
	for (size_t i = 0; i < nrows; i++) {
		for (size_t k = 0; is_changed[i] && k < SECTIONS_MOST; k++)
			buf_free(&changed[i].parts[k]);
		if (is_changed[i])
			put(rows, &rows[i]);
	}
	run("RELEASE input");
	return 0;
}
