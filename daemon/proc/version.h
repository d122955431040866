/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "proc/commit.h"
#include "proc/sight.h"

/*
 * Sets the version of a process that has executed a program of its own, and whose environment names
 * none, by what its code lies in, as the process sees it:
 *
 *  "git-3f2a91c0b7de"             the commit of the git work tree that the code lies in
 *  "mtime-2026-11-29T14:34:11Z"   when a file of the code was written last: of the script, and of
 *                                 the *.py beside it. One of 1980 or before is a build tool's
 *  ""                             it is not known
 *
 * A commit comes first: the time of a file in a work tree is that of a checkout, and changes
 * without a change of the code. The time of a folder never counts: it changes with each file that
 * is written into it.
 *
 * It is not known also where the code lies in a file system that a server may keep from answering
 * (mounts.h), and where the process itself could not read it. A git folder counts if it is root's,
 * the process's user's, or his whose the code's folder is.
 *
 * arguments: the command line as /proc/PID/cmdline; exe: of what, see proc_cmdline_main(); status:
 * as for sight_open(). cache: NULL: none. -ENOMEM.
 */
int process_version_find(struct process_info *p, const char *exe, const char *arguments,
			 size_t size, const char *status, struct version_cache *cache);

/* What is looked at, at most. */
#define VERSION_PARENTS 8    /* folders above the code in which a git folder is looked for */
#define VERSION_FILES   1000 /* entries of the folder; of a larger one the script alone counts */
/* Hexadecimal digits of a commit that are shown. */
#define VERSION_COMMIT 12

/*
 * What files of git said, by the file and its times: those that were written just now are read each
 * time. VERSION_KEPT of them take 24 kB.
 */
#define VERSION_KEPT 32
struct version_file {
	uint64_t device, inode, size, mtime_ns, ctime_ns;
	char wanted[COMMIT_REF_MAX + 1]; /* "HEAD", or the ref */
	struct commit_head said;
};
struct version_cache {
	struct sight_cache sight;
	struct version_file files[VERSION_KEPT]; /* by inode: one has the place of another */
};
