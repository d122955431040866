/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "util/macro.h"
#include "util/reader.h"

/* How a process came to be what it is. */
enum process_made {
	PROCESS_EXECUTED = 0, /* it executed a program, and is what that is; or it is not known */
	PROCESS_FORKED,       /* a copy of its parent, which has executed nothing else since */
	PROCESS_WORKER, /* of what multiprocessing and its like execute: part of who made it */
};

/*
 * What /proc tells of one process. All strings are owned, valid UTF-8 without control characters,
 * never NULL ("" where nothing is known).
 */
struct process_info {
	pid_t pid;
	uint64_t start_ticks; /* /proc/PID/stat field 22: clock ticks since boot */
	double start_time;    /* the same as seconds since 1970 */
	uid_t uid;            /* whose it is, see process_owner() */
	pid_t parent;         /* 0: not known */
	enum process_made made;
	bool says_service,
		says_version; /* they are of its environment, or of that of who made it */
	bool overwritten;     /* its command line and environment: see proc_environ_overwritten() */
	char *comm;
	char *exe;       /* as the process sees it; " (deleted)" is kept */
	char *cmdline;   /* arguments joined by spaces, cut at 256 bytes */
	char *cgroup;    /* v2 path, else the name=systemd or the longest v1 path */
	char *unit;      /* systemd unit, from the cgroup path */
	char *container; /* container id, from the cgroup path */
	/*
	 * PLOP_SERVICE, OTEL_SERVICE_NAME, DD_SERVICE of its environment, else unit, container,
	 * script
	 */
	char *service;
	/*
	 * PLOP_VERSION, service.version of OTEL_RESOURCE_ATTRIBUTES, DD_VERSION, SENTRY_RELEASE,
	 * else process_version_find()
	 */
	char *version;
};

/* All its texts, as an initializer of char **[]. */
#define PROCESS_INFO_TEXTS(p)                                                                    \
	{                                                                                        \
		&(p)->comm, &(p)->exe, &(p)->cmdline, &(p)->cgroup, &(p)->unit, &(p)->container, \
			&(p)->service, &(p)->version                                             \
	}

/* What is remembered of where versions are found, for the next process of the same code: 90 kB. */
struct version_cache;
int version_cache_new(struct version_cache **ret);
void version_cache_free(struct version_cache *c);
DEFINE_FREEP(struct version_cache, version_cache_free)

/*
 * Reads all of it. versions: NULL: nothing is remembered. -ESRCH: no such process (any more).
 * Whoever reads it may wait for good: the command line and the environment lie in the process's own
 * memory, which may be where nothing answers; and while a process is within execve(), which may be
 * as long, the kernel keeps all waiting who read its stat, environ, exe and others (seen on Linux
 * 6.18).
 */
int process_info_read(pid_t pid, struct version_cache *versions, struct process_info *ret);
/*
 * The same by what can be had without waiting: "" for all else. began_ns: since when it is what it
 * is, CLOCK_MONOTONIC.
 */
int process_info_brief(pid_t pid, uint64_t began_ns, struct process_info *ret);
/* One of which nothing but its number is known: all texts are "", which are not owned. */
struct process_info process_info_of(pid_t pid);
/*
 * What the labels are by other words: environ is a block as /proc/PID/environ, arguments one as
 * /proc/PID/cmdline, of one whose own were written over. -ENOMEM.
 */
int process_info_relabel(struct process_info *p, const char *environ_block, size_t environ_size,
			 const char *arguments, size_t arguments_size,
			 struct version_cache *versions);
/*
 * Gives one its maker's labels, where its own say nothing: a version only with the service that it
 * is of. -ENOMEM.
 */
int process_info_inherit(struct process_info *p, const struct process_info *maker);
/*
 * What the process calls itself now, and its command line, as they are in process_info. May wait
 * for good, as process_info_read().
 */
