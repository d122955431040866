/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/store.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "store/head.h"
#include "store/internal.h"
#include "store/schema.h"

/*
 * Pages of 4 kB; about 1 MB of page cache, and a WAL that goes back into the file after 1 MB, so
 * that plopd stays small and readers quick. synchronous=FULL: a window that was saved is there
 * after a power cut as well, for one sync each; NORMAL would lose all since the last checkpoint.
 */
static const char setup_empty[] = "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL;";
static const char setup[] =
	"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-1024;"
	"PRAGMA temp_store=MEMORY;"
	"PRAGMA wal_autocheckpoint=256; PRAGMA journal_size_limit=1048576;";

/* Those of ST_ADD_WINDOW and ST_ADD_ROLLUP are made of the columns (head.h). */
static const char *const statements[ST_MAX] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_PENDING] = "UPDATE meta SET value=?2 WHERE key=?1",
	[ST_COUNTS] = "UPDATE windows SET life_ns=life_ns+?1 WHERE id BETWEEN ?2 AND ?3",
	[ST_COUNTS_ROLLUPS] = "UPDATE rollups SET life_ns=life_ns+?1 WHERE last BETWEEN ?2 AND ?3",
	[ST_COUNTS_RECORDINGS] = "UPDATE recordings SET life_ns=life_ns+?1 WHERE window BETWEEN"
				 " ?2 AND ?3",
	[ST_ADD_ADDITION] = "INSERT INTO additions(id, texts, functions, frames, nodes, processes,"
			    " hash, data) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
	[ST_ADD_COUNTS] = "INSERT INTO counts(id, hash, data) VALUES(?1,?2,?3)",
	[ST_ADD_SUMS] = "INSERT INTO sums(id, dictionary, hash, data) VALUES(?1,?2,?3,?4)",
	[ST_USE_DICTIONARY] = "UPDATE windows SET dictionary=?2 WHERE id=?1",
};

void store_tell(struct store *s, enum store_news what, const char *format, ...)
{
	va_list ap;

	free(s->news[what]);
	va_start(ap, format);
	if (vasprintf(&s->news[what], format, ap) < 0)
		s->news[what] = NULL;
	va_end(ap);
}

char *store_news(struct store *s, enum store_news what)
{
	return TAKE_PTR(s->news[what]);
}

const char *store_trouble(const struct store *s)
{
	return s->trouble;
}

/*
 * Takes the lock, or tells who has it. One that is held stays, if it is still what the name leads
 * to.
 */
static int take_lock(struct store *s, char **ret_error)
{
	_cleanup_free_ char *path = db_path(s->dir, STORE_LOCK);
	_cleanup_close_ int fd = -EBADF;
	struct stat held, named;
	char owner[16] = "";
	int n;

	if (!path)
		return -ENOMEM;
	if (s->lock_fd >= 0 && fstat(s->lock_fd, &held) == 0 && stat(path, &named) == 0 &&
	    held.st_ino == named.st_ino && held.st_dev == named.st_dev)
		return 0;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return db_fail(ret_error, -errno,
			       "cannot open %s: %m; the state directory must be there, and plopd's "
			       "user must be able to write to it",
			       path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return db_fail(ret_error, -errno, "cannot lock %s: %m", path);
		n = (int)pread(fd, owner, sizeof(owner) - 1, 0);
		owner[n > 0 ? strspn(owner, "0123456789") : 0] = '\0';
		return db_fail(ret_error, -EBUSY, "another plopd%s%s%s uses %s already",
			       *owner ? " (pid " : "", owner, *owner ? ")" : "", s->dir);
	}
	/*
	 * Only for that sentence: the lock is what counts. A full disk is no reason to refuse here.
	 */
	n = snprintf(owner, sizeof(owner), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, owner, (size_t)n, 0);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	s->lock_fd = TAKE_FD(fd);
	return 0;
}

/* PATH-wal or PATH-shm; NULL: out of memory. */
static char *beside(const char *path, const char *suffix)
{
	char *name;

	return asprintf(&name, "%s%s", path, suffix) < 0 ? NULL : name;
}

