/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sys/queue.h>
#include <uthash.h>

#include "examiner/examiner.h"
#include "util/seldom.h"

/* Private to the room. */

/*
 * A message: this, then size bytes. To a helper value is the op, from it the result, and cpu_ns
 * what it took of CPU time.
 */
struct message_head {
	uint32_t size;
	int32_t value;
	uint64_t cpu_ns;
};
/* What a helper takes and gives at most; a request is some hundred thousand addresses. */
#define REQUEST_MAX (8u << 20)
#define ANSWER_MAX  (48u << 20)

/* Helpers that can be at work at once in one lane. */
#define LANE_HELPERS 2
enum lane {
	LANE_TICKS = 0, /* what ticks and processes need */
	LANE_PEOPLE,    /* dumps, and stacks for recordings */
	LANES,
};

/* As many may wait for a helper that has begun a moment ago. */
#define LANE_PATIENT 8

/* Questions that wait in a lane: one for each process of the host, when plopd starts. */
#define LANE_QUESTIONS PLOP_MAX_PROCESSES

/*
 * Helpers that were given up and have not ended: beyond, those whose targets do not answer are not
 * asked. Beyond twice that, nobody.
 */
#define GIVEN_UP_MAX     16
#define GIVEN_UP_NUMBERS (2 * GIVEN_UP_MAX + LANES * LANE_HELPERS)

struct question {
	TAILQ_ENTRY(question) questions;
	enum examiner_op op;
	struct examinee who;
	struct buf body;
	examiner_done_t done;
	void *ctx;
	int result; /* of one that is refused */
};
TAILQ_HEAD(questions, question);

/* A helper as plopd sees it. */
struct helper {
	struct examiner *examiner;
	enum lane lane;
	uint32_t serial;
	pid_t pid; /* 0: the spawner has not told yet */
	int fd;    /* -EBADF: there is none */
	sd_event_source *io, *timer;
	struct question *question; /* that it is at; NULL: none */
	struct buf out;            /* to be sent, from out_at on */
	size_t out_at;
	struct buf in;
	uint64_t asked_ns;  /* CLOCK_MONOTONIC: when the question was sent */
	uint64_t cpu_ns;    /* of all its answers */
	bool looked_at;     /* while it was at this question */
	uint64_t cpu_ticks; /* what it had used by then */
};

/* A user whose processes kept helpers waiting. */
struct distrusted {
	uid_t user;
	unsigned int times;
	uint64_t until_ns; /* CLOCK_MONOTONIC */
	UT_hash_handle hh;
};

struct examiner {
	sd_event *loop;
	int spawner; /* its socket */
	pid_t spawner_pid;
	sd_event_source *io;
	uint32_t serials;
	struct helper helpers[LANES][LANE_HELPERS];
	struct questions waiting[LANES];
	size_t nwaiting[LANES];
	struct questions refused; /* to be told so */
	sd_event_source *refuse;
	struct distrusted *distrusted;
	struct examiner_account account;
	/* killed, and not ended yet: their numbers are in given_up_serials */
	unsigned int given_up;
	uint32_t given_up_serials[GIVEN_UP_NUMBERS];
	/* how long a helper may stand still at one question */
	uint64_t still_usec;
	/* ... and be at one before another is forked beside it for those that wait */
	uint64_t fork_usec;
	sd_event_source *fork; /* looks again then */
	/* one beside the first ends when it was not asked for so long: it takes memory */
	uint64_t idle_usec;
	uint64_t timeouts;
	uint64_t cpu_ticks; /* of helpers that are no more */
	bool ending;
	struct seldom ended, unasked, not_given_up;
};

/* examiner.c: the question has its answer; the helper is free. */
void question_answer(struct examiner *e, struct question *q, int r, struct unpack *body);
/* ... who was asked does not answer. */
void examiner_timed_out(struct examiner *e, const struct question *q);
/* ... it took that much. */
void examiner_spent(struct examiner *e, const struct question *q, uint64_t ns);
/* ... asks what can be asked. */
void examiner_dispatch(struct examiner *e, enum lane lane);

/* helper.c */
int helper_ask(struct helper *h, struct question *q);
/* Closes it; kill: it is at something that does not end. Its question stays the caller's. */
void helper_close(struct helper *h, bool kill);
/*
 * The CPU time that it has used, in clock ticks, and what state it is in; 0 and '?' where that is
 * not known.
 */
void helper_look(const struct helper *h, uint64_t *ret_ticks, char *ret_state);
/* Resident memory that no other process has. */
uint64_t helper_bytes(pid_t pid);

/* spawner.c. What plopd tells it, with the helper's end of a socket for SPAWNER_FORK. */
enum spawner_order {
	SPAWNER_FORK = 1,
	SPAWNER_KILL,
};
struct spawner_message {
	uint32_t order; /* answer: 0 */
	uint32_t serial;
	int32_t pid; /* answer: of the helper, when it was forked; 0: it has ended */
};
/* Does not return: the spawner's process. */
_Noreturn void spawner_run(int fd);
int spawner_fork(struct examiner *e, uint32_t serial, int fd);
void spawner_kill(struct examiner *e, uint32_t serial);

/* The descriptor that a helper has plopd's questions on. */
#define HELPER_FD 3
/*
 * confine.c: a process becomes a helper: fd, the other end of whose socket is plopd's, is
 * HELPER_FD, all others are closed, and it gives up what it has no use for. first: of this plopd,
 * which tells if that cannot be had. A negative errno: it cannot serve.
 */
int helper_begin(int fd, bool first);
/* ... of which this is the last; errors of confine_filter_apply(). */
int helper_confine(void);

/* serve.c: does not return: a helper's process, after helper_begin(). */
_Noreturn void serve_run(void);

/* What a helper keeps from question to question. */
struct served {
	struct python_cache *cache;
	struct version_cache *versions;
};
/* Reads the request, reads the target, appends to *answer. Returns the result. */
typedef int (*serve_t)(struct served *s, pid_t pid, struct unpack *request, struct buf *answer);
int serve_process(struct served *s, pid_t pid, struct unpack *request, struct buf *answer);
int serve_title(struct served *s, pid_t pid, struct unpack *request, struct buf *answer);
int serve_async(struct served *s, pid_t pid, struct unpack *request, struct buf *answer);
int serve_code(struct served *s, pid_t pid, struct unpack *request, struct buf *answer);
int serve_threads(struct served *s, pid_t pid, struct unpack *request, struct buf *answer);
int serve_states(struct served *s, pid_t pid, struct unpack *request, struct buf *answer);
int serve_asleep(struct served *s, pid_t pid, struct unpack *request, struct buf *answer);
int serve_dump(struct served *s, pid_t pid, struct unpack *request, struct buf *answer);
int serve_source(struct served *s, pid_t pid, struct unpack *request, struct buf *answer);

/*
 * op_threads.c: which of a process's threads each thread state is of; NULL: not known. 0 or a
 * negative errno.
 */
struct walker;
struct walk_states;
struct proc_threads;
struct proc_thread;
int states_threads(struct walker *w, const struct walk_states *s, const struct proc_threads *t,
		   const struct proc_thread **ret);
