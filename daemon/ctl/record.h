/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "ctl/ctl.h"

#define RECORD_MAX_PIDS 64

/* plopctl record, over some files: what was asked for, and the recording under way. */
struct record_options {
	struct ctl *ctl;
	pid_t pids[RECORD_MAX_PIDS];
	unsigned int npids;
	bool all, off_cpu, tasks;
	const char *cgroup, *unit;
	struct selectors selectors;
	char **command;       /* behind "--", NULL-terminated; NULL: none */
	uint64_t duration_ns; /* 0: nothing was said */
	uint64_t hz;
	const char *format, *output, *group_by;
	const char *name; /* it is kept by; NULL: it is not */
	const char *why;  /* for the log; NULL: it was not said */
	struct labels labels;
	int error; /* exit status of an option that was refused */
};

/* The program that plopctl starts; record_command.c. */
struct command {
	char **argv;     /* NULL: none */
	pid_t pid;       /* 0: none, or it has ended and was waited for */
	int hold;        /* written to: it may begin */
	int failure;     /* says why it could not */
	sigset_t before; /* the signals that were blocked when plopctl began */
	bool failed;     /* it could not be executed */
	bool ended;
	int status; /* of wait(2), once it has ended */
};

struct recording {
	struct ctl *ctl;
	const struct format *format;
	const char *group_by;              /* or NULL */
	const struct selectors *selectors; /* those of samples are asked for with the result */
	struct ctl_output output;
	char *path;               /* "/v1/recordings/r1", owned */
	json_t *state;            /* the last that plopd said of it, owned */
	struct ctl_answer so_far; /* the profile as of the last time that it was fetched */
	/* why plopd did not give it, when it was last asked; status 0: it never was */
	struct ctl_answer refused;
	int signals; /* signalfd */
	struct command command;
	const char *name; /* or NULL */
	bool stopped, off_cpu;
};

/* record_request.c: has plopd begin it, and says what it is without. An exit status. */
int record_begin(const struct record_options *o, struct recording *rec);
/* 0: the state is fresh; else as ctl_exchange(), or -ENODATA: plopd knows the recording no more. */
int record_refresh(struct recording *rec);
/* The path of its result in that format, as it is to be grouped or plain; NULL: out of memory. */
char *record_result_path(const struct recording *rec, const char *format, const char *group_by);

/*
 * record_signals.c: SIGINT, SIGTERM and SIGHUP end it, for a program more are passed on. Negative
 * errno.
 */
int record_catch_signals(struct recording *rec);
/*
 * The first Ctrl-C ends the recording, one more plopctl, which then says what is kept. As
 * record_refresh().
 */
int record_stop(struct recording *rec);
/* The result is about to be written; and is. */
void record_writes(const struct recording *rec);
void record_wrote(void);

/*
 * record_command.c. Makes the process, which waits before it executes the program: 0, -errno. What
 * is then done with it is either command_release() or command_abandon().
 */
int command_hold(struct command *c);
/*
 * It executes the program, as soon as the recording runs. An exit status: 126, 127 if it cannot,
 * having complained.
 */
int command_release(struct command *c, struct recording *rec);
/* It ends without having done anything. */
void command_abandon(struct command *c);
/* The signals that came: passes them on. Whether the program has ended. */
bool command_signals(struct command *c, int signals);
/* Waits until it has ended. */
void command_wait(struct command *c, int signals);
/*
 * The program's exit status, 128 and more for a signal; 1 for a program that ended well, of a
 * record that did not.
 */
int command_status(const struct command *c, int record);

/* hottest.c: on a terminal, the functions that had most of it. */
void hottest_show(const struct recording *rec);
/* A line for each of the first n functions by their own share, of a call graph's JSON. Pure. */
void hottest_text(const json_t *graph, unsigned int n, unsigned int columns, struct buf *out);
