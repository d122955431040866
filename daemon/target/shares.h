/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <uthash.h>

#include "proc/process.h"
#include "proc/subuid.h"
#include "util/json.h"

/*
 * What one user may take of what all share, and what each has been refused. Root, plopd's own user
 * and members of group plop are trusted and apart from this: a part of everything is kept for them.
 * A user's sub-uids (subuid.h) count as that user. All belongs to the loop thread.
 *
 * Recordings, their results included, in bytes: so much for one user, so much for all who are not
 * trusted, and so much for everybody. The last two differ by what only trusted users can take.
 *
 * With everything at its bound plopd holds, in MB: 20 of itself, 20 of code objects
 * (PLOP_MAX_CODE_BYTES), 56 of recordings, 8 of the running window and as much of the one that is
 * saved, 24 of an answer from the store, twice where it is grouped, and 64 of answers that wait for
 * their clients (api.h): 224, which is below MemoryMax of plopd.service. Users who are not trusted
 * bring it to 20 + 20 + 32 + 16 + 2 * 16 + 24 = 144 at most (16 are a recording that was kept; of
 * windows it is 8), which is below MemoryHigh with BPF maps of 1 for each CPU.
 */
#define SHARES_USER_BYTES  (16u << 20)
#define SHARES_USERS_BYTES (32u << 20)
#define SHARES_ALL_BYTES   (56u << 20)
/* A recording does not begin with less room than this. */
#define SHARES_FIRST_BYTES (1u << 20)

/*
 * Questions to the store that wait for their answer: of one user, and of all who are not trusted.
 */
#define SHARES_USER_QUERIES  2
#define SHARES_USERS_QUERIES 32
/* Dumps of processes under way, of one user. */
#define SHARES_USER_LOOKS 2
/* What is merged out of the store for one, in bytes; for the trusted it is QUESTION_MEMORY. */
#define SHARES_USERS_QUERY_BYTES (8u << 20)

/*
 * Paths of programs and control groups of one user's processes, in bytes: each may have 12 kB, and
 * a fork has them all. Beyond that those of further processes are cut to so many.
 */
#define SHARES_PATH_BYTES (4u << 20)
#define SHARES_PATH_CUT   256

/* What is read in a cycle of code objects of one user's processes, in bytes: a sixth of all. */
#define SHARES_READINGS_BYTES (8u << 20)

/*
 * Of the running window, new stacks of one user, in bytes; half of what ends a window before its
 * time. A service that runs as one user and keeps 64 CPUs busy has some 200,000 samples in 30 s; of
 * 33 frames each, all different from one another, these are 35 MB, of the few thousand stacks that
 * programs have 1 MB.
 */
#define SHARES_WINDOW_BYTES (4u << 20)

/*
 * The same of one process, whosever, of names, stacks and samples without room for more: one that
 * keeps a CPU busy has 3,000 samples in 30 s at 100 Hz, which are 1.4 MB if no two of them are
 * alike and each has 100 frames.
 */
#define SHARES_PROCESS_BYTES (2u << 20)

/*
 * Of plop.db, what one user and what one process may fill: a quarter and an eighth of max_store,
 * which comes back over the time that windows are kept. Nobody is held to it while less than half
 * of max_store is in use.
 */
#define SHARES_STORE_PART         4
#define SHARES_STORE_PROCESS_PART 8
#define SHARES_STORE_FREE         2
/*
 * Processes for which that is counted; those that have filled next to nothing are forgotten first.
 */
#define SHARES_PROCESSES 8192

/* Users that are told apart; all others count as one, NOBODY. */
#define SHARES_USERS  1024
#define SHARES_NOBODY ((uid_t)-1)

