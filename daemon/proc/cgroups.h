/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "util/macro.h"

/*
 * The host's cgroup hierarchies: one of v2, several of v1, or both beside each other (hybrid:
 * systemd keeps track of services in one of v1 named systemd, or in v2).
 */
enum cgroups_mode {
	CGROUPS_NONE = 0,
	CGROUPS_V1,
	CGROUPS_HYBRID,
	CGROUPS_V2,
};
enum cgroups_mode cgroups_mode(void);
const char *cgroups_mode_name(enum cgroups_mode mode); /* "v2 (unified)"; static */

/* One cgroup that somebody asked for. */
struct cgroup {
	char *path;         /* below its hierarchy's root: "/system.slice/x.service"; owned */
	char *folder;       /* where it is in the file system; owned */
	uint64_t id;        /* the kernel's, which is the inode of folder */
	unsigned int level; /* how deep path is; 0: the root */
	bool v2;
};
void cgroup_done(struct cgroup *c);

/*
 * The cgroup of that path, as /proc/PID/cgroup or the file system has it; of several hierarchies
 * that have it, the first in which processes are. -ENOENT: there is none; -ENODATA: there is, but
 * no process in it or below it.
 */
int cgroup_find(const char *path, struct cgroup *ret);
/*
 * The cgroup of a systemd unit or slice, wherever it lies; without a suffix it is a service. As
 * cgroup_find().
 */
int cgroup_find_unit(const char *unit, struct cgroup *ret);
/* Whether it is there still. */
bool cgroup_exists(const struct cgroup *c);
/*
 * Calls each for every process in it and below it, as far as plopd's own pid namespace sees them;
 * stops when that returns non-zero, which is returned. At most CGROUPS_MAX folders are looked at.
 */
int cgroup_each(const struct cgroup *c, int (*each)(pid_t pid, void *ctx), void *ctx);
