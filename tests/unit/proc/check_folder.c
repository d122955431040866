/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/wait.h>

#include "check_main.h"
#include "proc/folder.h"

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

CHECK_MAIN("proc/folder", a_process_that_is_gone);
