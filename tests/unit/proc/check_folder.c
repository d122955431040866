/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/socket.h>
#include <sys/wait.h>

#include "check_main.h"
#include "proc/folder.h"

static void ck_assert_same(const struct buf *a, const struct buf *b)
{
	ck_assert_uint_eq(a->size, b->size);
	ck_assert(a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/* The blocks of a process are what its files have. */
static void blocks_agree(pid_t pid, const struct proc_stat *s)
{
	_cleanup_buf_ struct buf arguments = {}, environ_block = {}, file = {};
	_cleanup_close_ int folder = -EBADF;

	ck_assert_int_eq(folder_open(pid, &folder), 0);
	ck_assert_int_eq(folder_read_blocks(folder, s, &arguments, &environ_block), 0);
	ck_assert_int_eq(folder_read(folder, "cmdline", PROC_MAX_CMDLINE_READ, &file), 0);
	ck_assert_uint_gt(file.size, 0);
	ck_assert_same(&arguments, &file);
	ck_assert_int_eq(folder_read(folder, "environ", PROC_MAX_ENVIRON, &file), 0);
	ck_assert_uint_gt(file.size, 0);
	ck_assert_same(&environ_block, &file);
}

static struct proc_stat stat_of(pid_t pid)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_close_ int folder = -EBADF;
	struct proc_stat s;

	ck_assert_int_eq(folder_open(pid, &folder), 0);
	ck_assert_int_eq(folder_read_stat(folder, &b, &s), 0);
	s.comm = NULL;
	return s;
}

START_TEST(arguments_and_environment)
{
	struct proc_stat s = stat_of(getpid());

	ck_assert_uint_gt(s.arguments_end, s.arguments);
	ck_assert_uint_gt(s.environment_end, s.environment);
	blocks_agree(getpid(), &s);
	/* where they are not told, or are more than is looked at, or cannot be read */
	s.arguments_end = s.arguments + PROC_MAX_CMDLINE_READ + 1;
	blocks_agree(getpid(), &s);
	s.arguments_end = s.arguments + 1;
	s.arguments = 1;
	blocks_agree(getpid(), &s);
	s = (struct proc_stat){ .pid = getpid() };
	blocks_agree(getpid(), &s);
}
END_TEST

/* One that wrote over its arguments, as setproctitle() does: they go on in the environment. */
START_TEST(arguments_written_over)
{
	struct proc_stat s = stat_of(getpid());
	int line[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(line[0]);
		memset((char *)(uintptr_t)s.arguments, 'x', s.arguments_end - s.arguments);
		strcpy((char *)(uintptr_t)s.environment, "end");
		if (write(line[1], "x", 1) == 1)
			while (read(line[1], &c, 1) > 0)
				;
		_exit(0);
	}
	close(line[1]);
	ck_assert_int_eq(read(line[0], &c, 1), 1);
	s = stat_of(pid);
	blocks_agree(pid, &s);
	close(line[0]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

START_TEST(a_process_that_is_gone)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_close_ int folder = -EBADF;
	struct proc_stat s;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	ck_assert_int_eq(folder_open(pid, &folder), 0);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	/* whoever has its number now */
	ck_assert_int_eq(folder_read_stat(folder, &b, &s), -ESRCH);
	ck_assert_int_eq(folder_read(folder, "cgroup", 64, &b), -ESRCH);
	closep(&folder);
	folder = -EBADF;
	ck_assert_int_eq(folder_open(0, &folder), -ESRCH);
	ck_assert_int_eq(folder_open(-1, &folder), -ESRCH);
}
END_TEST

CHECK_MAIN("proc/folder", arguments_and_environment, arguments_written_over,
	   a_process_that_is_gone);
