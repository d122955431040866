/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/stat.h>

#include "store/internal.h"
#include "util/clock.h"

/*
 * SQLite goes on with the files that it has open, whatever becomes of their names: what it writes
 * after somebody has removed them nobody will read. So before each use it is looked at whether the
 * names still lead to these files.
 */

static struct store_file file_of(const char *path, const char *suffix)
{
	_cleanup_free_ char *name = NULL;
	struct stat sb;

	if (asprintf(&name, "%s%s", path, suffix) < 0)
		name = NULL;
	if (!name || stat(name, &sb) < 0)
		return (struct store_file){};
	return (struct store_file){ sb.st_dev, sb.st_ino };
}

static bool same(struct store_file a, struct store_file b)
{
	return a.dev == b.dev && a.ino == b.ino;
}

static struct store_names names_now(const struct store *s)
{
	/* SQLite follows links before it puts a WAL beside the file */
	_cleanup_free_ char *real = realpath(s->path, NULL);
	const char *path = real ? real : s->path;

	return (struct store_names){ .files = { [NAME_FILE] = file_of(path, ""),
						[NAME_WAL] = file_of(path, "-wal"),
						[NAME_SHM] = file_of(path, "-shm"),
						[NAME_LOCK] = file_of(s->dir, "/" STORE_LOCK) },
				     .size = file_bytes(path) };
}

void store_opened(struct store *s)
{
	s->names = names_now(s);
}

static bool names_hold(const struct store *s, const struct store_names *now)
{
	for (int i = 0; i < NAMES; i++) {
		if (!now->files[i].ino || !same(now->files[i], s->names.files[i]))
			return false;
	}
	return true;
}

/* The directory went with all that was in it. */
static int make_dir(struct store *s)
{
	struct stat sb;

	if (stat(s->dir, &sb) == 0)
		return 0;
	if (mkdir(s->dir, s->dir_mode) < 0)
		return db_fail(&s->trouble, -errno, "%s is gone and cannot be made again: %m",
			       s->dir);
	/* as it was, for whoever reads it; who may not do this owns it anyway */
	(void)!chown(s->dir, s->dir_uid, s->dir_gid);
	(void)!chmod(s->dir, s->dir_mode);
	return 0;
}

/* What is left of a database whose file is gone, or is another by now, would spoil the next one. */
static void remove_rest(struct store *s, const struct store_names *now)
{
	static const char *const suffixes[NAMES] = { [NAME_WAL] = "-wal", [NAME_SHM] = "-shm" };

	for (int i = NAME_WAL; i <= NAME_SHM; i++) {
		_cleanup_free_ char *name = NULL;

		if (asprintf(&name, "%s%s", s->path, suffixes[i]) < 0)
			name = NULL;
		if (name && same(now->files[i], s->names.files[i]))
			unlink(name);
	}
}

/* Leaves the files whose names are gone, and opens what is there now. */
static int reopen(struct store *s, const struct store_names *now)
{
	bool file = !same(now->files[NAME_FILE], s->names.files[NAME_FILE]), damaged;
	int r;

	/*
	 * whoever has moved the file away has all of it there; one that stayed gets what its WAL
	 * had
	 */
	r = sqlite3_wal_checkpoint_v2(s->db, NULL,
				      file ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE,
				      NULL, NULL);
	if (r != SQLITE_OK && !file)
		return wal_leave_behind(s);
	db_names_change();
	store_disconnect(s);
	if (file)
		remove_rest(s, now);
	db_names_changed();
	/* whoever removed it does not want back what it was being filled with */
	if (file)
		salvage_free(TAKE_PTR(s->salvage));
	r = make_dir(s);
	if (r < 0)
		return r;
	damaged = s->news[STORE_NEWS_DAMAGED] != NULL;
	r = store_connect(s, &s->trouble);
	/* what was found there instead is more to the point */
	if (r == 0 && (damaged || !s->news[STORE_NEWS_DAMAGED]))
		store_tell(s, STORE_NEWS_DAMAGED,
			   file && now->files[NAME_FILE].ino ?
				   "%s was replaced while plopd ran; windows are saved in what is "
				   "there now" :
			   file ? "%s was removed while plopd ran; windows are saved in a new "
				  "file" :
				  "files of %s were removed while plopd ran; they are made anew, "
				  "nothing is lost",
			   s->path);
	return r;
}

int store_ready(struct store *s)
{
	struct store_names now;

	free(TAKE_PTR(s->trouble));
	if (!s->db) {
		int r = make_dir(s);

		return r < 0 ? r : store_connect(s, &s->trouble);
	}
	now = names_now(s);
	if (!names_hold(s, &now))
		return reopen(s, &now);
	if (!damage_head_is_good(s->db))
		return store_mend(s, damage_find(s->db));
	/* what is not there may be in the WAL, or about to be brought back from it */
	if (damage_is_short(s->db, now.size) && store_check_length(s) == -EBADMSG)
		return store_mend(s, DAMAGE_TRUNCATED);
	return 0;
}

/* How long one look may take for what is to be taken or carried over. */
#define SALVAGE_NS (200 * NSEC_PER_MSEC)

/* ... for what is rolled up: it ends at most as much later as it takes to write one. */
#define ROLL_NS (25 * NSEC_PER_MSEC)

/* Where it fails, that is no reason why no windows could be saved. */
static int prune_some(struct store *s)
{
	int r = prune_step(s, clock_ns(CLOCK_MONOTONIC) + SALVAGE_NS);

	return r == -EBADMSG ? r : 0;
}

int store_check(struct store *s)
{
	bool rolled = false;
	int r = store_ready(s);

	if (r == 0)
		r = wal_keep_small(s);
	if (r == 0)
		r = memos_write(s);
	if (r == 0)
		r = salvage_step(s, SALVAGE_NS);
	if (r == 0)
		r = carry_step(s, SALVAGE_NS);
	if (r == 0)
		r = prune_some(s);
	if (r == 0) {
		r = rollup_step(s, ROLL_NS);
		rolled = true;
	}
	if (r == -EBADMSG && (rolled || s->has_older || s->prunes))
		r = store_mend(s, damage_find(s->db));
	return r;
}

bool store_is_mending(const struct store *s)
{
	return s->salvage || carry_is_under_way(s) || s->prunes || s->rolls_more;
}

int store_distrust(struct store *s, const struct store_file *file)
{
	int r = store_ready(s);

	if (r < 0 || !same(*file, s->names.files[NAME_FILE]))
		return r;
	return store_mend(s, damage_find(s->db));
}
