/* SPDX-License-Identifier: BSD-2-Clause */
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_main.h"
#include "perf/event.h"
#include "perf/opener.h"

#define NOBODY 65534

static char folder[64], path[96];
static pid_t opener;
static const struct perf_event of_cpu = { .cpu = 0, .tid = -1, .period_ns = 1000000000 };

static int listener_make(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, sizeof(path));
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	return fd;
}

/* An opener beside, which ends after so long without a question. */
static void opener_begin(int idle_ms)
{
	int fd = listener_make();

	opener = fork();
	if (opener == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(opener_serve(fd, idle_ms) < 0);
	}
	close(fd);
}

static void setup(void)
{
	strcpy(folder, "/tmp/plop-perf-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chmod(folder, 0755), 0);
	snprintf(path, sizeof(path), "%s/socket", folder);
	opener = 0;
}

static void teardown(void)
{
	if (opener) {
		kill(opener, SIGKILL);
		waitpid(opener, NULL, 0);
	}
	unlink(path);
	rmdir(folder);
}

/* What somebody without capabilities gets: 0 for an event that counts, or the error. */
static int by_nobody(const struct perf_event *e)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		uint64_t count[2];
		int fd = -EPERM;

		if (setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		    setresuid(NOBODY, NOBODY, NOBODY) == 0)
			fd = perf_event_open(e, path);
		if (fd >= 0 && read(fd, count, sizeof(count)) != sizeof(count))
			fd = -EIO;
		_exit(fd < 0 ? -fd : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int connected(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, sizeof(path));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* What it answers to these bytes; 1: nothing. */
static int answer_to(const void *bytes, size_t size)
{
	_cleanup_close_ int fd = connected();
	int32_t r = 1;

	ck_assert_int_eq(send(fd, bytes, size, MSG_NOSIGNAL), size);
	return recv(fd, &r, sizeof(r), 0) == sizeof(r) ? r : 1;
}

START_TEST(who_is_refused_has_it_opened)
{
	const struct perf_event of_thread = { .cpu = -1, .tid = getpid(), .period_ns = 1000000 };

	ck_assert_int_eq(by_nobody(&of_cpu), EACCES);
	opener_begin(-1);
	ck_assert_int_eq(by_nobody(&of_cpu), 0);
	ck_assert_int_eq(by_nobody(&of_thread), 0);
}
END_TEST

START_TEST(what_has_ended_is_told)
{
	struct perf_event e = { .cpu = -1, .period_ns = 1000000 };

	e.tid = fork();
	if (e.tid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(e.tid, NULL, 0), e.tid);
	opener_begin(-1);
	ck_assert_int_eq(by_nobody(&e), ESRCH);
}
END_TEST

START_TEST(nothing_else_is_opened)
{
	const struct perf_event wrong[] = {
		{ .cpu = 0, .tid = 1, .period_ns = 1 },  { .cpu = -1, .tid = -1, .period_ns = 1 },
		{ .cpu = -1, .tid = 0, .period_ns = 1 }, { .cpu = -7, .tid = 1, .period_ns = 1 },
		{ .cpu = 0, .tid = -7, .period_ns = 1 }, { .cpu = 0, .tid = -1, .period_ns = 0 },
	};
	const char more[sizeof(of_cpu) + 1] = {};

	opener_begin(-1);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ck_assert_int_eq(answer_to(&wrong[i], sizeof(wrong[i])), -EINVAL);
	ck_assert_int_eq(answer_to(&of_cpu, sizeof(of_cpu) - 1), 1);
	ck_assert_int_eq(answer_to(more, sizeof(more)), 1);
	ck_assert_int_eq(by_nobody(&of_cpu), 0);
}
END_TEST

START_TEST(who_says_nothing_holds_nobody_up)
{
	int silent[4];

	opener_begin(-1);
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		silent[i] = connected();
	ck_assert_int_eq(by_nobody(&of_cpu), 0);
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		close(silent[i]);
}
END_TEST

START_TEST(who_does_not_answer_is_given_up)
{
	int fd = listener_make();

	ck_assert_int_eq(by_nobody(&of_cpu), ETIMEDOUT);
	close(fd);
	/* the name is still there */
	ck_assert_int_eq(by_nobody(&of_cpu), EACCES);
}
END_TEST

START_TEST(it_ends_when_nobody_asks)
{
	int status;

	opener_begin(50);
	ck_assert_int_eq(waitpid(opener, &status, 0), opener);
	opener = 0;
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		who_is_refused_has_it_opened,    what_has_ended_is_told,
		nothing_else_is_opened,          who_says_nothing_holds_nobody_up,
		who_does_not_answer_is_given_up, it_ends_when_nobody_asks
	};

	if (geteuid() != 0) {
		puts("SKIP: needs root, to be somebody else");
		return EXIT_SUCCESS;
	}
	return check_main("opener", setup, teardown, tests, ARRAY_SIZE(tests));
}
