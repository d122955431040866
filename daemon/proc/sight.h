/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sys/stat.h>

#include "proc/process.h"
#include "util/buf.h"

/*
 * How a process sees files: its root, what is mounted there, and what it may read. Nothing is
 * looked at that lies where a server may keep it from answering (mounts.h): -EREMOTE. Private to
 * the room.
 */
#define SIGHT_LINKS  8  /* symbolic links of one path that are followed */
#define SIGHT_GROUPS 64 /* of the process's groups */

/*
 * The mount table of the namespace that was asked for last. It only says where not to look, and
 * what is mounted in the same second may be looked at; a larger one is read each time.
 */
#define SIGHT_MOUNTS    (64u << 10)
#define SIGHT_MOUNTS_NS (1000ull * 1000 * 1000)
struct sight_cache {
	ino_t space; /* of the namespace; 0: there is none */
	uint64_t until_ns;
	struct buf mounts;
};

struct sight {
	int root; /* O_PATH */
	const struct buf *mounts;
	struct buf own; /* where there is no cache for them */
	uid_t uid;
	gid_t groups[SIGHT_GROUPS];
	size_t ngroups;
};

/* status: the text of the file of that name; NULL: it is read. cache: NULL: there is none. */
int sight_open(struct sight *s, const struct process_info *p, const char *status,
	       struct sight_cache *cache);
void sight_done(struct sight *s);
/* Whether the process could, by the bits of a mode: S_IROTH, S_IXOTH. */
bool sight_may(const struct sight *s, const struct stat *st, mode_t bits);
/* What an absolute path without links is without them; "": the root. */
int sight_resolve(const struct sight *s, const char *path, char ret[PATH_MAX]);
/* What an absolute path without symbolic links leads to, not opened for reading. */
int sight_open_path(const struct sight *s, const char *path, struct stat *ret);
/* The same below a folder; flags, resolve: as openat2(2). No link is followed. */
int sight_open_in(int folder, const char *path, uint64_t flags, uint64_t resolve);
/*
 * A regular file below a folder, never one that the process could not read; and what was found, for
 * reading.
 */
int sight_find_file(const struct sight *s, int folder, const char *path, struct stat *ret);
int sight_open_file(int file);
