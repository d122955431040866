/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "store/internal.h"

/*
 * As long as somebody reads, the WAL cannot begin anew, and all that is saved makes it longer.
 * plop's own readers end after a while (STORE_READ_NS). Any other is left behind when the WAL has
 * grown to its bound: the database is copied as it is now, the copy takes its name, and the reader
 * keeps the state that it reads, in files without a name that go when it ends.
 */
#define WAL_LEAST (UINT64_C(2) << 20)
#define WAL_MOST  (UINT64_C(64) << 20)
#define WAL_PART  8

/* The copy, until it takes the name. */
#define COPY_SUFFIX ".copy"
/* Links from plop.db to the file, as many as Linux follows. */
#define LINKS_MAX 40
/* Room that a copy leaves on the disk. */
#define SPARE_BYTES (UINT64_C(4) << 20)

/* The read locks of a -shm (sqlite.org/walformat.html, 2.3). */
#define READ_LOCK_FIRST 123
#define READ_LOCK_LAST  127

uint64_t wal_bound(const struct store *s)
{
	uint64_t part = s->max_bytes ? MIN(s->max_bytes / WAL_PART, WAL_MOST) : WAL_MOST;

	return MAX(part, WAL_LEAST);
}

/* A line of /proc/locks: who reads by this -shm; 0: it is about something else. */
static pid_t reader_of(const char *line, const struct stat *shm)
{
	unsigned int major, minor;
	unsigned long long ino, first, last;
	int pid;

	if (sscanf(line, "%*d: POSIX ADVISORY READ %d %x:%x:%llu %llu %llu", &pid, &major, &minor,
		   &ino, &first, &last) != 6)
		return 0;
	if (ino != shm->st_ino || major != major(shm->st_dev) || minor != minor(shm->st_dev) ||
	    last < READ_LOCK_FIRST || first > READ_LOCK_LAST || pid == getpid())
		return 0;
	return (pid_t)pid;
}

/* "process 1234 (sqlite3)", or "a program", for a sentence. */
static char *reader_name(const char *path)
{
	_cleanup_free_ char *shm = NULL, *comm_path = NULL;
	_cleanup_fclose_ FILE *locks = fopen("/proc/locks", "re");
	char line[256], comm[32] = "", *name;
	struct stat sb;
	pid_t pid = 0;

	if (asprintf(&shm, "%s-shm", path) < 0)
		shm = NULL;
	if (shm && locks && stat(shm, &sb) == 0) {
		while (!pid && fgets(line, sizeof(line), locks))
			pid = reader_of(line, &sb);
	}
	if (pid <= 0)
		return strdup("a program");
	if (asprintf(&comm_path, "/proc/%d/comm", (int)pid) < 0)
		comm_path = NULL;
	if (comm_path) {
		_cleanup_fclose_ FILE *f = fopen(comm_path, "re");

		if (f && fgets(comm, sizeof(comm), f))
			comm[strcspn(comm, "\n")] = '\0';
	}
	return asprintf(&name, "process %d%s%s%s", (int)pid, *comm ? " (" : "", comm,
			*comm ? ")" : "") < 0 ?
		       NULL :
		       name;
}

/* A copy has no WAL yet; as long as nobody reads it, nobody can be in the way of that. */
static int begin_wal(const char *path)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	int r = db_open(path, DB_WRITE, &db);

	return r < 0 ? r : db_exec(db, "PRAGMA journal_mode=WAL");
}

/* Copies what this connection sees to path, so that it is there after a power cut as well. */
static int copy_to(struct store *s, const char *path)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	_cleanup_close_ int fd = -EBADF;
	struct statvfs disk;
	int r;

	if (statvfs(s->path, &disk) == 0 &&
	    (uint64_t)disk.f_bavail * disk.f_frsize < file_bytes(s->path) + SPARE_BYTES)
		return -ENOSPC;
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	r = db_prepare(s->db, "VACUUM INTO ?1", &st);
	if (r < 0)
		return r;
	db_bind_text(st, 1, path);
	r = db_run(st);
	if (r == 0)
		r = begin_wal(path);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

