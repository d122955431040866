/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/memos.h"

#include "store/internal.h"
#include "store/reader.h"

/* The number of its row. */
static int64_t id_of(enum store_memo which)
{
	return (int64_t)which + 1;
}

static uint64_t hash_of(int64_t seed, int64_t id, const void *data, size_t size)
{
	const int64_t numbers[] = { (int64_t)size };

	return dictionary_hash(seed, id, numbers, ARRAY_SIZE(numbers), data, size);
}

/* A row of id, hash and data; whether it is what was written. */
static bool is_sound(sqlite3_stmt *st, int64_t seed)
{
	const void *data = sqlite3_column_blob(st, 2);
	size_t size = (size_t)sqlite3_column_bytes(st, 2);

	return hash_of(seed, sqlite3_column_int64(st, 0), data, size) ==
	       (uint64_t)sqlite3_column_int64(st, 1);
}

static int prepare(sqlite3 *db, const char *what, int64_t *ret_seed, sqlite3_stmt **ret)
{
	_cleanup_free_ char *sql = NULL;
	int r = db_int(db, "SELECT value FROM meta WHERE key='hash_seed'", ret_seed);

	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	if (asprintf(&sql, "SELECT id, hash, data FROM memos %s", what) < 0) {
		sql = NULL;
		return -ENOMEM;
	}
	return db_prepare(db, sql, ret);
}

static int read_row(sqlite3 *db, enum store_memo which, struct buf *to)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int64_t seed;
	int r = prepare(db, "WHERE id=?1", &seed, &st);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, id_of(which));
	r = db_step(st);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	if (!is_sound(st, seed))
		return -EBADMSG;
	buf_append(to, sqlite3_column_blob(st, 2), (size_t)sqlite3_column_bytes(st, 2));
	return to->error ? -ENOMEM : 0;
}

int store_read_memo(struct store_reader *reader, enum store_memo which, struct buf *to)
{
	int r = reader_begin(reader);

	if (r == 0)
		r = read_row(reader->db, which, to);
	reader_end(reader);
	return r;
}

static int write_row(struct store *s, enum store_memo which)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	struct memo *m = &s->memos[which];
	int64_t id = id_of(which);
	int r = db_prepare(s->db, "INSERT OR REPLACE INTO memos(id, hash, data) VALUES(?1,?2,?3)",
			   &st);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, id);
	sqlite3_bind_int64(st, 2,
			   (int64_t)hash_of(s->seed, id, m->text.data ? m->text.data : "",
					    m->text.size));
	sqlite3_bind_blob64(st, 3, m->text.data ? m->text.data : "", m->text.size, SQLITE_STATIC);
	r = db_run(st);
	m->written = r == 0;
	return r;
}

/* Whether the file has it as it is here. */
static bool is_written(struct store *s, enum store_memo which)
{
	const struct memo *m = &s->memos[which];
	_cleanup_buf_ struct buf b = {};

	return read_row(s->db, which, &b) == 0 && b.size == m->text.size &&
	       (b.size == 0 || memcmp(b.data, m->text.data, b.size) == 0);
}

/* Takes what was read, if nothing is here yet. */
static void take(struct memo *m, int r, struct buf *b)
{
	if (r == 0 && !m->known) {
		m->known = true;
		m->text = *b;
		*b = (struct buf){};
	}
	buf_free(b);
}

void memos_take_over(struct store *s, struct store_reader *from)
{
	for (int i = 0; i < STORE_MEMOS; i++) {
		struct buf b = { .limit = MEMO_MAX };

		take(&s->memos[i], store_read_memo(from, (enum store_memo)i, &b), &b);
	}
}

int memos_write(struct store *s)
{
	int r = 0;

	for (int i = 0; r == 0 && i < STORE_MEMOS; i++)
		if (s->memos[i].known && !s->memos[i].written)
			r = write_row(s, (enum store_memo)i);
	return r;
}

void memos_connected(struct store *s)
{
	for (int i = 0; i < STORE_MEMOS; i++) {
		struct buf b = { .limit = MEMO_MAX };

		take(&s->memos[i], read_row(s->db, (enum store_memo)i, &b), &b);
		s->memos[i].written = is_written(s, (enum store_memo)i);
	}
	/* else when windows can be saved again */
	memos_write(s);
}

void memos_done(struct store *s)
{
	for (int i = 0; i < STORE_MEMOS; i++)
		buf_free(&s->memos[i].text);
}

int store_put_memo(struct store *s, enum store_memo which, const char *text, size_t size)
{
	struct memo *m = &s->memos[which];
	struct buf b = {};
	int r;

	if (size > MEMO_MAX)
		return -EFBIG;
	buf_append(&b, text, size);
	if (b.error) {
		buf_free(&b);
		return -ENOMEM;
	}
	buf_free(&m->text);
	*m = (struct memo){ .text = b, .known = true };
	/* where that finds another file, it puts it there */
	r = store_ready(s);
	if (r == 0)
		r = memos_write(s);
	if (r == -EBADMSG && s->db) {
		r = store_mend(s, damage_find(s->db));
		if (r == 0)
			r = memos_write(s);
	}
	return r;
}

int memos_check(struct store_reader *reader, void (*bad)(void *ctx, int64_t id), void *ctx)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int64_t seed;
	int r = prepare(reader->db, "ORDER BY id", &seed, &st);

	while (r == 0 && (r = db_step(st)) > 0) {
		if (!is_sound(st, seed))
			bad(ctx, sqlite3_column_int64(st, 0));
		r = 0;
	}
	return r;
}
