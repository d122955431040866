/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "proc/cgroups.h"
#include "profile/profile.h"
#include "target/targets.h"

/*
 * What a recording is of, parsed once, when it is asked for: all processes, or one of pids, tree
 * and cgroup; selectors narrow it further, and say who asks (access.h of plopd).
 */
struct whom {
	pid_t *pids; /* ascending, each once; owned, NULL: not by their ids */
	size_t npids;
	pid_t tree;  /* a process, whatever it executes, and its children from now on; 0: none */
	int tree_fd; /* its pidfd, owned, where tree is set */
	struct cgroup cgroup;       /* folder NULL: none */
	struct selectors selectors; /* of processes, none of them by pid */
};

/* At most so many, all that is asked for in one question. */
#define WHOM_PIDS_MAX 512

/* What it holds; it is for all then. */
void whom_done(struct whom *w);
/* One more process by its id. -E2BIG: there are WHOM_PIDS_MAX; -ENOMEM. */
int whom_add_pid(struct whom *w, pid_t pid);
/*
 * Takes the selectors by pid out of those of w: each is handed to add(), until that returns < 0,
 * which is returned.
 */
int whom_take_pids(struct whom *w, int (*add)(struct whom *w, pid_t pid, void *ctx), void *ctx);
bool whom_has_pid(const struct whom *w, pid_t pid);
/*
 * Whether it is for what a target has: by its id, where it was asked for by ids, by the selectors,
 * and as those may see it who ask, in this cycle. A tree's and a cgroup's processes are told by the
 * kernel.
 */
bool whom_wants(const struct whom *w, struct target *k, uint64_t cycle);