/*
 * From a database and its WAL to a copy. Once the file has no name the copy is all there is, and
 * whoever comes after a plopd that was killed in between takes it (wal_recover()).
 */
static int take_place(const char *path, const char *copy)
{
	_cleanup_free_ char *wal = NULL, *shm = NULL;

	if (asprintf(&wal, "%s-wal", path) < 0)
		wal = NULL;
	if (asprintf(&shm, "%s-shm", path) < 0)
		shm = NULL;
	if (!wal || !shm)
		return -ENOMEM;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	unlink(wal);
	unlink(shm);
	return rename(copy, path) < 0 ? -errno : 0;
}

int wal_leave_behind(struct store *s)
{
	_cleanup_free_ char *real = realpath(s->path, NULL), *copy = NULL, *who = NULL;
	int64_t window_id = s->window_id;
	struct life life = s->life;
	int r;

	if (!real || asprintf(&copy, "%s" COPY_SUFFIX, real) < 0) {
		copy = NULL;
		return -ENOMEM;
	}
	r = copy_to(s, copy);
	if (r < 0) {
		unlink(copy);
		return r;
	}
	who = reader_name(real);
	db_names_change();
	store_disconnect(s);
	r = take_place(real, copy);
	db_names_changed();
	if (r == 0)
		r = store_connect(s, &s->trouble);
	if (r < 0)
		return r;
	/* it is the same store */
	s->life = life;
	s->window_id = window_id;
	store_tell(
		s, STORE_NEWS_READER,
		"%s has read %s for so long that the WAL reached its bound: windows are saved in a "
		"copy, and it keeps the old state, and its room on the disk, until it ends",
		who ? who : "a program", s->path);
	return 0;
}

int wal_keep_small(struct store *s)
{
	_cleanup_free_ char *real = realpath(s->path, NULL), *wal = NULL;
	int r;

	if (!real || asprintf(&wal, "%s-wal", real) < 0) {
		wal = NULL;
		return 0;
	}
	if (file_bytes(wal) <= wal_bound(s))
		return 0;
	r = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) & 0xff;
	if (r != SQLITE_BUSY && r != SQLITE_LOCKED)
		return 0;
	r = wal_leave_behind(s);
	if (r < 0 && s->db) {
		_cleanup_free_ char *who = reader_name(real);

		store_tell(s, STORE_NEWS_READER,
			   "%s has read %s for so long that the WAL is beyond its bound, and "
			   "cannot be "
			   "left behind: %s",
			   who ? who : "a program", s->path, strerror(-r));
		return 0;
	}
	return r;
}

/* The name that a link has, from where its own lies; *path is taken over. NULL: out of memory. */
static char *follow(char *path, const char *to)
{
	_cleanup_free_ char *link = path;
	const char *slash = *to == '/' ? NULL : strrchr(link, '/');
	char *name;

	return asprintf(&name, "%.*s%s", slash ? (int)(slash + 1 - link) : 0, link, to) < 0 ? NULL :
											      name;
}

/* What a path leads to, be it there or not: realpath() knows only what is. NULL: no memory. */
static char *behind_links(const char *path)
{
	char *name = strdup(path), to[PATH_MAX];

	for (int links = 0; name && links < LINKS_MAX; links++) {
		ssize_t n = readlink(name, to, sizeof(to) - 1);

		if (n < 0)
			break;
		to[n] = '\0';
		name = follow(name, to);
	}
	return name;
}

void wal_recover(const char *path)
{
	/* where plop.db is a link the copy lies beside what it leads to, which may have no name */
	_cleanup_free_ char *real = behind_links(path), *copy = NULL;

	if (!real || asprintf(&copy, "%s" COPY_SUFFIX, real) < 0) {
		copy = NULL;
		return;
	}
	if (access(copy, F_OK) < 0)
		return;
	/* not finished, or what it was made for did not come about */
	if (access(real, F_OK) == 0) {
		unlink(copy);
		return;
	}
	db_names_change();
	take_place(real, copy);
	db_names_changed();
}