int process_title_read(pid_t pid, char **ret_comm, char **ret_cmdline);
/*
 * ... for a child that was just forked, or was and has ended: in all else it is what its parent is.
 * there: false: it has ended, or executed another program, so nothing is read of it. -ENOMEM.
 */
int process_info_child(const struct process_info *parent, pid_t pid, uint64_t began_ns, bool there,
		       struct process_info *ret);
/*
 * ... for one that was launched just as another, like, was: the same program, arguments,
 * environment and all else that these are of. born_ns: when the process began, CLOCK_BOOTTIME.
 * -ENOMEM.
 */
int process_info_again(const struct process_info *like, pid_t pid, pid_t parent, uint64_t born_ns,
		       struct process_info *ret);
/* What thread tid of pid is called, owned as above. -ESRCH: no such thread (any more). */
int process_thread_name(pid_t pid, pid_t tid, char **ret);
/* Copies every string; -ENOMEM. */
int process_info_copy(const struct process_info *from, struct process_info *ret);
void process_info_done(struct process_info *p);
size_t process_info_bytes(const struct process_info *p); /* memory that the strings hold */
/* ... and those two that may be long: exe and cgroup. */
size_t process_info_paths(const struct process_info *p);
/* Cuts these two to so many bytes, TEXT_CUT at the end included. Whether one was longer. */
bool process_info_cut(struct process_info *p, size_t bytes);

/*
 * Whose the process is: the uid that it has as its real, effective, saved and file system's, if
 * that owns its files in /proc. PROCESS_NO_UID if these differ, as in a setuid program, or if its
 * memory may not be dumped, which is how the kernel marks one that had privileges once (setgid,
 * file capabilities, setresuid() by root) or may not be read. -ESRCH: no such process (any more).
 */
#define PROCESS_NO_UID ((uid_t)-1)
int process_owner(pid_t pid, uid_t *ret);

/*
 * The user on whose account it runs: its real uid, which a setuid program does not change. Not for
 * what one may see. -ESRCH.
 */
int process_user(pid_t pid, uid_t *ret);

/* Whose child it is; 0: nobody's in this pid namespace. -ESRCH. */
int process_parent(pid_t pid, pid_t *ret);

/* How many threads it has; 0: it is gone. */
unsigned int process_threads(pid_t pid);
/* Whether it has any memory of its own, unlike kernel threads, and processes that have ended. */
bool process_has_memory(pid_t pid);

/* One executable or library mapping: what a binary's load bias is computed from. */
struct process_map {
	uint64_t start, end, offset, inode;
	uint32_t dev_major, dev_minor;
	char perms[5];
	const char *path; /* points into the text that was parsed; "" for anonymous memory */
};
/* Parses one line of /proc/PID/maps in place (writes NULs). -EBADMSG: not such a line. */
int process_map_parse(char *line, struct process_map *ret);

/* A reader over the memory of pid by process_vm_readv; ctx is the pid itself, nothing to free. */
struct reader process_memory_reader(pid_t pid);
/* A reader over a file by pread; ctx is the fd itself, which stays the caller's. */
struct reader file_reader(int fd);
/*
 * The same for one who reads few bytes at a time: in blocks, which are kept, so what is read again
 * may be what was there before. *b has to outlive it.
 */
struct file_block {
	uint64_t offset;
	size_t size; /* 0: it has none */
	char bytes[4096];
};
struct file_blocks {
	int fd;
	unsigned int next; /* which is read anew */
	struct file_block blocks[2];
};
struct reader file_blocks_reader(struct file_blocks *b, int fd);
/* A reader over size bytes at data, which answer for [base, base + size); *m must outlive it. */
struct reader_bytes {
	const void *data;
	size_t size;
	uint64_t base;
};
struct reader bytes_reader(const struct reader_bytes *m);

/* Calls fn for each numeric entry of /proc; fn's non-zero return ends the walk and is returned. */
int process_for_each(int (*fn)(pid_t pid, void *ctx), void *ctx);
