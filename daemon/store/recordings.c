/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/recordings.h"

#include "store/internal.h"
#include "store/reader.h"
#include "store/recording_blob.h"
#include "store/recording_row.h"

/* How many and how large those that a statement chooses may be together. */
struct bound {
	const char *sql;
	uint64_t bytes, n;
};

/* What there may be for one more of a user's. Returns how many bounds. */
static unsigned int bounds_of(const struct store *s, uid_t user, struct bound ret[3])
{
	uint64_t bytes = s->max_bytes ? s->max_bytes / RECORDINGS_PART : UINT64_MAX;
	unsigned int n = 0;

	ret[n++] = (struct bound){ "SELECT count(*), sum(bytes) FROM recordings", bytes,
				   RECORDINGS_MOST };
	if (user == STORE_TRUSTED)
		return n;
	ret[n++] = (struct bound){ "SELECT count(*), sum(bytes) FROM recordings WHERE user >= 0",
				   bytes / RECORDINGS_USERS_PART,
				   RECORDINGS_MOST / RECORDINGS_USERS_PART };
	ret[n++] = (struct bound){ "SELECT count(*), sum(bytes) FROM recordings WHERE user = ?1",
				   bytes / RECORDINGS_USER_PART,
				   RECORDINGS_MOST / RECORDINGS_USER_PART };
	return n;
}

/* Whether one more is within a bound: 1, or 0. */
static int is_within(sqlite3 *db, const struct bound *b, int64_t user, uint64_t bytes)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r = db_prepare(db, b->sql, &st);

	if (r < 0)
		return r;
	if (sqlite3_bind_parameter_count(st))
		sqlite3_bind_int64(st, 1, user);
	r = db_step(st);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	return (uint64_t)sqlite3_column_int64(st, 0) < b->n &&
	       bytes <= b->bytes - MIN(b->bytes, (uint64_t)sqlite3_column_int64(st, 1));
}

/* Whether there is room for one more: 1, or 0. */
static int has_room(sqlite3 *db, const struct bound *bounds, unsigned int n, int64_t user,
		    uint64_t bytes)
{
	int r = 1;

	for (unsigned int i = 0; r > 0 && i < n; i++)
		r = is_within(db, &bounds[i], user, bytes);
	return r;
}

/* Lets the oldest of a user's go. -EDQUOT: there is none. */
static int remove_oldest(sqlite3 *db, int64_t user)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r = db_prepare(db,
			   "DELETE FROM recordings WHERE id ="
			   " (SELECT min(id) FROM recordings WHERE user = ?1)",
			   &st);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, user);
	r = db_run(st);
	return r < 0 ? r : sqlite3_changes(db) ? 0 : -EDQUOT;
}

/* Makes room for one more. Returns how many went for it. */
static int make_room(const struct store *s, const struct store_recording *row)
{
	struct bound bounds[3];
	unsigned int n = bounds_of(s, row->user, bounds);
	int64_t user = recording_row_user(row->user);
	int r, gone = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (row->bytes > bounds[i].bytes)
			return -E2BIG;
	}
	while ((r = has_room(s->db, bounds, n, user, row->bytes)) == 0) {
		r = remove_oldest(s->db, user);
		if (r < 0)
			return r;
		gone++;
	}
	return r < 0 ? r : gone;
}

static void tell_gone(struct store *s, const struct store_recording *row, int gone)
{
	char whose[32] = "of root and group plop";

	if (row->user != STORE_TRUSTED)
		snprintf(whose, sizeof(whose), "of user %u", row->user);
	store_tell(s, STORE_NEWS_RECORDINGS,
		   "there was no room for one more recording %s: the oldest %d that had been kept "
		   "went",
		   whose, gone);
}

/* What of the file is as it was before; nothing in it was of a dictionary. */
static void rollback(const struct store *s)
{
	if (!sqlite3_get_autocommit(s->db))
		db_exec(s->db, "ROLLBACK");
}

static int add(struct store *s, const struct store_recording *row, const struct buf *blob,
	       unsigned int *ret_gone)
{
	struct recording_times times = {
		.window = s->window_id,
		.life_ns = s->life.any ? s->life.now :
					 (int64_t)MIN(row->end_ns, (uint64_t)INT64_MAX),
	};
	int gone, r = db_run(s->statements[ST_BEGIN]);

	if (r < 0)
		return r;
	gone = make_room(s, row);
	r = gone < 0 ? gone : recording_row_insert(s->db, s->seed, row, &times, blob);
	if (r == 0)
		r = db_run(s->statements[ST_COMMIT]);
	if (r < 0) {
		rollback(s);
		return r;
	}
	if (ret_gone)
		*ret_gone = (unsigned int)gone;
	if (gone > 0) {
		s->prunes = true;
		tell_gone(s, row, gone);
	}
	return 0;
}

int store_add_recording(struct store *s, const struct store_recording *row, const struct profile *p,
			unsigned int *ret_gone)
{
	_cleanup_buf_ struct buf blob = {};
	struct store_recording k = *row;
	int r = store_ready(s);

	if (r == 0)
		r = recording_pack(p, s->seed, &blob);
	if (r < 0)
		return r;
	k.bytes = recording_row_bytes(&k, &blob);
	r = add(s, &k, &blob, ret_gone);
	if (r == -EBADMSG && s->db) {
		r = store_mend(s, damage_find(s->db));
		if (r == 0)
			r = add(s, &k, &blob, ret_gone);
	}
	return r;
}

