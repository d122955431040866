/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/recording_row.h"

#include <xxhash.h>

#include "store/recording_blob.h"

/* In the order in which they are inserted and read; id comes before them when it is read. */
enum column {
	IDENT,
	NAME,
	UID,
	USER,
	START_NS,
	END_NS,
	SAMPLES,
	WINDOW,
	LIFE_NS,
	BYTES,
	LABELS,
	FACTS,
	BLOB_HASH,
	HASH,
	BLOB,
};
#define COLUMNS                                                                               \
	"ident, name, uid, user, start_ns, end_ns, samples, window, life_ns, bytes, labels, " \
	"facts,"                                                                              \
	" blob_hash, hash, data"

/* What a row takes beside its texts and its blob, about: its numbers, and its page half full. */
#define ROW_BYTES 512

int64_t recording_row_user(uid_t user)
{
	return user == STORE_TRUSTED ? -1 : (int64_t)user;
}

/* Each key and each value with its NUL. */
static void put_labels(const struct labels *l, struct buf *to)
{
	for (size_t i = 0; i < l->n; i++) {
		buf_append(to, l->items[i].key, strlen(l->items[i].key) + 1);
		buf_append(to, l->items[i].value, strlen(l->items[i].value) + 1);
	}
}

static int get_labels(const char *at, size_t size, struct labels *to)
{
	const char *end = at + size, *texts[2];
	int r = 0;

	while (r == 0 && at < end) {
		for (int i = 0; i < 2; i++) {
			const char *nul = memchr(at, '\0', (size_t)(end - at));

			if (!nul)
				return -EBADMSG;
			texts[i] = at;
			at = nul + 1;
		}
		r = labels_add(to, texts[0], texts[1]);
	}
	return r == 0 || r == -ENOMEM ? r : -EBADMSG;
}

static int hash_of(const struct store_recording *row, int64_t seed, uint64_t blob_hash,
		   uint64_t *ret)
{
	_cleanup_buf_ struct buf b = {};
	const uint64_t numbers[] = { row->uid,     row->user,  row->start_ns, row->end_ns,
				     row->samples, row->bytes, blob_hash };

	buf_append(&b, numbers, sizeof(numbers));
	buf_append(&b, row->ident, strlen(row->ident) + 1);
	buf_append(&b, row->name, strlen(row->name) + 1);
	buf_append(&b, row->facts, strlen(row->facts) + 1);
	put_labels(row->labels, &b);
	if (b.error)
		return b.error;
	*ret = XXH3_64bits_withSeed(b.data, b.size, (uint64_t)seed);
	return 0;
}

static uint64_t hash_blob(int64_t seed, const void *data, size_t size)
{
	return XXH3_64bits_withSeed(data, size, (uint64_t)seed);
}

uint64_t recording_row_bytes(const struct store_recording *row, const struct buf *blob)
{
	_cleanup_buf_ struct buf labels = {};

	put_labels(row->labels, &labels);
	return ROW_BYTES + strlen(row->name) + strlen(row->facts) + labels.size + blob->size;
}

static void bind_row(sqlite3_stmt *st, const struct store_recording *row,
		     const struct recording_times *times, const struct buf *labels)
{
	db_bind_text(st, 1 + IDENT, row->ident);
	db_bind_text(st, 1 + NAME, row->name);
	sqlite3_bind_int64(st, 1 + UID, row->uid);
	sqlite3_bind_int64(st, 1 + USER, recording_row_user(row->user));
	sqlite3_bind_int64(st, 1 + START_NS, (int64_t)row->start_ns);
	sqlite3_bind_int64(st, 1 + END_NS, (int64_t)row->end_ns);
	sqlite3_bind_int64(st, 1 + SAMPLES, (int64_t)row->samples);
	sqlite3_bind_int64(st, 1 + WINDOW, times->window);
	sqlite3_bind_int64(st, 1 + LIFE_NS, times->life_ns);
	sqlite3_bind_int64(st, 1 + BYTES, (int64_t)row->bytes);
	sqlite3_bind_blob64(st, 1 + LABELS, labels->size ? labels->data : "", labels->size,
			    SQLITE_STATIC);
	db_bind_text(st, 1 + FACTS, row->facts);
}

