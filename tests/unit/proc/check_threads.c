/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>

#include "check_main.h"
#include "proc/threads.h"

START_TEST(system_calls)
{
	uint64_t args[6] = {};
	long number = 0;

	ck_assert_int_eq(proc_thread_syscall_parse(
				 "202 0x7f0012345678 0x189 0x0 0x0 0x0 0xffffffff 0x7fff 0x1\n",
				 &number, args),
			 0);
	ck_assert_int_eq(number, 202);
	ck_assert_uint_eq(args[0], 0x7f0012345678);
	ck_assert_uint_eq(args[5], 0xffffffff);
	ck_assert_int_eq(proc_thread_syscall_parse("running\n", &number, args), -ENODATA);
	ck_assert_int_eq(proc_thread_syscall_parse("-1 0x7fff 0x1\n", &number, args), -ENODATA);
	ck_assert_int_eq(proc_thread_syscall_parse("", &number, args), -EBADMSG);
	ck_assert_int_eq(proc_thread_syscall_parse("x", &number, args), -EBADMSG);
	ck_assert_int_eq(proc_thread_syscall_parse("7 0x1 0x2", &number, args), -EBADMSG);
	ck_assert_int_eq(number, 202);
	ck_assert(syscall_is_futex(SYS_futex) && !syscall_is_futex(SYS_read));
}
END_TEST

struct sleeper {
	int pipe[2];
	pid_t tid;
	sem_t up;
};

static void *sleep_in_read(void *ctx)
{
	struct sleeper *s = ctx;
	char c;

	s->tid = (pid_t)syscall(SYS_gettid);
	pthread_setname_np(pthread_self(), "a (b) R");
	sem_post(&s->up);
	return read(s->pipe[0], &c, 1) < 0 ? s : NULL;
}

START_TEST(threads_of_this_process)
{
	_cleanup_proc_threads_ struct proc_threads t = {}, list = {};
	struct proc_thread_state state = {};
	uint64_t before, after;
	const struct proc_thread *k;
	struct sleeper s;
	pthread_t thread;
	char letter;

	ck_assert_int_eq(pipe(s.pipe), 0);
	sem_init(&s.up, 0, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, sleep_in_read, &s), 0);
	sem_wait(&s.up);
	ck_assert_int_eq(proc_threads_read(getpid(), &t), 0);
	ck_assert_uint_eq(t.n, 2);
	k = proc_threads_find(&t, s.tid);
	ck_assert_ptr_nonnull(k);
	ck_assert_str_eq(k->comm, "a (b) R");
	ck_assert_ptr_eq(proc_threads_find_own(&t, k->own_tid), k);
	ck_assert_ptr_null(proc_threads_find(&t, 1));
	ck_assert_ptr_null(proc_threads_find_own(&t, 0));
	ck_assert_int_eq(proc_threads_list(getpid(), &list), 0);
	ck_assert_uint_eq(list.n, 2);
	for (size_t i = 0; i < list.n; i++) {
		ck_assert_int_eq(list.threads[i].tid, t.threads[i].tid);
		ck_assert_int_eq(list.threads[i].own_tid, t.threads[i].own_tid);
		ck_assert_ptr_null(list.threads[i].comm);
	}
	/* it is on its way there */
	for (int i = 0; i < 10000 && state.letter != 'S'; i++) {
		usleep(1000);
		ck_assert_int_eq(proc_thread_state_read(getpid(), s.tid, &state), 0);
	}
	ck_assert_int_eq(state.letter, 'S');
	/* -1: where the kernel has no such file, or one may not read it */
	if (state.syscall >= 0) {
		ck_assert_int_eq(state.syscall, SYS_read);
		ck_assert_uint_eq(state.args[0], (uint64_t)s.pipe[0]);
	}
	/* it has left its CPU to sleep, and sleeps on */
	ck_assert_int_eq(proc_thread_switches_read(getpid(), s.tid, &letter, &before), 0);
	ck_assert(letter == 'S' && before > 0);
	usleep(1000);
	ck_assert_int_eq(proc_thread_switches_read(getpid(), s.tid, &letter, &after), 0);
	ck_assert_uint_eq(before, after);
	ck_assert_int_eq(proc_thread_switches_read(getpid(), INT32_MAX, &letter, &after), -ESRCH);
	close(s.pipe[1]);
	pthread_join(thread, NULL);
	/* the kernel lets who joins it go on before the thread is out of /proc */
	for (int i = 0; i < 10000 && proc_thread_state_read(getpid(), s.tid, &state) != -ESRCH; i++)
		usleep(1000);
	ck_assert_int_eq(proc_thread_state_read(getpid(), s.tid, &state), -ESRCH);
	ck_assert_int_eq(proc_threads_read(INT32_MAX, &t), -ESRCH);
	ck_assert_int_eq(proc_threads_list(INT32_MAX, &list), -ESRCH);
	close(s.pipe[0]);
	sem_destroy(&s.up);
}
END_TEST

CHECK_MAIN("proc/threads", system_calls, threads_of_this_process);
