/* SPDX-License-Identifier: BSD-2-Clause */
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "ctl/record.h"

/* How often and how many times plopd is asked whether a recording that was stopped has ended. */
#define STOP_MS    5
#define STOP_TRIES 1000

/* For the second Ctrl-C: what must not stay behind, and what is said then; NULL: nothing. */
static const char *volatile unfinished;
static const char *volatile last_words;
static const char nothing_kept[] = "plopctl: stopped: nothing was kept\n";
static const char not_whole[] = "plopctl: stopped: what was written is not whole\n";

static void on_second_signal(int number)
{
	const char *words = last_words;
	ssize_t n = 0;

	if (unfinished)
		unlink(unfinished);
	if (words)
		n = write(STDERR_FILENO, words, strlen(words));
	_exit(128 + number + 0 * (int)n);
}

int record_stop(struct recording *rec)
{
	_cleanup_answer_ struct ctl_answer a = {};
	struct sigaction action = { .sa_handler = on_second_signal };
	struct signalfd_siginfo info;
	sigset_t signals;
	int r;

	rec->stopped = true;
	r = ctl_exchange(rec->ctl, "DELETE", rec->path, NULL, 30, &a);
	/* timeout(1) and some shells send the same signal twice at once: that is one. */
	while (read(rec->signals, &info, sizeof(info)) > 0)
		;
	unfinished = rec->output.temporary;
	last_words = nothing_kept;
	sigaction(SIGINT, &action, NULL);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
	/* It ends with plopd's next look at the samples, and is not whole before. */
	for (int i = 0; r >= 0 && i < STOP_TRIES; i++) {
		r = record_refresh(rec);
		if (r < 0 || streq(json_string_at(rec->state, "state"), "done"))
			break;
		poll(NULL, 0, STOP_MS);
	}
	return r;
}

void record_writes(const struct recording *rec)
{
	if (!rec->output.temporary)
		last_words = not_whole;
}

void record_wrote(void)
{
	unfinished = NULL;
	last_words = NULL;
}

int record_catch_signals(struct recording *rec)
{
	/* of a program that plopctl starts it gets more: they are passed on */
	static const int own[] = { SIGINT, SIGTERM, SIGHUP },
			 passed[] = { SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD };
	sigset_t signals;

	sigemptyset(&signals);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		sigaddset(&signals, own[i]);
	for (size_t i = 0; rec->command.argv && i < ARRAY_SIZE(passed); i++)
		sigaddset(&signals, passed[i]);
	if (sigprocmask(SIG_BLOCK, &signals, &rec->command.before) < 0)
		return -errno;
	rec->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return rec->signals < 0 ? -errno : 0;
}