int recording_row_insert(sqlite3 *db, int64_t seed, const struct store_recording *row,
			 const struct recording_times *times, const struct buf *blob)
{
	uint64_t hash, blob_hash = hash_blob(seed, blob->data, blob->size);
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	_cleanup_buf_ struct buf labels = {};
	int r = hash_of(row, seed, blob_hash, &hash);

	put_labels(row->labels, &labels);
	if (r == 0)
		r = labels.error;
	if (r == 0)
		r = db_prepare(db,
			       "INSERT INTO recordings(" COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,"
			       "?9,?10,?11,?12,?13,?14,?15)",
			       &st);
	if (r < 0)
		return r;
	bind_row(st, row, times, &labels);
	sqlite3_bind_int64(st, 1 + BLOB_HASH, (int64_t)blob_hash);
	sqlite3_bind_int64(st, 1 + HASH, (int64_t)hash);
	sqlite3_bind_blob64(st, 1 + BLOB, blob->data, blob->size, SQLITE_STATIC);
	return db_run(st);
}

int recording_row_prepare(struct recording_row *k, sqlite3 *db, int64_t seed, const char *what)
{
	_cleanup_free_ char *sql = NULL;

	*k = (struct recording_row){ .seed = seed };
	if (asprintf(&sql, "SELECT id, " COLUMNS " FROM recordings %s", what) < 0) {
		sql = NULL;
		return -ENOMEM;
	}
	return db_prepare(db, sql, &k->st);
}

/* A number of the row as it is in the table. */
static uint64_t number(const struct recording_row *k, enum column c)
{
	return (uint64_t)sqlite3_column_int64(k->st, 1 + (int)c);
}

static int read_texts(struct recording_row *k)
{
	struct store_recording *row = &k->row;
	const void *labels = sqlite3_column_blob(k->st, 1 + LABELS);
	int size = sqlite3_column_bytes(k->st, 1 + LABELS);
	int r;

	labels_done(&k->labels);
	r = size ? get_labels(labels, (size_t)size, &k->labels) : 0;
	row->labels = &k->labels;
	row->ident = db_text(k->st, 1 + IDENT);
	row->name = db_text(k->st, 1 + NAME);
	row->facts = db_text(k->st, 1 + FACTS);
	return r < 0 ? r : row->ident && row->name && row->facts ? 0 : -ENOMEM;
}

int recording_row_next(struct recording_row *k)
{
	struct store_recording *row = &k->row;
	uint64_t hash;
	int r;

	k->blob = NULL;
	k->id = INT64_MIN;
	r = db_step(k->st);
	if (r <= 0)
		return r;
	k->id = sqlite3_column_int64(k->st, 0);
	k->times.window = (int64_t)number(k, WINDOW);
	k->times.life_ns = (int64_t)number(k, LIFE_NS);
	row->uid = (uid_t)number(k, UID);
	row->user = (uid_t)number(k, USER);
	row->start_ns = number(k, START_NS);
	row->end_ns = number(k, END_NS);
	row->samples = number(k, SAMPLES);
	row->bytes = number(k, BYTES);
	r = read_texts(k);
	if (r == 0)
		r = hash_of(row, k->seed, number(k, BLOB_HASH), &hash);
	if (r < 0)
		return r;
	return hash == number(k, HASH) ? 1 : -EBADMSG;
}

int recording_row_blob(struct recording_row *k)
{
	const void *data = sqlite3_column_blob(k->st, 1 + BLOB);
	size_t size = (size_t)sqlite3_column_bytes(k->st, 1 + BLOB);

	if (!data || size > RECORDING_BLOB_MAX ||
	    hash_blob(k->seed, data, size) != number(k, BLOB_HASH))
		return -EBADMSG;
	k->blob = data;
	k->blob_size = size;
	return 0;
}

int recording_row_profile(struct recording_row *k, struct profile **ret)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int r = recording_row_blob(k);

	if (r == 0)
		r = recording_unpack(k->blob, k->blob_size, &p);
	if (r < 0)
		return r;
	if (p->samples_total != k->row.samples)
		return -EBADMSG;
	r = labels_copy(&k->labels, &p->labels);
	if (r == 0)
		*ret = TAKE_PTR(p);
	return r;
}

void recording_row_done(struct recording_row *k)
{
	sqlite3_finalize(k->st);
	labels_done(&k->labels);
	*k = (struct recording_row){};
}