/*
 * SQLite gives the WAL and the -shm the mode of the file, which therefore is made first. One that
 * is there is not even opened: closing it again would drop the locks that SQLite holds on it for
 * readers in this process. A WAL without its file is of one that was removed.
 */
static int make_file(const char *path, char **ret_error)
{
	_cleanup_free_ char *wal = beside(path, "-wal"), *shm = beside(path, "-shm");
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	if (fd < 0 && errno != EEXIST)
		return db_fail(ret_error, -errno, "cannot make %s: %m", path);
	if (fd >= 0 && wal && shm) {
		unlink(wal);
		unlink(shm);
	}
	return 0;
}

/*
 * Looks at the version without changing a byte. The WAL may hold a newer one than the file; without
 * a WAL the file alone is looked at, because even a reader would make one. -EBADMSG: it cannot be
 * used, by *ret_damage.
 */
static int look(const char *path, enum damage *ret_damage, char **ret_error)
{
	_cleanup_free_ char *wal = beside(path, "-wal");
	_cleanup_(db_closep) sqlite3 *db = NULL;
	struct stat sb;
	int r, version;

	if (!wal)
		return -ENOMEM;
	if (stat(path, &sb) < 0)
		return db_fail(ret_error, -errno, "cannot read %s: %m", path);
	*ret_damage = S_ISREG(sb.st_mode) ? DAMAGE_EMPTIED : DAMAGE_NOT_A_FILE;
	if (!S_ISREG(sb.st_mode) || (sb.st_size == 0 && file_bytes(wal) > 0))
		return -EBADMSG;
	r = db_open(path, file_bytes(wal) > 0 ? DB_READ : DB_IMMUTABLE, &db);
	if (r == 0)
		r = schema_look(db, &version);
	if (r == -EPROTO)
		return db_fail(ret_error, r, "%s was made by a newer plop; it stays as it is",
			       path);
	if (r == -EBADMSG && db) {
		*ret_damage = damage_find(db);
		/* it can be read, and says that it is something else */
		if (*ret_damage == DAMAGE_CONTRADICTS)
			*ret_damage = DAMAGE_ANOTHERS;
		return r;
	}
	if (r < 0)
		return db_fail(ret_error, r, "cannot read %s: %s", path, strerror(-r));
	return 0;
}

/* What the newest window says of time. */
static int load_life(struct store *s)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	struct life l = { .first = true };
	int r;

	s->window_id = 0;
	r = db_int(s->db, "SELECT value FROM meta WHERE key='pending_ns'", &l.pending);
	if (r == 0)
		r = db_int(s->db, "SELECT value FROM meta WHERE key='pending_from'", &l.from);
	if (r == 0)
		r = db_prepare(s->db,
			       "SELECT id, end_ns, life_ns FROM windows ORDER BY id DESC LIMIT 1",
			       &st);
	if (r == 0)
		r = db_step(st);
	if (r > 0) {
		s->window_id = sqlite3_column_int64(st, 0);
		l.any = true;
		l.end_ns = MAX(sqlite3_column_int64(st, 1), INT64_C(0));
		l.now = sqlite3_column_int64(st, 2);
	}
	s->life = l;
	/* one more window must still find room for its number */
	return r > 0 && (s->window_id < 0 || s->window_id >= SCHEMA_USED_WINDOW) ? -EBADMSG :
										   MIN(r, 0);
}

int store_check_length(struct store *s)
{
	int64_t pages, page;
	int in_wal = 0, back = 0, rc, r;

	rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_wal, &back);
	r = db_int(s->db, "PRAGMA page_count", &pages);
	if (r == 0)
		r = db_int(s->db, "PRAGMA page_size", &page);
	if (r < 0)
		return r;
	if (rc != SQLITE_OK || in_wal != back)
		return 0;
	return file_bytes(s->path) < (uint64_t)(pages * page) ? -EBADMSG : 0;
}

