/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#include "check_main.h"
#include "proc/mounts.h"
#include "proc/version.h"
#include "util/clock.h"

#define COMMIT "3f2a91c0b7de3f2a91c0b7de3f2a91c0b7de3f2a"

static struct version_cache *versions;

/* A folder with a program in it. */
static char folder[] = "/tmp/plop-version-XXXXXX";

static const char *in(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", folder, name);
	return path;
}

static void put_file(const char *name, const char *text, time_t when)
{
	const struct timespec times[] = { { .tv_sec = when }, { .tv_sec = when } };
	FILE *f = fopen(in(name), "we");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(utimensat(AT_FDCWD, in(name), times, 0), 0);
}

static void put_folder(const char *name)
{
	ck_assert_int_eq(mkdir(in(name), 0755), 0);
}

static void setup(void)
{
	ck_assert_int_eq(version_cache_new(&versions), 0);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	put_folder("shop");
	put_file("shop/app.py", "", 1700000000);
	put_file("shop/other.py", "", 1700000100);
	put_file("shop/data.txt", "", 1800000000);
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static void teardown(void)
{
	ck_assert_int_eq(nftw(folder, drop, 8, FTW_DEPTH | FTW_PHYS), 0);
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	version_cache_free(versions);
}

/* What a process of this user would have, called so: words, each ended by a NUL. */
static char *version_as(uid_t uid, const char *words, size_t size)
{
	struct process_info p = process_info_of(getpid());

	p.uid = uid;
	p.version = strdup("");
	ck_assert_int_eq(process_version_find(&p, "/usr/bin/python3", words, size, NULL, versions),
			 0);
	return p.version;
}

static void expect(const char *argument, const char *expected)
{
	char words[PATH_MAX + 32];
	int n = snprintf(words, sizeof(words), "python3%c%s", '\0', argument);
	_cleanup_free_ char *version = version_as(getuid(), words, (size_t)n + 1);

	ck_assert_str_eq(version, expected);
}

#define NEWEST "mtime-2023-11-14T22:15:00Z"

START_TEST(has_the_newest_file)
{
	expect(in("shop/app.py"), NEWEST);
	expect(in("shop/../shop//./app.py"), NEWEST);
	/* of a program that is a folder */
	expect(in("shop"), NEWEST);
	/* it is of the script, whatever that is called; a log beside it does not count */
	put_file("shop/run", "", 1700000200);
	expect(in("shop/run"), "mtime-2023-11-14T22:16:40Z");
	expect(in("shop/nothing.py"), "");
	expect("-c", "");
	expect("/dev/stdin", "");
}
END_TEST

START_TEST(has_no_made_up_time)
{
	put_folder("built");
	put_file("built/app.py", "", 315532800);
	expect(in("built/app.py"), "");
	put_file("built/app.py", "", 0);
	expect(in("built/app.py"), "");
}
END_TEST

START_TEST(has_the_commit)
{
	put_folder("shop/.git");
	put_file("shop/.git/HEAD", COMMIT "\n", 0);
	expect(in("shop/app.py"), "git-3f2a91c0b7de");
	/* the code is deeper in the work tree */
	put_folder("shop/src");
	put_file("shop/src/app.py", "", 1700000000);
	expect(in("shop/src/app.py"), "git-3f2a91c0b7de");
	put_file("shop/.git/HEAD", "ref: refs/heads/main\n", 0);
	put_file("shop/.git/packed-refs",
		 "0123456789012345678901234567890123456789 refs/heads/main\n", 0);
	expect(in("shop/app.py"), "git-012345678901");
	/* one that is not packed comes first */
	put_folder("shop/.git/refs");
	put_folder("shop/.git/refs/heads");
	put_file("shop/.git/refs/heads/main", COMMIT "\n", 0);
	expect(in("shop/app.py"), "git-3f2a91c0b7de");
}
END_TEST

START_TEST(follows_links_to_the_code)
{
	ck_assert_int_eq(symlink("shop", in("current")), 0);
	ck_assert_int_eq(symlink(in("current/app.py"), in("start.py")), 0);
	expect(in("start.py"), NEWEST);
	expect(in("current/app.py"), NEWEST);
	ck_assert_int_eq(symlink("loop", in("loop")), 0);
	expect(in("loop/app.py"), "");
	expect(in("loop"), "");
}
END_TEST

/* Nothing that git's folder says leads out of it, or to what is no file. */
START_TEST(believes_no_hostile_git)
{
	put_folder("shop/.git");
	put_file("shop/.git/HEAD", "ref: refs/../../secret\n", 0);
	put_file("secret", COMMIT "\n", 0);
	expect(in("shop/app.py"), NEWEST);
	put_file("shop/.git/HEAD", "ref: refs/heads/main\n", 0);
	put_folder("shop/.git/refs");
	put_folder("shop/.git/refs/heads");
	ck_assert_int_eq(symlink(in("secret"), in("shop/.git/refs/heads/main")), 0);
	expect(in("shop/app.py"), NEWEST);
	ck_assert_int_eq(unlink(in("shop/.git/HEAD")), 0);
	ck_assert_int_eq(mkfifo(in("shop/.git/HEAD"), 0644), 0);
	expect(in("shop/app.py"), NEWEST);
	ck_assert_int_eq(unlink(in("shop/.git/HEAD")), 0);
	ck_assert_int_eq(symlink(in("secret"), in("shop/.git/HEAD")), 0);
	expect(in("shop/app.py"), NEWEST);
	ck_assert_int_eq(rename(in("shop/.git"), in("shop/git")), 0);
	ck_assert_int_eq(symlink("git", in("shop/.git")), 0);
	expect(in("shop/app.py"), NEWEST);
}
END_TEST

/* plopd may read all files; of another's process it reads what that process could. */
START_TEST(reads_as_the_process)
{
	char words[PATH_MAX + 32];
	int n = snprintf(words, sizeof(words), "python3%c%s", '\0', in("shop/app.py"));
	_cleanup_free_ char *hidden = NULL, *seen = NULL, *nobodys = NULL;

	if (getuid() != 0)
		return;
	hidden = version_as(12345, words, (size_t)n + 1);
	ck_assert_str_eq(hidden, "");
	ck_assert_int_eq(chmod(folder, 0755), 0);
	seen = version_as(12345, words, (size_t)n + 1);
	ck_assert_str_eq(seen, NEWEST);
	nobodys = version_as(PROCESS_NO_UID, words, (size_t)n + 1);
	ck_assert_str_eq(nobodys, "");
}
END_TEST

START_TEST(counts_so_many_files)
{
	for (int i = 0; i < VERSION_FILES; i++) {
		char name[64];

		snprintf(name, sizeof(name), "shop/more%d", i);
		put_file(name, "", 1700000000);
	}
	expect(in("shop/app.py"), "mtime-2023-11-14T22:13:20Z");
}
END_TEST

START_TEST(looks_where_servers_work)
{
	static const char server[] = "python3\0/venv/bin/gunicorn\0shop:app";
	static const char module[] = "python3\0-m\0gunicorn.app.wsgiapp\0shop:app";
	static const char package[] = "python3\0-m\0shop.start";
	static const char single[] = "python3\0-m\0app";
	static const char installed[] = "python3\0/usr/bin/pip\0list";
	static const char elsewhere[] = "python3\0-m\0http.server";
	const struct {
		const char *words, *expected, *cwd;
		size_t size;
	} all[] = {
		{ server, NEWEST, "shop", sizeof(server) },
		{ module, NEWEST, "shop", sizeof(module) },
		{ package, NEWEST, ".", sizeof(package) },
		{ single, NEWEST, "shop", sizeof(single) },
		{ installed, "", "shop", sizeof(installed) },
		{ elsewhere, "", "shop", sizeof(elsewhere) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		_cleanup_free_ char *version = NULL;

		ck_assert_int_eq(chdir(in(all[i].cwd)), 0);
		version = version_as(getuid(), all[i].words, all[i].size);
		ck_assert_msg(strcmp(version, all[i].expected) == 0, "%zu: %s", i, version);
	}
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

/* What is kept of a file that was at first there. */
static const struct version_file *kept(const char *name)
{
	const struct version_file *f;
	struct stat st;

	ck_assert_int_eq(stat(in(name), &st), 0);
	f = &versions->files[st.st_ino % VERSION_KEPT];
	return f->inode == st.st_ino ? f : NULL;
}

/* Waits until it is certain that a file which is written from now on has another time. */
static void settle(const char *name)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + 10 * NSEC_PER_SEC;

	while (!kept(name)) {
		_cleanup_free_ char *version = NULL;
		char words[PATH_MAX + 32];
		int n = snprintf(words, sizeof(words), "python3%c%s", '\0', in("shop/app.py"));

		version = version_as(getuid(), words, (size_t)n + 1);
		ck_assert(clock_ns(CLOCK_MONOTONIC) < until);
		usleep(20000);
	}
}

#define OTHER "0123456789012345678901234567890123456789"

/* Files of git that nobody wrote to are not read again; others are, whatever their times say. */
START_TEST(keeps_what_git_said)
{
	put_folder("shop/.git");
	put_file("shop/.git/HEAD", "ref: refs/heads/main\n", 1700000000);
	put_file("shop/.git/packed-refs", OTHER " refs/heads/main\n", 1700000000);
	expect(in("shop/app.py"), "git-012345678901");
	ck_assert_ptr_null(kept("shop/.git/HEAD"));
	settle("shop/.git/packed-refs");
	ck_assert_ptr_nonnull(kept("shop/.git/HEAD"));
	ck_assert_str_eq(kept("shop/.git/HEAD")->said.ref, "refs/heads/main");
	ck_assert_str_eq(kept("shop/.git/packed-refs")->wanted, "refs/heads/main");
	expect(in("shop/app.py"), "git-012345678901");
	/* the same size and time */
	put_file("shop/.git/packed-refs", COMMIT " refs/heads/main\n", 1700000000);
	expect(in("shop/app.py"), "git-3f2a91c0b7de");
	settle("shop/.git/packed-refs");
	put_file("shop/.git/HEAD", "ref: refs/heads/else\n", 1700000000);
	expect(in("shop/app.py"), NEWEST);
	/* a ref of its own comes before those that are packed */
	put_folder("shop/.git/refs");
	put_folder("shop/.git/refs/heads");
	put_file("shop/.git/refs/heads/else", OTHER "\n", 0);
	expect(in("shop/app.py"), "git-012345678901");
}
END_TEST

/* Whoever may not read them gets nothing of what was kept for others. */
START_TEST(keeps_it_for_readers)
{
	char words[PATH_MAX + 32];
	int n = snprintf(words, sizeof(words), "python3%c%s", '\0', in("shop/app.py"));
	_cleanup_free_ char *others = NULL;

	if (getuid() != 0)
		return;
	put_folder("shop/.git");
	put_file("shop/.git/HEAD", COMMIT "\n", 0);
	ck_assert_int_eq(chmod(folder, 0755), 0);
	settle("shop/.git/HEAD");
	ck_assert_int_eq(chmod(in("shop/.git"), 0700), 0);
	others = version_as(12345, words, (size_t)n + 1);
	ck_assert_str_eq(others, NEWEST);
}
END_TEST

/* A mount table with NFS in it, and with what is mounted over that. */
START_TEST(mounts_on_the_way)
{
	static const char table[] = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
				    "2 1 0:30 / /srv rw - nfs4 server:/srv rw\n"
				    "3 2 8:2 / /srv/local rw - xfs /dev/sdb rw\n"
				    "4 1 0:31 / /a\\040b rw shared:1 - fuse.x x rw\n"
				    "5 1 0:32 / /over rw - nfs4 server:/over rw\n"
				    "6 5 8:3 / /over rw - ext4 /dev/sdc rw\n";
	static const struct {
		const char *path;
		bool at, on_way;
	} rows[] = {
		{ "/", true, true },
		{ "/home/app.py", true, true },
		{ "/srv", false, false },
		{ "/srv/app.py", true, false },
		{ "/srvs/app.py", true, true },
		{ "/srv/local", true, false },
		{ "/a b", false, false },
		{ "/a b/c", true, false },
		{ "/a", true, true },
		{ "/over", true, true },
		{ "/over/app.py", true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_msg(mounts_answer_at(table, sizeof(table) - 1, rows[i].path) ==
				      rows[i].at,
			      "%s", rows[i].path);
		ck_assert_msg(mounts_answer_on_way(table, sizeof(table) - 1, rows[i].path) ==
				      rows[i].on_way,
			      "on the way to %s", rows[i].path);
	}
	ck_assert(!mounts_answer_on_way("1 0 0:5 / / rw - nfs s:/ rw", 27, "/home"));
}
END_TEST

CHECK_MAIN_WITH("proc/version", setup, teardown, has_the_newest_file, has_no_made_up_time,
		has_the_commit, follows_links_to_the_code, believes_no_hostile_git,
		reads_as_the_process, counts_so_many_files, looks_where_servers_work,
		keeps_what_git_said, keeps_it_for_readers, mounts_on_the_way);
