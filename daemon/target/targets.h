/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <uthash.h>

#include "cycle/cycle.h"
#include "examiner/examiner.h"
#include "profile/symbolizer.h"
#include "python/code_pool.h"
#include "sampler/sampler.h"
#include "target/effort.h"
#include "target/launches.h"
#include "target/marks.h"
#include "target/pending.h"
#include "target/plain.h"

/* Whether the kernel knows where this process keeps its asyncio tasks. */
enum target_async {
	TARGET_ASYNC_UNKNOWN = 0, /* it was not looked at, or has not loaded the module yet */
	TARGET_ASYNC_KNOWN,
	TARGET_ASYNC_NEVER,
};

/*
 * One that does not let itself be read, because of its memory or its files, is left alone for a
 * while, ever longer. It goes on being counted by what the kernel sees.
 */
struct silence {
	uint64_t until_ns; /* CLOCK_MONOTONIC: when it is asked again; 0: it answers */
	uint64_t wait_ns;
};

#define TARGET_LACKING_MAX   64
#define TARGET_STATELESS_MAX 256

/*
 * What a process calls itself (comm and cmdline of its info) is looked at again, as setproctitle()
 * and its like change it at any time: soon after the process was renamed, and ever more seldom
 * otherwise, for those that write over their command line alone. One that changes all the time is
 * known as that, and left alone for the rest of an hour.
 */
struct title {
	uint64_t due_ns; /* CLOCK_MONOTONIC: when it is looked at */
	uint64_t wait_ns;
	uint64_t since_ns; /* when the hour began in which changes were counted */
	unsigned int changes, renames;
	bool asked; /* ... and the answer has not come */
};
#define TITLE_CHANGES_OFTEN 4
#define TITLE_CHANGES_MAX   16
/* Of those that had the title that they had. */
#define TITLE_RENAMES_MAX 64

/*
 * The processes that plopd knows: one target for each image (a process between two exec calls). A
 * target that ended stays until the stacks that were counted for it have been collected.
 */
struct target {
	struct target_key key;
	UT_hash_handle hh, hh_pid, hh_maker;
	struct process_info info; /* .uid: see owner.h */
	char *own_version;        /* info.version without a mark; owned, NULL: it is that */
	struct share *paths;      /* that path_bytes of its info count for; NULL: none */
	size_t path_bytes;
	uint64_t owner_asked; /* cycle.number + 1 when its owner was last looked for; 0: never */
	struct python_process python;
	uint64_t starting_ns;     /* python.starting: CLOCK_MONOTONIC, since when that is known */
	uint64_t tick_look_ns;    /* ... and when it was last looked at because of a tick */
	struct code_table *codes; /* PYTHON_YES only */
	uid_t user;               /* whose requests and processes it counts among: process_user() */
	uint64_t user_due_ns,
		/* CLOCK_MONOTONIC: when that is asked again; see target_user_again() */
		user_wait_ns;
	struct silence silence;
	struct title title;
	bool unlabeled;            /* it takes labels of who made it, which is not known yet */
	struct target *woken;      /* labels.c: the next that is looked at */
	bool code_asked;           /* ... and the answer has not come */
	bool code_gone;            /* ... and it was not there any more */
	struct readings *readings; /* of its code objects, for the cycle under way; NULL: none */
	/*
	 * Code objects whose record lacks something: not asked for yet, as the answer for others is
	 * not there.
	 */
	struct plop_frame *lacking; /* owned, room for TARGET_LACKING_MAX; NULL: none */
	unsigned int nlacking;
	bool lacking_asked;
	/*
	 * Threads whose states the kernel side does not reach: not asked for yet, and whether
	 * others are.
	 */
	uint64_t *stateless; /* owned, room for TARGET_STATELESS_MAX; NULL: none */
	unsigned int nstateless;
	bool states_asked;
	uint64_t window_ns;     /* start of the window that window_bytes is of */
	size_t window_bytes;    /* what it has added to that: window_shares.c */
	bool window_told;       /* its log line was written */
	bool names_wanted;      /* threads of it were seen whose names are not known */
	uint32_t layout;        /* its number in the kernel */
	unsigned int dying;     /* cycles left to live, 0: alive */
	uint32_t off_cpu;       /* channels that want its time off CPU, as of off_cpu_asked */
	uint64_t off_cpu_asked; /* targets.off_cpu_changes + 1; 0: never */
	enum target_async async;
	bool async_asked;       /* ... and the answer has not come */
	uint64_t async_due_ns;  /* CLOCK_MONOTONIC: when it is looked at again */
	uint64_t samples;       /* since plopd started */
	uint64_t symbolized;    /* of these, with every frame named */
	uint64_t samples_cycle; /* since the last targets_cycle() */
	uint64_t counted_ns;    /* how long samples were counted */
	double cpu_percent; /* of the last ten seconds, the most recent weigh most; of one core */
};

