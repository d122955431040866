/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <uthash.h>

#include "profile/symbolizer.h"
#include "python/python.h"
#include "sampler/sampler.h"

/*
 * The processes that plopd knows: one target for each image (a process between two exec calls). A target that ended
 * stays until the stacks that were counted for it have been collected.
 */
struct target_key {
	uint64_t image;
	uint32_t tgid;
	uint32_t pad;
};

/* Whether the kernel knows where this process keeps its asyncio tasks. */
enum target_async {
	TARGET_ASYNC_UNKNOWN = 0, /* it was not looked at, or has not loaded the module yet */
	TARGET_ASYNC_KNOWN,
	TARGET_ASYNC_NEVER,
};

struct target {
	struct target_key key;
	UT_hash_handle hh, hh_pid;
	struct process_info info;
	struct python_process python;
	struct code_table *codes; /* PYTHON_YES only */
	uint32_t layout;          /* its number in the kernel */
	unsigned int dying;       /* cycles left to live, 0: alive */
	uint32_t wall;            /* sets that want its time off CPU, as of wall_asked */
	uint64_t wall_asked;      /* targets.wall_changes + 1; 0: never */
	enum target_async async;
	uint64_t async_due_ns;  /* CLOCK_MONOTONIC: when it is looked at again */
	uint64_t samples;       /* since plopd started */
	uint64_t symbolized;    /* of these, with every frame named */
	uint64_t samples_cycle; /* since the last targets_cycle() */
	uint64_t counted_ns;    /* how long samples were counted */
	double cpu_percent; /* of the last ten seconds, the most recent weigh most; of one core */
};

/* An exec'd process whose interpreter is not there yet: looked at again, ever more seldom. */
struct pending {
	struct target_key key;
	UT_hash_handle hh;
	uint64_t due_ns; /* CLOCK_MONOTONIC */
	uint64_t wait_ns;
};

struct targets {
	struct sampler *sampler;
	struct shares *shares;
	struct python_cache *cache;
	struct target *all;
	struct target *living; /* those not dying, by pid: at most one for each */
	uint64_t unswept_ns;   /* time of cycles since the last sweep */
	struct pending *pending;
	struct symbol_counts symbols;
	uint64_t table_full;   /* processes that found no room in the kernel's table */
	uint64_t wall_changes; /* counts whatever may change target.wall */
};

int targets_init(struct targets *t, struct sampler *s);
void targets_done(struct targets *t);

/* Examines every process of the host; called once, when exec and fork are followed already. */
int targets_scan(struct targets *t);

/*
 * Examines a process now. fresh: the kernel's table does not know it yet (image is given by the caller), otherwise it
 * is there in PLOP_STATE_NEW.
 */
void targets_examine(struct targets *t, uint32_t tgid, uint64_t image, bool fresh);
void targets_fork(struct targets *t, const struct plop_record_fork *r);
/* The image ended (exit, or exec of another). */
void targets_end(struct targets *t, uint32_t tgid, uint64_t image);

/* Examines what is due; returns the CLOCK_MONOTONIC time of the next, or 0. */
uint64_t targets_retry(struct targets *t, uint64_t now_ns);
/* Confirms the settled code objects of all targets that have noted any. */
void targets_confirm(struct targets *t);
/* After a cycle: frees what ended, and keeps the CPU figures. elapsed_ns: since the cycle before. */
void targets_cycle(struct targets *t, uint64_t elapsed_ns, unsigned int hz);

/*
 * async.c: tells the kernel where a process keeps its asyncio tasks, unless it is told, or was looked at a moment ago. Returns
 * whether it could ever have any that plop knows of.
 */
bool target_async(struct targets *t, struct target *k, uint64_t now_ns);

/* Whose layouts a process's count as, for the sampler. */
uid_t targets_layout_user(const struct targets *t, uid_t owner);
struct target *targets_find(struct targets *t, uint32_t tgid, uint64_t image);
/* The sets that want this process's time off CPU: bit n - 1 is set n. The kernel passes them on to children. */
uint32_t targets_wall(struct targets *t, struct target *k);
/* The living target of a pid; NULL: none. */
struct target *targets_find_pid(struct targets *t, pid_t pid);
