/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "store/internal.h"
#include "store/schema.h"

/*
 * Pages of 4 kB; about 1 MB of page cache, and a WAL that goes back into the file after 1 MB, so that plopd stays small
 * and readers quick. synchronous=NORMAL: a power cut may cost the last windows, never the file.
 */
static const char setup_empty[] = "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL;";
static const char setup[] =
	"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-1024;"
	"PRAGMA temp_store=MEMORY;"
	"PRAGMA wal_autocheckpoint=256; PRAGMA journal_size_limit=1048576;";

static const char *const statements[ST_MAX] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_FIND_FUNCTION] = "SELECT id, used FROM functions WHERE hash=?1",
	[ST_ADD_FUNCTION] =
		"INSERT INTO functions(hash, used, line, name, file) VALUES(?1,?2,?3,?4,?5)",
	[ST_USE_FUNCTION] = "UPDATE functions SET used=?2 WHERE id=?1",
	[ST_FIND_STACK] = "SELECT id, used FROM stacks WHERE hash=?1",
	[ST_ADD_STACK] = "INSERT INTO stacks(hash, used, frames) VALUES(?1,?2,?3)",
	[ST_USE_STACK] = "UPDATE stacks SET used=?2 WHERE id=?1",
	[ST_FIND_PROCESS] = "SELECT id, used FROM processes WHERE hash=?1",
	[ST_ADD_PROCESS] =
		"INSERT INTO processes(hash, used, pid, start_ticks, start_time, uid, python, comm,"
		" exe, cmdline, cgroup, unit, container, service, version)"
		" VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)",
	[ST_USE_PROCESS] = "UPDATE processes SET used=?2 WHERE id=?1",
	[ST_ADD_WINDOW] =
		"INSERT INTO windows(start_ns, end_ns, hz, ticks, python, other, truncated, "
		"samples,"
		" lost_fault, lost_stacks_full, lost_frames_full, lost_unsupported, lost_corrupt,"
		" lost_drain, lost_threads) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,"
		"?14,?15)",
	[ST_ADD_SAMPLES] = "INSERT INTO samples(id, process, samples, data) VALUES(?1,?2,?3,?4)",
};

/* Takes the lock, or tells who has it. */
static int take_lock(const char *state_dir, int *ret, char **ret_error)
{
	_cleanup_free_ char *path = db_path(state_dir, STORE_LOCK);
	_cleanup_close_ int fd = -EBADF;
	char owner[16] = "";
	int n;

	if (!path)
		return -ENOMEM;
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
			       *owner ? " (pid " : "", owner, *owner ? ")" : "", state_dir);
	}
	/* Only for that sentence: the lock is what counts. A full disk is no reason to refuse here. */
	n = snprintf(owner, sizeof(owner), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, owner, (size_t)n, 0);
	*ret = TAKE_FD(fd);
	return 0;
}

/*
 * SQLite gives the WAL and the -shm the mode of the file, which therefore is made first. One that is there is not even
 * opened: closing it again would drop the locks that SQLite holds on it for readers in this process.
 */
static int make_file(const char *path, char **ret_error)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	if (fd < 0 && errno != EEXIST)
		return db_fail(ret_error, -errno, "cannot make %s: %m", path);
	return 0;
}

/*
 * Looks at the version without changing a byte. The WAL may hold a newer one than the file; without a WAL the file
 * alone is looked at, because even a reader would make one.
 */
static int refuse_newer(const char *path, char **ret_error)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	_cleanup_free_ char *wal = NULL;
	struct stat sb;
	int r, version;

	if (asprintf(&wal, "%s-wal", path) < 0) {
		wal = NULL;
		return -ENOMEM;
	}
	r = db_open(path, stat(wal, &sb) == 0 && sb.st_size > 0 ? DB_READ : DB_IMMUTABLE, &db);
	if (r == 0)
		r = schema_look(db, &version);
	if (r == -EPROTO)
		return db_fail(ret_error, r, "%s was made by a newer plop; it stays as it is",
			       path);
	if (r == -EBADMSG)
		return db_fail(ret_error, r, "%s is no database of plop, or a broken one", path);
	if (r < 0)
		return db_fail(ret_error, r, "cannot read %s: %s", path, strerror(-r));
	return 0;
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
	/* A reader of another user cannot make WAL and -shm: they stay when the last writer closes. */
	sqlite3_file_control(s->db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	if (version < SCHEMA_VERSION) {
		r = schema_migrate(s->db);
		if (r < 0)
			return r;
	}
	r = db_int(s->db, "SELECT value FROM meta WHERE key='hash_seed'", &s->seed);
	for (unsigned int i = 0; r == 0 && i < ST_MAX; i++)
		r = db_prepare(s->db, statements[i], &s->statements[i]);
	return r;
}

int store_open(const char *state_dir, struct store **ret, char **ret_error)
{
	_cleanup_(store_closep) struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->lock_fd = -EBADF;
	s->path = db_path(state_dir, STORE_FILE);
	s->reserve_path = db_path(state_dir, STORE_RESERVE);
	if (!s->path || !s->reserve_path)
		return -ENOMEM;
	r = take_lock(state_dir, &s->lock_fd, ret_error);
	if (r < 0)
		return r;
	r = make_file(s->path, ret_error);
	if (r == 0)
		r = refuse_newer(s->path, ret_error);
	if (r < 0)
		return r;
	r = db_open(s->path, DB_WRITE, &s->db);
	if (r == 0)
		r = prepare(s);
	if (r < 0)
		return db_fail(ret_error, r, "cannot prepare %s: %s", s->path, strerror(-r));
	reserve_fill(s);
	*ret = TAKE_PTR(s);
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	for (unsigned int i = 0; i < ST_MAX; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db);
	/* Last: until here nobody else may write. */
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->path);
	free(s->reserve_path);
	free(s);
}

void store_forget_recent(struct store *s)
{
	memset(s->recent, 0, sizeof(s->recent));
}

void store_rollback(struct store *s)
{
	if (!sqlite3_get_autocommit(s->db))
		db_exec(s->db, "ROLLBACK");
	store_forget_recent(s);
}

static uint64_t file_bytes(const char *path)
{
	struct stat sb;

	return stat(path, &sb) == 0 ? (uint64_t)sb.st_size : 0;
}

int store_facts_of(sqlite3 *db, const char *path, struct store_facts *ret)
{
	struct store_facts f = {};
	_cleanup_free_ char *wal = NULL;
	int64_t windows, oldest = 0;
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
	f.bytes = file_bytes(path) + file_bytes(wal);
	f.windows = (uint64_t)windows;
	f.oldest_ns = (uint64_t)oldest;
	*ret = f;
	return 0;
}

int store_facts(struct store *s, struct store_facts *ret)
{
	return store_facts_of(s->db, s->path, ret);
}
