/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "ctl/record.h"
#include "util/log.h"

/* What a shell says of a program that is not there, and of one that cannot be executed. */
#define EXIT_NOT_FOUND      127
#define EXIT_NOT_EXECUTABLE 126
/* How often and how many times plopd is asked whether the recording runs. */
#define BEGIN_MS    5
#define BEGIN_TRIES 1000

/* In the new process, which is a copy of plopctl: only what is safe there. */
static _Noreturn void child(const struct command *c, int hold, int failure)
{
	char go;
	ssize_t n;
	int error;

	/* as plopctl itself was called */
	sigprocmask(SIG_SETMASK, &c->before, NULL);
	do
		n = read(hold, &go, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(EXIT_FAILURE);
	execvp(c->argv[0], c->argv);
	error = errno;
	n = write(failure, &error, sizeof(error));
	_exit(n == sizeof(error) ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

int command_hold(struct command *c)
{
	int hold[2], failure[2], r;

	if (pipe2(hold, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(failure, O_CLOEXEC) < 0) {
		r = -errno;
		close(hold[0]);
		close(hold[1]);
		return r;
	}
	c->pid = fork();
	r = c->pid < 0 ? -errno : 0;
	if (c->pid == 0) {
		/* if plopctl ends, nobody holds the other end */
		close(hold[1]);
		child(c, hold[0], failure[1]);
	}
	close(hold[0]);
	close(failure[1]);
	if (r < 0) {
		c->pid = 0;
		close(hold[1]);
		close(failure[0]);
		return r;
	}
	c->hold = hold[1];
	c->failure = failure[0];
	return 0;
}

static void reap(struct command *c, int options)
{
	int status;
	pid_t pid;

	if (!c->pid)
		return;
	do
		pid = waitpid(c->pid, &status, options);
	while (pid < 0 && errno == EINTR);
	if (pid != c->pid)
		return;
	c->pid = 0;
	c->ended = true;
	c->status = status;
}

void command_abandon(struct command *c)
{
	if (c->hold >= 0)
		close(TAKE_FD(c->hold));
	if (c->failure >= 0)
		close(TAKE_FD(c->failure));
	if (c->pid && !c->ended)
		reap(c, 0);
}

/* One with asyncio tasks may begin later than it is asked for. */
static void await_begin(struct recording *rec)
{
	for (int i = 0; i < BEGIN_TRIES && json_number_at(rec->state, "elapsed_s") <= 0; i++) {
		poll(NULL, 0, BEGIN_MS);
		if (record_refresh(rec) < 0)
			return;
	}
}

int command_release(struct command *c, struct recording *rec)
{
	int error = 0;
	ssize_t n;

	await_begin(rec);
	/* somebody may have killed it */
	signal(SIGPIPE, SIG_IGN);
	n = write(c->hold, "", 1);
	close(TAKE_FD(c->hold));
	if (n != 1)
		error = EPIPE;
	else
		while ((n = read(c->failure, &error, sizeof(error))) < 0 && errno == EINTR)
			;
	close(TAKE_FD(c->failure));
	/* nothing came: the other end was closed by the program's execution */
	if (n == 0)
		return CTL_DONE;
	reap(c, 0);
	c->failed = true;
	log_error("record: cannot execute %.256s: %s", c->argv[0], strerror(error));
	log_error("try: a program that is in PATH, or its path");
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/*
 * What came from the terminal came to the program as well, which is in the same process group; what
 * it sent itself it does not want. Anything else was meant for it.
 */
static bool is_for_command(const struct command *c, const struct signalfd_siginfo *info)
{
	return info->ssi_code != SI_KERNEL && (pid_t)info->ssi_pid != c->pid;
}

bool command_signals(struct command *c, int signals)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(c, WNOHANG);
		else if (c->pid && is_for_command(c, &info))
			kill(c->pid, (int)info.ssi_signo);
	}
	return c->ended;
}

void command_wait(struct command *c, int signals)
{
	struct pollfd p = { .fd = signals, .events = POLLIN };

	/* whatever was read of the signals: it may have ended before */
	reap(c, WNOHANG);
	while (c->pid && !command_signals(c, signals))
		poll(&p, 1, -1);
}

int command_status(const struct command *c, int record)
{
	int status = WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status) : WEXITSTATUS(c->status);

	return status ? status : record == CTL_DONE ? 0 : CTL_FAILED;
}