static int remove_one(struct store *s, const char *ident, const struct selectors *see)
{
	_cleanup_(recording_row_done) struct recording_row row = {};
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r = recording_row_prepare(&row, s->db, s->seed, "WHERE ident = ?1");

	if (r < 0)
		return r;
	db_bind_text(row.st, 1, ident);
	r = recording_row_next(&row);
	if (r == 0 || (r > 0 && !store_recording_is_seen(&row.row, see)))
		return -ENOENT;
	if (r > 0)
		r = db_prepare(s->db, "DELETE FROM recordings WHERE id = ?1", &st);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, row.id);
	sqlite3_reset(row.st);
	r = db_run(st);
	s->prunes = s->prunes || r == 0;
	return r;
}

int store_remove_recording(struct store *s, const char *ident, const struct selectors *see)
{
	int r = store_ready(s);

	if (r == 0)
		r = remove_one(s, ident, see);
	if (r == -EBADMSG && s->db) {
		r = store_mend(s, damage_find(s->db));
		r = r < 0 ? r : -EAGAIN;
	}
	return r;
}

int recordings_take_over(struct store *s, struct store_reader *from, int64_t *last, uint64_t *taken)
{
	_cleanup_(recording_row_done) struct recording_row row = {};
	struct buf blob = {};
	int64_t seed;
	int r = db_int(from->db, "SELECT value FROM meta WHERE key='hash_seed'", &seed);

	if (r == 0)
		r = recording_row_prepare(&row, from->db, seed,
					  "WHERE id > ?1 ORDER BY id LIMIT 1");
	/* a version that has none, or one that cannot be read at all */
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	sqlite3_bind_int64(row.st, 1, *last);
	r = recording_row_next(&row);
	if (r == 0 || (r < 0 && row.id <= *last))
		return r == -ENOMEM ? r : 0;
	*last = row.id;
	if (r > 0)
		r = recording_row_blob(&row);
	if (r < 0)
		return r == -ENOMEM ? r : 1;
	blob.data = (char *)row.blob;
	blob.size = row.blob_size;
	r = recording_row_insert(s->db, s->seed, &row.row, &row.times, &blob);
	*taken += r == 0;
	/* there are two of the same, by what a damaged file says */
	return r == 0 || r == -EEXIST ? 1 : r;
}

void store_keep_recordings(struct store *s, uint64_t retention_ns)
{
	s->recordings_ns = retention_ns;
}

/* Recordings that go in one transaction. */
#define EXPIRE_BATCH "16"

int recordings_expire(struct store *s)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int64_t before;
	int r;

	if (!s->recordings_ns || !s->life.any ||
	    __builtin_sub_overflow(s->life.now, (int64_t)MIN(s->recordings_ns, (uint64_t)INT64_MAX),
				   &before))
		return 0;
	r = db_prepare(s->db,
		       "DELETE FROM recordings WHERE id IN (SELECT id FROM recordings"
		       " WHERE life_ns <= ?1 ORDER BY id LIMIT " EXPIRE_BATCH ")",
		       &st);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, before);
	r = db_run(st);
	s->prunes = s->prunes || (r == 0 && sqlite3_changes(s->db) > 0);
	return r;
}

bool store_recording_is_seen(const struct store_recording *r, const struct selectors *see)
{
	return !see || !see->owned ||
	       (r->user != STORE_TRUSTED && selectors_see(see, r->uid, NULL));
}

static int each_seen(struct store_reader *reader, const struct selectors *see,
		     store_recording_fn each, void *ctx)
{
	_cleanup_(recording_row_done) struct recording_row row = {};
	int64_t seed;
	int r = db_int(reader->db, "SELECT value FROM meta WHERE key='hash_seed'", &seed);

	if (r == 0)
		r = recording_row_prepare(&row, reader->db, seed, "ORDER BY id DESC");
	while (r >= 0 && (r = recording_row_next(&row)) > 0) {
		if (store_recording_is_seen(&row.row, see))
			r = each(&row.row, ctx);
	}
	return r;
}

int store_each_recording(struct store_reader *reader, const struct selectors *see,
			 store_recording_fn each, void *ctx)
{
	int r = reader_begin(reader);

	if (r == 0)
		r = each_seen(reader, see, each, ctx);
	reader_end(reader);
	return r;
}

static int read_one(struct store_reader *reader, const char *ident, const struct selectors *see,
		    struct buf *facts, struct profile **ret)
{
	_cleanup_(recording_row_done) struct recording_row row = {};
	int64_t seed;
	int r = db_int(reader->db, "SELECT value FROM meta WHERE key='hash_seed'", &seed);

	if (r == 0)
		r = recording_row_prepare(&row, reader->db, seed, "WHERE ident = ?1");
	if (r < 0)
		return r;
	db_bind_text(row.st, 1, ident);
	r = recording_row_next(&row);
	if (r == 0 || (r > 0 && !store_recording_is_seen(&row.row, see)))
		return -ENOENT;
	if (r > 0 && ret)
		r = recording_row_profile(&row, ret);
	if (r < 0)
		return r;
	buf_puts(facts, row.row.facts);
	return 0;
}

int store_read_recording(struct store_reader *reader, const char *ident,
			 const struct selectors *see, struct buf *facts, struct profile **ret)
{
	int r = reader_begin(reader);

	if (r == 0)
		r = read_one(reader, ident, see, facts, ret);
	reader_end(reader);
	return r;
}
