/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check_main.h"
#include "proc/parse.h"
#include "proc/source.h"
#include "util/clock.h"

/* Folders of which one is allowed, and of a process that began when they were there. */
static char folder[] = "/tmp/plop-source-XXXXXX";

static const char *in(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", folder, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in(name), "we");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chmod(folder, 0755), 0);
	for (const char *const *d = (const char *const[]){ "app", "app/sub", "other", NULL }; *d;
	     d++)
		ck_assert_int_eq(mkdir(in(*d), 0755), 0);
	put("app/main.py", "def f():\n    pass\n");
	put("app/sub/deep.py", "x = 1\n");
	put("app/secret.txt", "secret");
	put("other/else.py", "secret");
	put("app/mine.py", "secret");
	put("app/empty.py", "");
	ck_assert_int_eq(chmod(in("app/mine.py"), 0600), 0);
	ck_assert_int_eq(symlink(in("other/else.py"), in("app/out.py")), 0);
	ck_assert_int_eq(symlink("sub/deep.py", in("app/link.py")), 0);
	ck_assert_int_eq(symlink(in("other"), in("app/away")), 0);
	ck_assert_int_eq(symlink(in("app"), in("current")), 0);
	ck_assert_int_eq(mkdir(in("app/folder.py"), 0755), 0);
	ck_assert_int_eq(mkfifo(in("app/fifo.py"), 0644), 0);
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

/* A child that waits, and what is known of it. To execute a program keeps it from being a copy. */
static pid_t child(bool executes, struct process_info *ret)
{
	struct timespec tick = { .tv_nsec = 20 * 1000 * 1000 };
	pid_t pid;

	/* what was written before is older than the tick of the clock that it is made in */
	nanosleep(&tick, NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0 && executes)
		execl("/bin/sleep", "sleep", "100", NULL);
	while (pid == 0)
		pause();
	*ret = process_info_of(pid);
	ret->uid = getuid();
	for (;;) {
		char text[1024];
		char path[64];
		struct proc_stat s;
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = read(fd, text, sizeof(text));
		close(fd);
		ck_assert_int_eq(proc_stat_parse(text, (size_t)n, &s), 0);
		ret->start_ticks = s.start_ticks;
		if (executes != proc_stat_is_forked(&s))
			return pid;
	}
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int text_of(const struct process_info *p, const char *allowed, const char *path, char **ret)
{
	_cleanup_buf_ struct buf b = {};
	int r = process_source_read(p, allowed, path, &b);

	if (r == 0)
		*ret = buf_string(&b);
	return r;
}

static void expect(const struct process_info *p, const char *allowed, const char *path,
		   const char *text)
{
	_cleanup_free_ char *got = NULL;

	ck_assert_int_eq(text_of(p, allowed, path, &got), 0);
	ck_assert_str_eq(got, text);
}

static void refused(const struct process_info *p, const char *allowed, const char *path, int r)
{
	_cleanup_free_ char *got = NULL;

	ck_assert_int_eq(text_of(p, allowed, path, &got), r);
}

START_TEST(what_is_allowed)
{
	static const struct {
		const char *paths, *path;
		int folder; /* -1: it is not */
	} cases[] = {
		{ "/srv/app", "/srv/app/a.py", 8 },
		{ "/srv/app/", "/srv/app/a.py", 8 },
		{ "/usr/lib/python3:/srv/app", "/srv/app/sub/a.py", 8 },
		{ "/", "/a.py", 0 },
		{ "::/srv", "/srv/a.py", 4 },
		{ "", "/srv/a.py", -1 },
		{ "/srv/app", "/srv/app.py", -1 },
		{ "/srv/app", "/srv/application/a.py", -1 },
		{ "/srv/app", "/srv/app/a.pyc", -1 },
		{ "/srv/app", "/srv/app/.py", -1 },
		{ "/srv/app", "/srv/app", -1 },
		{ "/srv/app/a.py", "/srv/app/a.py", -1 },
		{ "srv", "srv/a.py", -1 },
		{ "srv:/x", "/srv/a.py", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t n = 99;

		ck_assert_msg(source_is_allowed(cases[i].paths, cases[i].path, &n) ==
				      (cases[i].folder >= 0),
			      "%s in %s", cases[i].path, cases[i].paths);
		ck_assert_uint_eq(n, cases[i].folder < 0 ? 99 : (size_t)cases[i].folder);
	}
}
END_TEST

START_TEST(what_is_read)
{
	struct process_info p;
	pid_t pid = child(true, &p);
	char allowed[PATH_MAX];

	snprintf(allowed, sizeof(allowed), "/nowhere:%s/app", folder);
	expect(&p, allowed, in("app/main.py"), "def f():\n    pass\n");
	expect(&p, allowed, in("app/sub/deep.py"), "x = 1\n");
	expect(&p, allowed, in("app/empty.py"), "");
	/* a link that leads into the folder is followed: the path without links counts */
	expect(&p, allowed, in("current/main.py"), "def f():\n    pass\n");
	expect(&p, allowed, in("app/link.py"), "x = 1\n");
	expect(&p, allowed, in("other/../app/main.py"), "def f():\n    pass\n");
	refused(&p, allowed, in("app/out.py"), -EPERM);
	refused(&p, allowed, in("app/away/else.py"), -EPERM);
	refused(&p, allowed, in("app/../other/else.py"), -EPERM);
	refused(&p, allowed, in("other/else.py"), -EPERM);
	refused(&p, allowed, in("app/secret.txt"), -EPERM);
	refused(&p, "", in("app/main.py"), -EPERM);
	refused(&p, allowed, "main.py", -EPERM);
	refused(&p, allowed, in("app/none.py"), -ENOENT);
	refused(&p, allowed, in("app/folder.py"), -EACCES);
	refused(&p, allowed, in("app/fifo.py"), -EACCES);
	refused(&p, in("current"), in("app/main.py"), -EPERM);
	/* nobody else than root may read this one, and nobody is asked for */
	if (getuid() == 0) {
		expect(&p, allowed, in("app/mine.py"), "secret");
		p.uid = 65534;
		refused(&p, allowed, in("app/mine.py"), -EACCES);
		expect(&p, allowed, in("app/main.py"), "def f():\n    pass\n");
		p.uid = PROCESS_NO_UID;
		refused(&p, allowed, in("app/mine.py"), -EACCES);
	} else {
		puts("not root: what a process may not read is not tried");
	}
	/* another process by now has the number */
	p.start_ticks++;
	refused(&p, allowed, in("app/main.py"), -ESRCH);
	end(pid);
	refused(&p, allowed, in("app/main.py"), -ESRCH);
}
END_TEST

START_TEST(what_was_changed)
{
	struct timespec old[] = { { .tv_sec = 1700000000 }, { .tv_sec = 1700000000 } };
	struct process_info p;
	struct timespec tick = { .tv_nsec = 30 * 1000 * 1000 };
	pid_t pid = child(true, &p);
	int fd;

	nanosleep(&tick, NULL);
	/* one whose time was set back; one that took another's place; a longer */
	put("app/main.py", "def g():\n    pass\n");
	ck_assert_int_eq(utimensat(AT_FDCWD, in("app/main.py"), old, 0), 0);
	put("app/new.py", "x = 2\n");
	ck_assert_int_eq(rename(in("app/new.py"), in("app/sub/deep.py")), 0);
	refused(&p, in("app"), in("app/main.py"), -ESTALE);
	refused(&p, in("app"), in("app/sub/deep.py"), -ESTALE);
	expect(&p, in("app"), in("app/empty.py"), "");
	fd = open(in("app/empty.py"), O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, SOURCE_MAX + 1), 0);
	close(fd);
	refused(&p, in("app"), in("app/empty.py"), -EFBIG);
	end(pid);
	/* a process that starts now has it as it is */
	pid = child(true, &p);
	expect(&p, in("app"), in("app/main.py"), "def g():\n    pass\n");
	end(pid);
}
END_TEST

START_TEST(what_was_forked)
{
	struct process_info p;
	pid_t pid = child(false, &p);

	/*
	 * a copy of this process: what was written since this one began may not be what it had
	 * loaded
	 */
	refused(&p, in("app"), in("app/main.py"), -ESTALE);
	end(pid);
}
END_TEST

CHECK_MAIN_WITH("proc/source", setup, teardown, what_is_allowed, what_is_read, what_was_changed,
		what_was_forked);
