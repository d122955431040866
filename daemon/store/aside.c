/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/aside.h"

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

/* The header of a database file (sqlite.org/fileformat2.html, 1.3). */
#define HEAD_BYTES 100
#define HEAD_MAGIC "SQLite format 3"
#define HEAD_SIZE  16
#define HEAD_PAGES 28

static const struct {
	const char *name, *sentence;
} damages[DAMAGE_MAX] = {
	[DAMAGE_NOT_A_FILE] = { "not-a-file", "is not a file" },
	[DAMAGE_NOT_A_DATABASE] = { "not-a-database", "is not a database" },
	[DAMAGE_ANOTHERS] = { "of-another-program", "is a database of another program" },
	[DAMAGE_EMPTIED] = { "emptied", "was emptied" },
	[DAMAGE_TRUNCATED] = { "truncated", "was truncated" },
	[DAMAGE_MALFORMED] = { "malformed", "is damaged" },
	[DAMAGE_CONTRADICTS] = { "contradicts-itself",
				 "is damaged: its parts contradict each other" },
};

const char *damage_sentence(enum damage d)
{
	return damages[d].sentence;
}

/*
 * By SQLite's own descriptor: closing another one would drop the locks that SQLite holds in this
 * process.
 */
static bool head_read(sqlite3 *db, unsigned char head[static HEAD_BYTES])
{
	sqlite3_file *f = NULL;

	return sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &f) == SQLITE_OK && f &&
	       f->pMethods && f->pMethods->xRead(f, head, HEAD_BYTES, 0) == SQLITE_OK;
}

bool damage_head_is_good(sqlite3 *db)
{
	unsigned char head[HEAD_BYTES];

	return head_read(db, head) && memcmp(head, HEAD_MAGIC, sizeof(HEAD_MAGIC)) == 0;
}

/* Bytes that a file has, as its head says. */
static uint64_t head_bytes(const unsigned char head[static HEAD_BYTES])
{
	uint64_t page = (uint64_t)head[HEAD_SIZE] << 8 | head[HEAD_SIZE + 1];
	uint64_t pages = (uint64_t)head[HEAD_PAGES] << 24 | (uint64_t)head[HEAD_PAGES + 1] << 16 |
			 (uint64_t)head[HEAD_PAGES + 2] << 8 | head[HEAD_PAGES + 3];

	return page * pages;
}

bool damage_is_short(sqlite3 *db, uint64_t size)
{
	unsigned char head[HEAD_BYTES];

	return !head_read(db, head) || size < head_bytes(head);
}

enum damage damage_find(sqlite3 *db)
{
	const char *path = sqlite3_db_filename(db, "main");
	int code = sqlite3_errcode(db) & 0xff;
	unsigned char head[HEAD_BYTES];
	struct stat sb;

	if (!path || stat(path, &sb) < 0)
		return DAMAGE_MALFORMED;
	if (sb.st_size == 0)
		return DAMAGE_EMPTIED;
	if (!head_read(db, head))
		return DAMAGE_TRUNCATED;
	if (memcmp(head, HEAD_MAGIC, sizeof(HEAD_MAGIC)) != 0)
		return DAMAGE_NOT_A_DATABASE;
	if ((uint64_t)sb.st_size < head_bytes(head))
		return DAMAGE_TRUNCATED;
	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? DAMAGE_MALFORMED :
								 DAMAGE_CONTRADICTS;
}

/* "plop.db.20261128T190000Z.truncated"; number: for one more in that second. */
static char *aside_name(const char *path, enum damage d, int number)
{
	time_t now = time(NULL);
	struct tm utc = {};
	char *name, when[32], more[16] = "";

	gmtime_r(&now, &utc);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &utc);
	if (number > 1)
		snprintf(more, sizeof(more), ".%d", number);
	return asprintf(&name, "%s.%s.%s%s", path, when, damages[d].name, more) < 0 ? NULL : name;
}

static int rename_with(const char *from, const char *to, const char *suffix)
{
	_cleanup_free_ char *a = NULL, *b = NULL;

	if (asprintf(&a, "%s%s", from, suffix) < 0)
		a = NULL;
	if (asprintf(&b, "%s%s", to, suffix) < 0)
		b = NULL;
	if (!a || !b)
		return -ENOMEM;
	return rename(a, b) < 0 ? -errno : 0;
}

int aside_put(const char *path, enum damage d, char **ret_name)
{
	/* where plop.db is a link its WAL lies beside what it leads to */
	_cleanup_free_ char *real = realpath(path, NULL), *to = NULL;
	int r;

	for (int number = 1;; number++) {
		free(to);
		to = aside_name(real ? real : path, d, number);
		if (!to)
			return -ENOMEM;
		if (access(to, F_OK) < 0)
			break;
	}
	/* without the file its WAL means nothing; with it they are found under one name */
	r = rename_with(real ? real : path, to, "");
	if (r < 0)
		return r;
	rename_with(real ? real : path, to, "-wal");
	rename_with(real ? real : path, to, "-shm");
	*ret_name = strdup(strrchr(to, '/') ? strrchr(to, '/') + 1 : to);
	return *ret_name ? 0 : -ENOMEM;
}

/* "plop.db." and the time, by which all that was set aside together begins. */
#define ASIDE_PREFIX STORE_FILE ".2"
#define ASIDE_TIME   (sizeof(STORE_FILE ".20261128T190000Z") - 1)

static int is_aside(const struct dirent *e)
{
	return strncmp(e->d_name, ASIDE_PREFIX, sizeof(ASIDE_PREFIX) - 1) == 0 &&
	       strlen(e->d_name) > ASIDE_TIME;
}

void aside_bound(const char *dir, uint64_t max_bytes)
{
	struct dirent **list = NULL;
	int n = scandir(dir, &list, is_aside, alphasort);
	uint64_t total = 0, *sizes = n > 0 ? calloc((size_t)n, sizeof(*sizes)) : NULL;

	for (int i = 0; sizes && i < n; i++) {
		_cleanup_free_ char *path = db_path(dir, list[i]->d_name);
		struct stat sb;

		if (path && stat(path, &sb) == 0)
			sizes[i] = (uint64_t)sb.st_size;
		total += sizes[i];
	}
	for (int i = 0; sizes && i < n && total > max_bytes; i++) {
		_cleanup_free_ char *path = db_path(dir, list[i]->d_name);

		if (strncmp(list[i]->d_name, list[n - 1]->d_name, ASIDE_TIME) == 0)
			break;
		if (path && unlink(path) == 0)
			total -= sizes[i];
	}
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
	free(sizes);
}
