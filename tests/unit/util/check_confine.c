/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check_main.h"
#include "util/confine.h"

/* No kernel has a call of this number. */
#define NO_CALL 9999

static const struct confine_rule rules[] = {
	{ .nr = SYS_exit_group },
	{ .nr = SYS_getpid },
	{ .nr = SYS_dup, .argument = 0, .mask = UINT32_MAX, .value = 2 },
	{ .nr = SYS_umask, .action = CONFINE_REFUSE, .mask = 0x10, .value = 0x10 },
	{ .nr = SYS_umask, .mask = 0x3, .value = 0x2 },
	{ .nr = SYS_clone3, .action = CONFINE_ABSENT },
	{ .nr = SYS_getsid, .action = CONFINE_END },
};

/* What a process that is confined gets of a call: its error, 0 where it has none, or a signal. */
static int confined(long nr, long argument)
{
	struct confine_filter filter;
	int status, r = confine_filter_make(rules, ARRAY_SIZE(rules), &filter);
	pid_t pid;

	ck_assert_int_eq(r, 0);
	pid = fork();
	if (pid == 0) {
		r = confine_filter_apply(&filter);
		if (r == 0 && syscall(nr, argument, 0, 0, 0, 0, 0) < 0)
			r = -errno;
		syscall(SYS_exit_group, -r);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

START_TEST(calls_are_what_their_rules_say)
{
	ck_assert_int_eq(confined(SYS_getpid, 0), 0);
	ck_assert_int_eq(confined(SYS_getppid, 0), EPERM);
	ck_assert_int_eq(confined(SYS_clone3, 0), ENOSYS);
	ck_assert_int_eq(confined(SYS_getsid, 0), -SIGSYS);
}
END_TEST

START_TEST(unknown_calls_are_as_of_an_older_kernel)
{
	ck_assert_int_eq(confined(NO_CALL, 0), ENOSYS);
	/* futex_waitv, of Linux 5.16 */
	ck_assert_int_eq(confined(449, 0), ENOSYS);
	/* process_madvise, the last of 5.10 */
	ck_assert_int_eq(confined(440, 0), EPERM);
	/* getpid of x32 */
	ck_assert_int_eq(confined(0x40000000 | SYS_getpid, 0), ENOSYS);
}
END_TEST

START_TEST(whoever_is_traced_goes_on)
{
#ifdef __x86_64__
	/* uretprobe: of a kernel that has it an error of the program, if it is called so */
	int r = confined(335, 0);

	ck_assert(r == -SIGILL || r == -SIGSEGV || r == ENOSYS);
#else
	printf("not tested: x86-64 alone has such calls\n");
#endif
}
END_TEST

START_TEST(arguments_are_looked_at)
{
	ck_assert_int_eq(confined(SYS_dup, 2), 0);
	ck_assert_int_eq(confined(SYS_dup, 1), EPERM);
	/* the first rule that holds */
	ck_assert_int_eq(confined(SYS_umask, 0x06), 0);
	ck_assert_int_eq(confined(SYS_umask, 0x16), EPERM);
	ck_assert_int_eq(confined(SYS_umask, 0x05), EPERM);
	/* the kernel looks at the lower half, too */
	ck_assert_int_eq(confined(SYS_dup, 0x100000002L), 0);
}
END_TEST

START_TEST(too_many_rules_are_refused)
{
	static const struct confine_rule many[CONFINE_RULES_MAX + 1];
	struct confine_filter filter;

	ck_assert_int_eq(confine_filter_make(many, CONFINE_RULES_MAX, &filter), 0);
	ck_assert_uint_le(filter.n, ARRAY_SIZE(filter.code));
	ck_assert_int_eq(confine_filter_make(many, ARRAY_SIZE(many), &filter), -E2BIG);
}
END_TEST

START_TEST(whoever_starts_it_can_say_no)
{
	const char *built = confine_unwanted();

	setenv("PLOP_CONFINE", "no", 1);
	ck_assert_str_eq(confine_unwanted(), built ? built : "PLOP_CONFINE=no");
	setenv("PLOP_CONFINE", "yes", 1);
	ck_assert_ptr_eq(confine_unwanted(), built);
}
END_TEST

CHECK_MAIN("util/confine", calls_are_what_their_rules_say, unknown_calls_are_as_of_an_older_kernel,
	   whoever_is_traced_goes_on, arguments_are_looked_at, too_many_rules_are_refused,
	   whoever_starts_it_can_say_no);