/* Numbers of dictionaries are not given twice. */
static int load_dictionaries(struct store *s)
{
	int r = db_int(s->db,
		       "SELECT max(ifnull((SELECT max(id) >> 20 FROM additions), 0),"
		       " ifnull((SELECT max(dictionary) FROM windows), 0),"
		       " ifnull((SELECT max(dictionary) FROM rollups), 0),"
		       " ifnull((SELECT max(dictionary) FROM sums), 0))",
		       &s->last_dictionary);

	_Static_assert(ADDITION_SHIFT == 20, "as it is in the statement");
	/* there must still be room for more */
	if (r == 0 && (s->last_dictionary < 0 || s->last_dictionary >= DICTIONARIES_MOST))
		r = -EBADMSG;
	if (r == 0)
		r = db_int(s->db, "SELECT ifnull(min(id), 0) FROM rollups", &s->rollup_id);
	if (r == 0 && (s->rollup_id > 0 || s->rollup_id < -INT32_MAX))
		r = -EBADMSG;
	/* they are made in the order of roll-ups, whose numbers go down */
	if (r == 0)
		r = db_int(s->db, "SELECT ifnull(min(id), 0) FROM sums", &s->sums_to);
	/* a plopd that was killed may have left some that no window has */
	s->prunes = true;
	s->prune_from = 0;
	s->prune_to = DICTIONARIES_MOST;
	s->rolls = true;
	return r == 0 ? carry_look(s) : r;
}

/* On a full disk it takes the room that is kept for going on. */
static int migrate(struct store *s)
{
	int r = schema_migrate(s->db);

	if (r == -ENOSPC && unlink(s->reserve_path) == 0)
		r = schema_migrate(s->db);
	return r;
}

static int prepare_statements(struct store *s)
{
	_cleanup_free_ char *add_window = head_insert("windows", "", 0);
	_cleanup_free_ char *add_rollup = rollup_insert();
	int r = add_window && add_rollup ? 0 : -ENOMEM;

	for (unsigned int i = 0; r == 0 && i < ST_MAX; i++)
		r = db_prepare(s->db,
			       i == ST_ADD_WINDOW ? add_window :
			       i == ST_ADD_ROLLUP ? add_rollup :
						    statements[i],
			       &s->statements[i]);
	return r;
}

/*
 * What tells this file's windows from another's of the same numbers (follow.h). Made for files of
 * before as well; where the disk is full when the store is opened next.
 */
static int name_writer(sqlite3 *db)
{
	int64_t writer;
	int r = db_int(db, "SELECT value FROM meta WHERE key='writer'", &writer);

	if (r == -ENOENT)
		r = db_exec(db, "INSERT OR IGNORE INTO meta VALUES('writer', random())");
	return r == -ENOSPC ? 0 : r;
}

