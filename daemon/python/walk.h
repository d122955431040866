/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "python/python.h"

/*
 * The stacks of a process's threads, read from outside while it runs on. Nothing is guessed: the
 * thread states are those that two readings of their list agree on, and a stack is given as far as
 * two readings of it agree, the second one frame by frame and pointer by pointer. Between the two,
 * what the process did elsewhere does not matter; of frames that come and go faster than that, it
 * is said that they do.
 */

/* All maxima are for one walker; what is beyond is left out, and said to be. */
#define WALK_MAX_STATES 32768 /* thread states, and interpreters */
#define WALK_MAX_LINKS \
	2048 /* frames of one stack, with those that are not Python's; PLOP_MAX_DEPTH are given */
#define WALK_LIST_TRIES 16                    /* readings of the list of thread states */
#define WALK_TRIES      64                    /* readings of one stack */
#define WALK_TRIES_ALL  (4 * WALK_MAX_STATES) /* ... and of all stacks together */
#define WALK_MAX_WORK \
	(4u << 20)           /* frames read, all in all; then stacks are not readable any more */
#define WALK_MAX_CODES 65536 /* code objects kept at a time */
#define WALK_MAX_BYTES (20u << 20) /* ... what their names and line tables take */
#define WALK_MAX_READ \
	(256u << 20) /* ... and what of these is read, all in all; then frames have no name */

/* A thread state, and what it said when the list was read. */
struct walk_state {
	uint64_t address;
	uint64_t interp;
	uint64_t thread_id; /* what pthread_self() is in the thread */
	/* its tid in the process's own pid namespace; 0: the version does not keep it */
	uint64_t native_id;
	uint32_t interp_no; /* 0: the first one that there was */
	uint32_t status;    /* _status; 0: there is none */
	/*
	 * where walk_states.others has all of this thread's states, this one included, if it has
	 * several
	 */
	uint32_t others, nothers;
};

struct walk_states {
	struct walk_state
		*states; /* one for each thread: the one in use, where it has several; owned */
	size_t n;
	struct walk_state *others; /* newest interpreter first; owned */
	uint32_t interpreters;
	bool changing; /* no two readings agreed; this is the last one */
	bool more;     /* there are more than WALK_MAX_STATES */
};
void walk_states_done(struct walk_states *s);
#define _cleanup_walk_states_ _cleanup_(walk_states_done)

struct walk_frame {
	struct code_object *code; /* NULL: it could not be read */
	int line;                 /* 0: it has none */
};

struct walk_stack {
	/* innermost first; owned, with a reference to each code object */
	struct walk_frame *frames;
	size_t n;
	/* frames within these came and went while they were read: these are those around them */
	bool changing;
	bool truncated; /* there are more around these */
};
void walk_stack_done(struct walk_stack *s);
#define _cleanup_walk_stack_ _cleanup_(walk_stack_done)

struct walker;
/* r and l must outlive it. runtime: struct python_process's. */
int walker_new(const struct reader *memory, const struct plop_layout *l, uint64_t runtime,
	       struct walker **ret);
void walker_free(struct walker *w);
DEFINE_FREEP(struct walker, walker_free)

/*
 * The thread states. 0 with none: the interpreter is not up yet, or has ended. -EFAULT: never
 * readable; -ESRCH: the process is gone; -ENOMEM, -EBADMSG (the layout).
 */
int walker_states(struct walker *w, struct walk_states *ret);

/*
 * The stack of one of them. meanwhile(), if any, is called between two readings: what it finds out
 * was so while the thread had the stack that is returned. It is called again when the two do not
 * agree. -EFAULT: not readable (the thread has ended); -ESRCH, -ENOMEM.
 */
int walker_stack(struct walker *w, const struct walk_state *state, void (*meanwhile)(void *ctx),
		 void *ctx, struct walk_stack *ret);

/*
 * The same with the frames of the interpreters that called into the one that the thread is in,
 * where it has entered several.
 */
int walker_thread(struct walker *w, const struct walk_states *all, const struct walk_state *of,
		  void (*meanwhile)(void *ctx), void *ctx, struct walk_stack *ret);

/* Who holds the GIL. */
enum walk_gil {
	WALK_GIL_UNKNOWN = 0, /* the layout does not tell */
	WALK_GIL_NONE,        /* free-threaded: there is no GIL */
	WALK_GIL_FREE,        /* nobody holds it */
	WALK_GIL_HELD,
	WALK_GIL_CHANGING, /* it went from one to another whenever it was looked at */
};
/* holds: for each of the states. An interpreter with a GIL of its own has a holder of its own. */
enum walk_gil walker_gil(struct walker *w, const struct walk_states *s, bool *holds);
/*
 * Where the GIL of the state's interpreter is. -ENODATA: that is not known, or there is none; or as
 * reader_read().
 */
int walker_gil_at(struct walker *w, const struct walk_state *s, uint64_t *ret);
/*
 * Whether a futex lies in the GIL of the state's interpreter: who waits for it waits for the GIL.
 */
bool walker_is_gil(struct walker *w, const struct walk_state *s, uint64_t futex);

/*
 * The tids (of the process's own pid namespace) of threads by the thread library's own records: a
 * thread_id is the address of a struct in which the thread's tid is at the same place for all
 * threads. Where that is, is found by trying: it is the place where all of them have a different
 * one of the process's tids. ret_tids: 0 for all, unless exactly one assignment is possible.
 */
int walker_tids(struct walker *w, const struct walk_states *s, const uint32_t *tids, size_t ntids,
		uint32_t *ret_tids);