struct targets {
	/* borrowed */
	struct cycle *cycle;
	struct sampler *sampler;
	struct examiner *examiner;
	struct shares *shares;
	struct effort effort;
	sd_event_source *retry;
	sd_event_source *title_timer;
	bool title_timer_set;
	size_t examining; /* processes that are being looked at */
	/*
	 * CLOCK_MONOTONIC: since when processes that are starting are counted that a tick had
	 * looked at
	 */
	uint64_t tick_looks_ns;
	unsigned int tick_looks;
	/* whenever target_async() has its answer, for whoever waits for that; may be NULL */
	void (*async_answered)(void *ctx);
	void *ctx;
	struct target *all;
	struct target *living; /* those not dying, by pid: at most one for each */
	uint64_t unswept_ns;   /* time of cycles since the last sweep */
	/* Targets that are, by the pid of who made them: several for each. */
	struct target *unlabeled;
	struct pendings pending;
	uint64_t retry_ns; /* CLOCK_MONOTONIC: when the first of them is due; 0: none */
	struct plain_programs plain;
	struct launches launches;
	struct marks marks;
	struct code_pool code_pool; /* the code objects of all */
	sd_event_source *reap;      /* gives up its waste; off while there is none */
	struct symbol_counts symbols;
	uint64_t table_full;      /* processes that found no room in the kernel's table */
	uint64_t off_cpu_changes; /* counts whatever may change target.off_cpu */
};

/* What all of it takes, in bytes. */
struct targets_memory {
	size_t processes;   /* what is known of each, and its table of code objects */
	size_t names;       /* of functions and files, of each that are alike one */
	size_t line_tables; /* ... as well */
};
void targets_memory(const struct targets *t, struct targets_memory *ret);

/* All that it is given has to outlive it. */
int targets_init(struct targets *t, struct cycle *cycle, struct sampler *s, struct examiner *e,
		 struct shares *shares);
void targets_done(struct targets *t);

/* Has every process of the host examined; called once, when exec and fork are followed already. */
int targets_scan(struct targets *t);

/*
 * Has a process examined; what it is is known some time later. fresh: the kernel's table does not
 * know it yet (image is given by the caller), otherwise it is there in PLOP_STATE_NEW.
 */
void targets_examine(struct targets *t, uint32_t tgid, uint64_t image, bool fresh);
/*
 * It has executed a program. What was lately seen to be no Python is looked at when it has run for
 * a while: most of it has ended by then.
 */
void targets_exec(struct targets *t, const struct plop_record_exec *r);
/* A tick found it in PLOP_STATE_NEW, and asks what it is. */
void targets_ticked(struct targets *t, uint32_t tgid, uint64_t image);
void targets_fork(struct targets *t, const struct plop_record_fork *r);
/* The image ended (exit, or exec of another). */
void targets_end(struct targets *t, uint32_t tgid, uint64_t image);

/* As the examiner calls it. */
struct examinee target_examinee(const struct target *k);
/* Whose layouts those of a target's user count as, for the sampler. */
uid_t targets_layout_user(const struct targets *t, uid_t user);
/* What it holds; nothing points to it any more. For this room's files of targets. */
void target_free(struct target *k);
struct target *targets_find(struct targets *t, uint32_t tgid, uint64_t image);
/* The living target of a pid; NULL: none. */
struct target *targets_find_pid(struct targets *t, pid_t pid);