static int prepare(struct store *s)
{
	int version, on = 1, r;

	r = schema_look(s->db, &version);
	if (r == 0 && version == 0)
		r = db_exec(s->db, setup_empty);
	if (r == 0)
		r = db_exec(s->db, setup);
	if (r < 0)
		return r;
	/*
	 * A reader of another user cannot make WAL and -shm: they stay when the last writer closes.
	 */
	sqlite3_file_control(s->db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	r = store_check_length(s);
	if (r == 0 && version < SCHEMA_VERSION)
		r = migrate(s);
	if (r == 0 && version == 0)
		r = older_drop(s->db);
	if (r == 0)
		r = db_int(s->db, "SELECT value FROM meta WHERE key='hash_seed'", &s->seed);
	if (r == 0)
		r = name_writer(s->db);
	if (r == 0)
		r = prepare_statements(s);
	if (r == 0)
		r = load_life(s);
	if (r == 0)
		r = load_dictionaries(s);
	/* what every database of plop has is not there */
	return r == -ENOENT ? -EBADMSG : r;
}

/* -EBADMSG: the file is damaged, by *ret_damage. */
static int connect_once(struct store *s, enum damage *ret_damage, char **ret_error)
{
	int r;

	r = make_file(s->path, ret_error);
	if (r == 0)
		r = look(s->path, ret_damage, ret_error);
	if (r < 0)
		return r;
	r = db_open(s->path, DB_WRITE, &s->db);
	if (r == 0)
		r = prepare(s);
	if (r == 0)
		return 0;
	if (r == -EBADMSG && s->db)
		*ret_damage = damage_find(s->db);
	else
		db_fail(ret_error, r, "cannot prepare %s: %s", s->path, strerror(-r));
	store_disconnect(s);
	return r;
}

/* Sets the file aside, and says so. ret_name: as aside_put() has it. */
static int put_aside(struct store *s, enum damage d, char **ret_name, char **ret_error)
{
	_cleanup_free_ char *name = NULL;
	int r;

	db_names_change();
	r = aside_put(s->path, d, &name);
	db_names_changed();
	if (r < 0)
		return db_fail(ret_error, r, "%s %s, and cannot be set aside: %s", s->path,
			       damage_sentence(d), strerror(-r));
	s->aside = true;
	store_tell(s, STORE_NEWS_DAMAGED,
		   "%s %s; it is kept as %s, and windows are saved in a new file", s->path,
		   damage_sentence(d), name);
	*ret_name = TAKE_PTR(name);
	return 0;
}

int store_connect(struct store *s, char **ret_error)
{
	enum damage damage = DAMAGE_MALFORMED, again = DAMAGE_MALFORMED;
	_cleanup_free_ char *name = NULL;
	int r;

	r = take_lock(s, ret_error);
	if (r < 0)
		return r;
	wal_recover(s->path);
	r = connect_once(s, &damage, ret_error);
	if (r == -EBADMSG) {
		r = put_aside(s, damage, &name, ret_error);
		if (r == 0)
			r = connect_once(s, &again, ret_error);
		if (r == 0)
			salvage_begin(s, name, damage);
		if (r == -EBADMSG)
			db_fail(ret_error, r, "%s %s, though it is new", s->path,
				damage_sentence(again));
	}
	if (r < 0)
		return r;
	store_forget_dictionaries(s);
	reserve_fill(s);
	store_opened(s);
	memos_connected(s);
	return 0;
}

/*
 * Whether SQLite sees what is wrong, with eyes of its own: this connection may have read it long
 * ago.
 */
static bool is_malformed(const struct store *s)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	int64_t sound = 0;
	int r = db_open(s->path, DB_READ, &db);

	/* in parentheses SQLite 3.46 takes a number of faults for the name of a table */
	if (r == 0)
		r = db_int(db, "SELECT quick_check = 'ok' FROM pragma_quick_check", &sound);
	return r < 0 || !sound;
}

int store_mend(struct store *s, enum damage d)
{
	int64_t window_id = s->window_id;
	_cleanup_free_ char *name = NULL;
	struct life life = s->life;
	int r;

	if (d == DAMAGE_CONTRADICTS && is_malformed(s))
		d = DAMAGE_MALFORMED;
	free(TAKE_PTR(s->trouble));
	store_disconnect(s);
	r = put_aside(s, d, &name, &s->trouble);
	if (r == 0)
		r = store_connect(s, &s->trouble);
	if (r < 0)
		return r;
	/* what is taken over comes before what is saved from now on */
	s->window_id = window_id;
	s->life = life;
	salvage_begin(s, name, d);
	return 0;
}

int store_open(const char *state_dir, struct store **ret, char **ret_error)
{
	_cleanup_(store_closep) struct store *s = calloc(1, sizeof(*s));
	struct stat sb;
	int r;

	if (!s)
		return -ENOMEM;
	s->lock_fd = -EBADF;
	s->dir = strdup(state_dir);
	s->path = db_path(state_dir, STORE_FILE);
	s->reserve_path = db_path(state_dir, STORE_RESERVE);
	if (!s->dir || !s->path || !s->reserve_path)
		return -ENOMEM;
	r = store_connect(s, ret_error);
	if (r < 0)
		return r;
	if (stat(state_dir, &sb) < 0)
		return db_fail(ret_error, -errno, "cannot look at %s: %m", state_dir);
	s->dir_mode = sb.st_mode & 07777;
	s->dir_uid = sb.st_uid;
	s->dir_gid = sb.st_gid;
	*ret = TAKE_PTR(s);
	return 0;
}

void store_disconnect(struct store *s)
{
	rolling_done(&s->rolling);
	for (unsigned int i = 0; i < ST_MAX; i++) {
		sqlite3_finalize(s->statements[i]);
		s->statements[i] = NULL;
	}
	sqlite3_close(s->db);
	s->db = NULL;
}

