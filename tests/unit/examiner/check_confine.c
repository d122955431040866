/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "check_main.h"
#include "examiner/private.h"

/* As one who runs code of his own in a helper would: the number of a call and its arguments. */
struct call {
	long nr, arguments[6];
};

static int read_only, write_only;
static char page[4096];

/* What he gets: the call's error, 0 where it has none, or a signal. */
static int confined(const struct call *c)
{
	const long *a = c->arguments;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int r = helper_confine();

		if (r == 0 && syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]) < 0)
			r = -errno;
		syscall(SYS_exit_group, -r);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int confined_call(long nr, long a, long b, long c, long d, long e, long f)
{
	return confined(&(struct call){ nr, { a, b, c, d, e, f } });
}

#define HERE    AT_FDCWD
#define TEXT(s) ((long)(uintptr_t)(s))

/* Its own: HELPER_FD is a socket, as of a helper. */
static void begin(void)
{
	int ends[2];

	read_only = open("/dev/null", O_RDONLY | O_CLOEXEC);
	write_only = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(read_only, 0);
	ck_assert_int_ge(write_only, 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	read_only = fcntl(read_only, F_DUPFD_CLOEXEC, HELPER_FD + 10);
	write_only = fcntl(write_only, F_DUPFD_CLOEXEC, HELPER_FD + 10);
	ck_assert_int_ge(dup2(ends[0], HELPER_FD), 0);
}

START_TEST(it_reads)
{
	struct iovec local = { page, 8 };
	static char other[8];
	struct iovec remote = { other, 8 };

	ck_assert_int_eq(
		confined_call(SYS_openat, HERE, TEXT("/proc/self/status"), O_RDONLY, 0, 0, 0), 0);
	ck_assert_int_eq(confined_call(SYS_read, read_only, TEXT(page), 1, 0, 0, 0), 0);
	ck_assert_int_eq(confined_call(SYS_write, HELPER_FD, TEXT(page), 1, 0, 0, 0), 0);
	ck_assert_int_eq(confined_call(SYS_process_vm_readv, getpid(), TEXT(&local), 1,
				       TEXT(&remote), 1, 0),
			 0);
}
END_TEST

START_TEST(it_writes_to_nobody_else)
{
	const int flags[] = { O_WRONLY, O_RDWR, O_RDONLY | O_CREAT, O_RDONLY | O_TRUNC };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		ck_assert_int_eq(confined_call(SYS_openat, HERE, TEXT("/dev/null"), flags[i], 0600,
					       0, 0),
				 EPERM);
	ck_assert_int_eq(confined_call(SYS_write, write_only, TEXT(page), 1, 0, 0, 0), EPERM);
	ck_assert_int_eq(confined_call(SYS_pwrite64, write_only, TEXT(page), 1, 0, 0, 0), EPERM);
	/* nor to another who takes the place of the one */
	ck_assert_int_eq(confined_call(SYS_close, HELPER_FD, 0, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(confined_call(SYS_close, STDERR_FILENO, 0, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(confined_call(SYS_close_range, 0, 10, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(confined_call(SYS_dup3, write_only, HELPER_FD, O_CLOEXEC, 0, 0, 0), EPERM);
	ck_assert_int_eq(confined_call(SYS_fcntl, write_only, F_DUPFD, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(confined_call(SYS_close, read_only, 0, 0, 0, 0, 0), 0);
	ck_assert_int_eq(confined_call(SYS_mmap, 0, sizeof(page), PROT_READ, MAP_SHARED, read_only,
				       0),
			 EPERM);
}
END_TEST

START_TEST(it_runs_nothing_and_asks_nobody)
{
	ck_assert_int_eq(confined_call(SYS_execve, TEXT("/bin/true"), 0, 0, 0, 0, 0), -SIGSYS);
	ck_assert_int_eq(confined_call(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0), -SIGSYS);
	ck_assert_int_eq(confined_call(SYS_ptrace, 16, getpid(), 0, 0, 0, 0), -SIGSYS);
	ck_assert_int_eq(confined_call(SYS_process_vm_writev, getpid(), 0, 0, 0, 0, 0), -SIGSYS);
	ck_assert_int_eq(confined_call(SYS_bpf, 0, 0, 0, 0, 0, 0), -SIGSYS);
	ck_assert_int_eq(confined_call(SYS_socket, AF_INET, SOCK_STREAM, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(confined_call(SYS_socket, AF_UNIX, SOCK_STREAM, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(confined_call(SYS_kill, getpid(), SIGKILL, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(confined_call(SYS_mprotect, TEXT(page), sizeof(page), PROT_EXEC, 0, 0, 0),
			 EPERM);
	ck_assert_int_eq(confined_call(SYS_mmap, 0, sizeof(page), PROT_READ | PROT_EXEC,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			 EPERM);
	ck_assert_int_eq(confined_call(SYS_io_uring_setup, 1, TEXT(page), 0, 0, 0, 0), EPERM);
}
END_TEST

CHECK_MAIN_WITH("examiner/confine", begin, NULL, it_reads, it_writes_to_nobody_else,
		it_runs_nothing_and_asks_nobody);
