/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "examiner/readings.h"
#include "examiner/wire.h"
#include "proc/process.h"
#include "python/python.h"

/*
 * Everything that is read of a target is read by helper processes. A target may lie in a file
 * system that never answers (a FUSE server, a dead NFS server), or answer page faults itself and
 * not do it (userfaultfd(2)); who reads it then is blocked, maybe for good, and cannot be told to
 * stop. So the one who reads is a process that plopd can do without: it is killed and another takes
 * its place. The loop asks and goes on; the answer comes by a call.
 *
 *	plopd --- spawner --- helpers
 *	   \_____________________/
 *
 * The spawner is forked before plopd has threads, memory or programs to speak of, so that helpers
 * are small and forked quickly. It reads nothing, so nothing blocks it.
 *
 * Helpers come in two lanes: what ticks and processes need, and what people ask for and takes long.
 * In each, no user whose processes have kept helpers waiting has more than one helper at a time, so
 * that there is another for all others.
 */
struct examiner;

/* Forks the spawner: call it before there are threads, and before anything large is in memory. */
int examiner_new(struct examiner **ret);
/* Goes on in that loop, which ends with this when the spawner has ended. */
#define EXAMINER_ENDED (-EOWNERDEAD)
int examiner_start(struct examiner *e, sd_event *loop);
/* Ends the helpers. What was asked is answered, by -ECANCELED, within this call. */
void examiner_free(struct examiner *e);
DEFINE_FREEP(struct examiner, examiner_free)

enum examiner_op {
	EXAMINE_PROCESS = 0, /* is it Python, and what does /proc say of it */
	EXAMINE_ASYNC,       /* where it keeps its asyncio tasks */
	EXAMINE_CODE,        /* code objects */
	EXAMINE_THREADS,     /* what its threads are called */
	EXAMINE_DUMP,        /* the stacks of its threads */
	EXAMINE_STATES,      /* where its thread states are */
	EXAMINE_ASLEEP,      /* the stacks of those that sleep */
	EXAMINE_TITLE,       /* what it calls itself now */
	EXAMINE_SOURCE,      /* the text of a file that it has loaded */
	EXAMINE_OPS,
};

/* Whom a question is about. */
struct examinee {
	pid_t pid;
	uint64_t image; /* tells processes of one pid apart; 0: not known */
	uid_t user;     /* whose it is, however it calls itself now: process_user() */
	bool on_house;  /* somebody who is trusted asks: nobody's account is looked at */
};

/*
 * What users' processes cost, for who keeps account of it; called on the loop thread.
 */
enum examiner_credit {
	EXAMINER_CREDIT_EASY = 0,
	EXAMINER_CREDIT_TIGHT, /* one helper of a lane at most is at that user's processes */
	EXAMINER_CREDIT_NONE,  /* nothing more is asked about them: the answer is -EAGAIN */
};
struct examiner_account {
	enum examiner_credit (*credit)(void *ctx, uid_t user);
	void (*refused)(void *ctx, uid_t user);
	/* CPU time: of the helper, and of who heard the answer */
	void (*spent)(void *ctx, uid_t user, uint64_t ns);
	void *ctx;
};
/* Before anything is asked; without it there is no bound. */
void examiner_keep_account(struct examiner *e, const struct examiner_account *a);

/*
 * Called once for each question, on the loop thread, some time after it was asked. r: 0, and body
 * is what the op says; -ETIMEDOUT: the target did not let itself be read, or whoever read it
 * crashed; -EBUSY: too many of its user's targets do not, so it was not tried; -EAGAIN: too much is
 * asked at once, its user has no credit, or who was to read could not be asked; -ECANCELED: plopd
 * ends; -ENOMEM; or what the op says.
 */
typedef void (*examiner_done_t)(void *ctx, int r, struct unpack *body);

/*
 * Takes *body over, the request; see the functions below. Never blocks, and never calls done
 * itself, unless it is out of memory or plopd ends; a failure to ask comes as an answer too.
 */
void examiner_ask(struct examiner *e, enum examiner_op op, const struct examinee *who,
		  struct buf *body, examiner_done_t done, void *ctx);
/* How many questions have no answer yet. */
size_t examiner_pending(const struct examiner *e);
/*
 * Whether processes of that user have kept helpers waiting, more than once and not long ago, or
 * have cost so much that little credit is left.
 */
bool examiner_distrusts(const struct examiner *e, uid_t user);

struct examiner_facts {
	unsigned int helpers;  /* processes there are now, the spawner among them */
	unsigned int given_up; /* ... and those that were killed and have not ended yet */
	uint64_t timeouts;     /* since plopd started */
	double cpu_seconds;    /* of all of them, since plopd started */
	/* resident memory of those there are now that is not plopd's as well */
	uint64_t private_bytes;
};
void examiner_facts(struct examiner *e, struct examiner_facts *ret);