/* What happened to a user, in numbers, since plopd started. */
enum share_count {
	SHARE_RATE_REFUSED,          /* recordings that would have been beyond the rate */
	SHARE_RATE_LOST,             /* samples that were */
	SHARE_MEMORY_REFUSED,        /* recordings for which there was no room */
	SHARE_MEMORY_ENDED,          /* recordings that ended before their time */
	SHARE_RESULTS_DROPPED,       /* results that made room */
	SHARE_KEPT_DROPPED,          /* recordings that were kept, and made room */
	SHARE_QUERIES_REFUSED,       /* too many at once */
	SHARE_ANSWERS_REFUSED,       /* too large */
	SHARE_WINDOW_MERGED,         /* samples of a window without their stacks */
	SHARE_STORE_MERGED,          /* ... of a window in the store */
	SHARE_WINDOW_PROCESS_MERGED, /* the same two, beyond what one process may have */
	SHARE_STORE_PROCESS_MERGED,
	SHARE_LAYOUTS_REFUSED, /* interpreters of a layout too many */
	SHARE_LOOKS_REFUSED,   /* questions about processes beyond what these may cost: effort.h */
	SHARE_CODES_REFUSED,   /* ... and records of code */
	SHARE_PATHS_CUT,       /* processes beyond SHARES_PATH_BYTES */
	SHARE_COUNTS,
};

/*
 * What somebody has filled of the store: bytes, less what came back until ns, CLOCK_BOOTTIME, of a
 * window's end.
 */
struct share_store {
	double bytes;
	uint64_t ns;
};

/* A process that was saved; all fields of the key are zeroed first. */
struct share_process {
	struct share_process_key {
		uint64_t start_ticks;
		pid_t pid;
		uint32_t pad;
	} key;
	UT_hash_handle hh;
	struct share_store store;
};

struct share {
	uid_t user;
	UT_hash_handle hh;
	uint64_t counts[SHARE_COUNTS];
	uint64_t window_ns; /* start of the window that window_bytes is of */
	size_t window_bytes;
	struct share_store store;
	unsigned int queries;    /* that wait */
	unsigned int looks;      /* under way */
	size_t path_bytes;       /* SHARES_PATH_BYTES: of processes that there are */
	uint64_t readings_cycle; /* the cycle that readings_bytes is of */
	size_t readings_bytes;   /* what helpers have read of its code objects: naming.c */
	double spent_ns;         /* what was spent on its processes, less what came in: effort.h */
	uint64_t spent_at_ns;    /* ... until then, CLOCK_MONOTONIC */
};

struct shares {
	struct subuid_file subuids;
	uid_t self; /* plopd's own */
	struct share *users;
	struct share_process *processes;
	unsigned int queries; /* of all who are not trusted */
	uint64_t spent_ns; /* on the processes of all who are not, since plopd started: effort.h */
};

void shares_init(struct shares *s);
void shares_done(struct shares *s);
/* Once a second: reads /etc/subuid when it has changed. */
void shares_refresh(struct shares *s);

/* The user that a uid counts as. */
uid_t shares_user(const struct shares *s, uid_t uid);
/* Whether what a process of that user does has no bound: root, plopd itself. */
bool shares_is_trusted(const struct shares *s, uid_t user);
/*
 * Whether what a process does is bounded, and for which user: who runs it, or whose sub-uid that
 * is; SHARES_NOBODY: that cannot be told. ctx: struct shares.
 */
bool shares_bound_process(pid_t pid, uid_t *ret_user, void *ctx);
/* A user's share; NULL: out of memory. */
struct share *shares_of(struct shares *s, uid_t user);
void shares_count(struct shares *s, uid_t user, enum share_count what, uint64_t n);

/* The store, as it is when a window is saved that ended at now_ns. */
struct share_bounds {
	uint64_t now_ns, max_store, retention_ns;
};
/* A user fills bytes of the store with that window. */
void shares_store_add(struct share *k, uint64_t bytes, const struct share_bounds *b);
/* Whether the user has filled all that one may. */
bool shares_store_beyond(struct share *k, const struct share_bounds *b);
/* The same of a process. */
void shares_process_add(struct shares *s, const struct process_info *info, uint64_t bytes,
			const struct share_bounds *b);
bool shares_process_beyond(struct shares *s, const struct process_info *info,
			   const struct share_bounds *b);

/* {"rate_refused": 0, ...} of one user, or (SHARES_NOBODY) of all together. */
void shares_put(struct json_writer *w, const char *key, const struct shares *s, uid_t user);
