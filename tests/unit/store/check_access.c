/* SPDX-License-Identifier: BSD-2-Clause */
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "check_main.h"
#include "../format/known.h"
#include "dir.h"
#include "noise.h"
#include "store/store.h"

/* nobody and nogroup: any ids that are not root's. */
#define OTHER 65534

static struct dir dir;

static void setup(void)
{
	dir_make(&dir);
}

static void teardown(void)
{
	dir_done(&dir);
}

static int save(struct store *s, unsigned int n)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();

	p->start_ns = KNOWN_START + n * 30 * NSEC_PER_SEC;
	p->end_ns = p->start_ns + 30 * NSEC_PER_SEC;
	return store_save(s, p);
}

/* A window with many stacks that no other has. */
static int save_large(struct store *s, unsigned int n)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	char name[340];

	for (unsigned int i = 0; i < 2000; i++) {
		noise_put(name, 300);
		snprintf(name + 300, sizeof(name) - 300, "_%u_%u", n, i);
		known_add(p, 0, 1, (uint32_t[]){ known_frame(p, name, "/srv/generated.py", 1, 1) },
			  1, 1);
	}
	return store_save(s, p);
}

/* The number of windows that a reader sees, or a negative errno. */
static int seen(struct store_reader *r)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int e = store_profile(r, 0, UINT64_MAX, NULL, &p);

	return e < 0 ? e : (int)(p->samples_total / KNOWN_TOTAL);
}

START_TEST(a_second_writer_is_refused)
{
	_cleanup_(store_closep) struct store *first = NULL;
	_cleanup_free_ char *error = NULL;
	struct store *second = NULL;
	char pid[32];

	ck_assert_int_eq(store_open(dir.path, &first, NULL), 0);
	ck_assert_int_eq(store_open(dir.path, &second, &error), -EBUSY);
	ck_assert_ptr_null(second);
	/* Which one, and where. */
	snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	ck_assert_msg(strstr(error, pid) && strstr(error, dir.path), "%s", error);
	ck_assert_int_eq(save(first, 0), 0);
	store_close(first);
	first = NULL;
	ck_assert_int_eq(store_open(dir.path, &second, NULL), 0);
	store_close(second);
}
END_TEST

START_TEST(a_killed_writer_leaves_no_lock)
{
	_cleanup_(store_closep) struct store *s = NULL;
	struct store_reader *r = NULL;
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (store_open(dir.path, &s, NULL) == 0 && save(s, 0) == 0)
			raise(SIGKILL);
		_exit(1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	/* What it had saved is there, before and after the next writer came. */
	ck_assert_int_eq(store_reader_open(dir.path, &r, NULL), 0);
	ck_assert_int_eq(seen(r), 1);
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	ck_assert_int_eq(save(s, 1), 0);
	ck_assert_int_eq(seen(r), 2);
	store_reader_close(r);
}
END_TEST

/*
 * The number of windows that a process of another user sees, who may read the files and write
 * nothing.
 */
static int seen_by_other(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct store_reader *r = NULL;
		gid_t group = OTHER;
		int n = -EPERM;

		if (setgroups(1, &group) == 0 && setresgid(OTHER, OTHER, OTHER) == 0 &&
		    setresuid(OTHER, OTHER, OTHER) == 0)
			n = store_reader_open(dir.path, &r, NULL);
		if (n == 0)
			n = seen(r);
		store_reader_close(r);
		_exit(n < 0 ? 100 - n : n);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status) >= 100 ? 100 - WEXITSTATUS(status) : WEXITSTATUS(status);
}

