/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#include "check_main.h"
#include "proc/version.h"

#define COMMIT "3f2a91c0b7de3f2a91c0b7de3f2a91c0b7de3f2a"

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
}

/* What a process of this user would have, called so: words, each ended by a NUL. */
static char *version_as(uid_t uid, const char *words, size_t size)
{
	struct process_info p = process_info_of(getpid());

	p.uid = uid;
	p.version = strdup("");
	ck_assert_int_eq(process_version_find(&p, "/usr/bin/python3", words, size), 0);
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

CHECK_MAIN_WITH("proc/version", setup, teardown, has_the_newest_file, has_no_made_up_time,
		has_the_commit, follows_links_to_the_code, believes_no_hostile_git,
		reads_as_the_process, counts_so_many_files, looks_where_servers_work);