/*
 * EXAMINE_PROCESS: the request is empty, or names an interpreter that was found in the process and
 * was not up: if it is by now, the answer has nothing but that, and *ret_info is empty. So it is
 * (all NULL) unless verdict is YES, UNSUPPORTED or PYPY.
 */
void examine_process(struct buf *request, const struct plop_layout *l, uint64_t runtime);
int examined_process(struct unpack *body, struct python_process *ret_python,
		     struct process_info *ret_info);
/*
 * EXAMINE_TITLE: the request is empty; process_info.comm and .cmdline as they are now, owned by the
 * caller.
 */
int examined_title(struct unpack *body, char **ret_comm, char **ret_cmdline);
/* EXAMINE_ASYNC: -ENOENT, -EBADMSG, -EOPNOTSUPP as python_async(). */
void examine_async(struct buf *request, const struct plop_layout *l);
int examined_async(struct unpack *body, struct plop_async *ret);

/*
 * EXAMINE_CODE: what readings.h says. confirm: the code objects whose fingerprints are wanted;
 * word: the address of a word that is read after these; frames: those that are wanted whole, with
 * the copy that instr lies in.
 */
void examine_code(struct buf *request, const struct plop_layout *l,
		  const struct plop_frame *confirm, size_t nconfirm, uint64_t word,
		  const struct plop_frame *frames, size_t nframes);

/* EXAMINE_THREADS */
struct thread_name {
	uint32_t tid;
	char *name; /* as threading gave it */
};
struct thread_name_list {
	struct thread_name *names; /* by tid; owned */
	size_t n;
};
void thread_name_list_done(struct thread_name_list *l);
void examine_threads(struct buf *request, const struct plop_layout *l, uint64_t runtime);
int examined_threads(struct unpack *body, struct thread_name_list *ret);

/*
 * EXAMINE_STATES: where the thread states of a process are, of each thread the one in use, by
 * thread pointers; those of wanted first (a state of 0: it has none), and of others as many as
 * there is room for.
 */
struct state_place {
	uint64_t thread, state;
};
void examine_states(struct buf *request, const struct plop_layout *l, uint64_t runtime,
		    const uint64_t *wanted, size_t nwanted);
/* *ret: owned. */
int examined_states(struct unpack *body, struct state_place **ret, size_t *ret_n);

/*
 * EXAMINE_DUMP: -EFAULT: the interpreter is starting or ending; -ESRCH. The members that GET
 * /v1/dump adds to what is known of the process: gil, changing, ..., threads; JSON text without the
 * braces. Beyond max bytes threads are listed without their frames.
 */
void examine_dump(struct buf *request, const struct plop_layout *l, uint64_t runtime, uint32_t max);
int examined_members(struct unpack *body, const char **ret_text, size_t *ret_size);

/*
 * EXAMINE_SOURCE: members of GET /v1/source, as for EXAMINE_DUMP; errors of process_source_read()
 * and source_decode(); -EBADE: not source_agrees().
 */
struct examined_file {
	uid_t owner; /* process_owner() */
	uint64_t start_ticks;
	const char *paths, *path; /* borrowed, as the function's name */
	const char *function;
	uint32_t first, last;
};
void examine_source(struct buf *request, const struct examined_file *f);

/*
 * EXAMINE_ASLEEP: the threads that sleep, as far as they did so from before they were read until
 * after; -EFAULT, -ESRCH. max threads at most, and none begins beyond max_bytes: how many are left
 * out is told.
 */
struct asleep_frame {
	enum plop_frame_kind kind;
	char *name, *file;
	int firstlineno, line;
};
struct asleep_thread {
	uint32_t tid;
	uint64_t switches;           /* proc_thread_switches_read() */
	uint64_t at_ns;              /* CLOCK_MONOTONIC: it slept then */
	int syscall;                 /* in which one; -1: none, or not known */
	bool gil;                    /* it waits for the GIL */
	bool disk;                   /* ... or cannot be interrupted */
	bool native;                 /* no Python thread */
	bool worker;                 /* one that the kernel made for the process */
	bool truncated;              /* the root is missing */
	struct asleep_frame *frames; /* innermost first */
	uint32_t n;
};
void examine_asleep(struct buf *request, const struct plop_layout *l, uint64_t runtime,
		    uint32_t max, uint32_t max_bytes);
/*
 * gil() is called for each GIL, with its address, then thread() for each thread, which ends it by a
 * negative errno.
 */
int examined_asleep(struct unpack *body, void (*gil)(uint64_t address, void *ctx),
		    int (*thread)(const struct asleep_thread *t, void *ctx), void *ctx,
		    uint32_t *ret_left);