START_TEST(another_user_reads_always)
{
	char path[128];
	struct store *s = NULL;

	if (geteuid() != 0) {
		printf("skipped: another_user_reads_always: needs root to become another user\n");
		return;
	}
	/* As /var/lib/plop is: files take the directory's group. */
	ck_assert_int_eq(chown(dir.path, 0, OTHER), 0);
	ck_assert_int_eq(chmod(dir.path, 02750), 0);
	ck_assert_int_eq(seen_by_other(), -ENOENT);
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	ck_assert_int_eq(seen_by_other(), 0);
	ck_assert_int_eq(save(s, 0), 0);
	ck_assert_int_eq(seen_by_other(), 1);
	store_close(s);
	/* The writer is down: WAL and -shm were kept. */
	snprintf(path, sizeof(path), "%s/plop.db-shm", dir.path);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(seen_by_other(), 1);
	/* Or not: a copy, a restored backup. */
	ck_assert_int_eq(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/plop.db-wal", dir.path);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(seen_by_other(), 1);
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	ck_assert_int_eq(save(s, 1), 0);
	ck_assert_int_eq(seen_by_other(), 2);
	store_close(s);
	/* Who is not of the group reads nothing. */
	ck_assert_int_eq(chown(dir.path, 0, 0), 0);
	ck_assert_int_lt(seen_by_other(), 0);
}
END_TEST

/*
 * One reader, opened before all of it, follows the writer as it goes and comes, and a file that is
 * replaced.
 */
START_TEST(a_reader_follows_the_file)
{
	struct store_reader *r = NULL;
	struct store *s = NULL;

	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	ck_assert_int_eq(store_reader_open(dir.path, &r, NULL), 0);
	ck_assert_int_eq(seen(r), 0);
	ck_assert_int_eq(save(s, 0), 0);
	ck_assert_int_eq(seen(r), 1);
	store_close(s);
	ck_assert_int_eq(seen(r), 1);
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	ck_assert_int_eq(save(s, 1), 0);
	ck_assert_int_eq(seen(r), 2);
	store_close(s);
	dir_done(&dir);
	ck_assert_int_eq(seen(r), -ENOENT);
	ck_assert_int_eq(mkdir(dir.path, 0700), 0);
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	ck_assert_int_eq(save(s, 0), 0);
	ck_assert_int_eq(seen(r), 1);
	store_close(s);
	store_reader_close(r);
}
END_TEST

/*
 * Each answer is a whole number of windows, never fewer than the one before, while another process
 * writes.
 */
START_TEST(reading_beside_the_writer)
{
	enum { WINDOWS = 300 };
	struct store_reader *r = NULL;
	struct store *s = NULL;
	int status, n = 0, before = 0, rounds = 0;
	pid_t child;

	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	store_close(s);
	child = fork();
	if (child == 0) {
		int e = store_open(dir.path, &s, NULL);

		for (unsigned int i = 0; e == 0 && i < WINDOWS; i++)
			e = save(s, i);
		store_close(s);
		_exit(e ? 1 : 0);
	}
	ck_assert_int_eq(store_reader_open(dir.path, &r, NULL), 0);
	while (waitpid(child, &status, WNOHANG) == 0) {
		_cleanup_(profile_freep) struct profile *p = NULL;

		ck_assert_int_eq(store_profile(r, 0, UINT64_MAX, NULL, &p), 0);
		ck_assert_uint_eq(p->samples_total % KNOWN_TOTAL, 0);
		n = (int)(p->samples_total / KNOWN_TOTAL);
		ck_assert_uint_eq(p->tally.ticks, (uint64_t)n * 6000);
		ck_assert_int_ge(n, before);
		before = n;
		rounds++;
	}
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert_int_eq(seen(r), WINDOWS);
	ck_assert_int_gt(rounds, 0);
	store_reader_close(r);
}
END_TEST

/*
 * Saves until the disk is full, makes room, and saves again; nothing that was reported as saved is
 * lost.
 */
static void fill_and_recover(void (*make_room)(void))
{
	_cleanup_(store_closep) struct store *s = NULL;
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct store_reader *r = NULL;
	struct store_facts f;
	unsigned int n = 0;
	int e = 0;

	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	while (n < 1000 && (e = save_large(s, n)) == 0)
		n++;
	ck_assert_int_eq(e, -ENOSPC);
	ck_assert_uint_gt(n, 0);
	/* Again, and nothing of it is half there. */
	ck_assert_int_eq(save_large(s, 2000), -ENOSPC);
	ck_assert_int_eq(store_facts(s, &f), 0);
	ck_assert_uint_eq(f.windows, n);
	make_room();
	ck_assert_int_eq(save_large(s, 2001), 0);
	ck_assert_int_eq(store_reader_open(dir.path, &r, NULL), 0);
	ck_assert_int_eq(store_profile(r, 0, UINT64_MAX, NULL, &p), 0);
	ck_assert_uint_eq(p->samples_total, (n + 1) * (2000 + KNOWN_TOTAL));
	/* Each stack of each window, with the function that it had. */
	ck_assert_uint_eq(dict_functions(p->dict), (n + 1) * 2000 + 9);
	store_reader_close(r);
}

static void lift_limit(void)
{
	struct rlimit l;

	getrlimit(RLIMIT_FSIZE, &l);
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_FSIZE, &l);
}