size_t store_cache_bytes(void)
{
	return (size_t)sqlite3_memory_used();
}

void store_rest(struct store *s)
{
	if (s->db)
		sqlite3_db_release_memory(s->db);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	store_disconnect(s);
	/* Last: until here nobody else may write. */
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	for (unsigned int i = 0; i < STORE_NEWS; i++)
		free(s->news[i]);
	salvage_free(s->salvage);
	memos_done(s);
	store_forget_dictionaries(s);
	free(s->trouble);
	free(s->dir);
	free(s->path);
	free(s->reserve_path);
	free(s);
}

void store_keep(struct store *s, uint64_t retention_ns, uint64_t max_bytes)
{
	s->retention_ns[TIER_WINDOWS] = retention_ns;
	s->max_bytes = max_bytes;
	if (s->aside && max_bytes)
		aside_bound(s->dir, max_bytes);
	s->aside = false;
}

void store_roll_up(struct store *s, uint64_t minutes_ns, uint64_t hours_ns)
{
	uint64_t windows_ns = s->retention_ns[TIER_WINDOWS];

	s->rolls_up = !windows_ns || windows_ns >= STORE_ROLLED_LEAST;
	s->retention_ns[TIER_MINUTES] = minutes_ns;
	s->retention_ns[TIER_HOURS] = hours_ns;
}

void store_forget_dictionaries(struct store *s)
{
	prune_note(s, s->dictionary.id);
	prune_note(s, s->older.id);
	prune_note(s, s->sums.id);
	dictionary_end(&s->dictionary);
	dictionary_end(&s->sums);
	dictionary_end(&s->older);
}

void store_rollback(struct store *s)
{
	if (!sqlite3_get_autocommit(s->db))
		db_exec(s->db, "ROLLBACK");
	store_forget_dictionaries(s);
}

uint64_t file_bytes(const char *path)
{
	struct stat sb;

	return stat(path, &sb) == 0 ? (uint64_t)sb.st_size : 0;
}

int store_facts_of(sqlite3 *db, const char *path, struct store_facts *ret)
{
	struct store_facts f = {};
	_cleanup_free_ char *wal = NULL;
	int64_t windows, oldest = 0, rolled, recordings, recordings_bytes;
	int r;

	if (asprintf(&wal, "%s-wal", path) < 0) {
		wal = NULL;
		return -ENOMEM;
	}
	r = db_int(db, "SELECT count(*) FROM windows", &windows);
	if (r < 0)
		return r;
	r = db_int(db, "SELECT start_ns FROM windows ORDER BY end_ns LIMIT 1", &oldest);
	if (r < 0 && r != -ENOENT)
		return r;
	r = db_int(db, "SELECT start_ns FROM rollups ORDER BY end_ns LIMIT 1", &rolled);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0)
		oldest = oldest ? MIN(oldest, rolled) : rolled;
	f.wal_bytes = file_bytes(wal);
	f.bytes = file_bytes(path) + f.wal_bytes;
	f.windows = (uint64_t)windows;
	f.oldest_ns = (uint64_t)oldest;
	r = db_int(db, "SELECT count(*) FROM recordings", &recordings);
	if (r == 0)
		r = db_int(db, "SELECT ifnull(sum(bytes), 0) FROM recordings", &recordings_bytes);
	if (r < 0)
		return r;
	f.recordings = (uint64_t)recordings;
	f.recordings_bytes = (uint64_t)recordings_bytes;
	*ret = f;
	return 0;
}

int store_facts(struct store *s, struct store_facts *ret)
{
	struct store_facts none = { .dropped = s->dropped };
	int r;

	if (!s->db) {
		*ret = none;
		return 0;
	}
	r = store_facts_of(s->db, s->path, ret);
	if (r == 0)
		ret->dropped = s->dropped;
	return r;
}

int store_file(const char *state_dir, struct store_file *ret)
{
	_cleanup_free_ char *path = db_path(state_dir, STORE_FILE);
	struct stat sb;

	if (!path)
		return -ENOMEM;
	if (stat(path, &sb) < 0)
		return -errno;
	*ret = (struct store_file){ sb.st_dev, sb.st_ino };
	return 0;
}