START_TEST(a_file_size_limit_is_a_full_disk)
{
	struct rlimit l;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = 2 << 20;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &l), 0);
	fill_and_recover(lift_limit);
}
END_TEST

static void enlarge_tmpfs(void)
{
	ck_assert_int_eq(mount("none", dir.path, "tmpfs", MS_REMOUNT, "size=64m"), 0);
}

START_TEST(a_full_file_system)
{
	/* In a mount namespace of its own, which ends with the test however that ends. */
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir.path, "tmpfs", 0, "size=6m") < 0) {
		printf("skipped: a_full_file_system: cannot mount a tmpfs: %s\n", strerror(errno));
		return;
	}
	fill_and_recover(enlarge_tmpfs);
	ck_assert_int_eq(umount2(dir.path, MNT_DETACH), 0);
}
END_TEST

/* By age and by size, on a disk that the windows themselves have filled. */
static void expire_when_full(uint64_t retention_ns, uint64_t max_bytes)
{
	_cleanup_(store_closep) struct store *s = NULL;
	struct store_facts full, after;
	unsigned int n = 0;
	int e = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir.path, "tmpfs", 0, "size=6m") < 0) {
		printf("skipped: expiry on a full file system: cannot mount a tmpfs: %s\n",
		       strerror(errno));
		return;
	}
	ck_assert_int_eq(store_open(dir.path, &s, NULL), 0);
	while (n < 1000 && (e = save_large(s, n)) == 0)
		n++;
	ck_assert_int_eq(e, -ENOSPC);
	ck_assert_int_eq(store_facts(s, &full), 0);
	store_keep(s, retention_ns, max_bytes);
	ck_assert_int_eq(store_expire(s), 0);
	ck_assert_int_eq(store_facts(s, &after), 0);
	ck_assert_uint_lt(after.windows, full.windows);
	ck_assert_int_eq(save_large(s, n), 0);
	/* And once more, since room was set aside again. */
	while (n < 2000 && (e = save_large(s, n)) == 0)
		n++;
	ck_assert_int_eq(e, -ENOSPC);
	store_keep(s, 1, 0);
	ck_assert_int_eq(store_expire(s), 0);
	ck_assert_int_eq(save_large(s, n), 0);
	store_close(s);
	s = NULL;
	ck_assert_int_eq(umount2(dir.path, MNT_DETACH), 0);
}

START_TEST(expiry_by_age_on_a_full_file_system)
{
	expire_when_full(1, 0);
}
END_TEST

START_TEST(expiry_by_size_on_a_full_file_system)
{
	expire_when_full(0, 1 << 20);
}
END_TEST

CHECK_MAIN_WITH("store/access", setup, teardown, a_second_writer_is_refused,
		a_killed_writer_leaves_no_lock, another_user_reads_always,
		a_reader_follows_the_file, reading_beside_the_writer,
		a_file_size_limit_is_a_full_disk, a_full_file_system,
		expiry_by_age_on_a_full_file_system, expiry_by_size_on_a_full_file_system);
