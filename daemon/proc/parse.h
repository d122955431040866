/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "util/macro.h"

/*
 * The texts of /proc as pure functions over buffers. What they hand out as char * is owned by the
 * caller, valid UTF-8 without control characters; "" where nothing is known. Limits of what is read
 * at all:
 */
#define PROC_MAX_CMDLINE      256          /* bytes of process_info.cmdline */
#define PROC_MAX_CMDLINE_READ 4096         /* of /proc/PID/cmdline */
#define PROC_MAX_ENVIRON      (256u << 10) /* of /proc/PID/environ; the rest is not looked at */
#define PROC_MAX_CGROUP       (64u << 10)  /* of /proc/PID/cgroup */
#define PROC_MAX_LABEL        256          /* bytes of one name: service, version, unit */

/* /proc/PID/stat, see proc(5). comm may hold anything, also ") R 1 (". */
struct proc_stat {
	pid_t pid;
	const char *comm; /* points into the text, not terminated, raw bytes */
	size_t comm_size;
	char state;
	uint32_t flags;        /* PF_* of include/linux/sched.h */
	uint64_t utime, stime; /* clock ticks */
	uint32_t threads;
	uint64_t start_ticks;
	pid_t parent;
	/*
	 * where the stack, the arguments and the environment lie; 0: not there, or not for the
	 * caller to know
	 */
	uint64_t stack, arguments, environment;
};
/* It was forked, and has executed nothing (PF_FORKNOEXEC of include/linux/sched.h). */
static inline bool proc_stat_is_forked(const struct proc_stat *s)
{
	return s->flags & 0x40;
}
/* ... and its parent is still what it is a copy of. */
static inline bool proc_stat_is_copy(const struct proc_stat *s, const struct proc_stat *parent)
{
	return proc_stat_is_forked(s) && s->stack && s->stack == parent->stack &&
	       s->arguments == parent->arguments && s->environment == parent->environment;
}
/* -EBADMSG: not such a line. */
int proc_stat_parse(const char *text, size_t size, struct proc_stat *ret);

/*
 * The "Uid:" line of /proc/PID/status: the uid, if real, effective, saved and file system's are
 * one, else (uid_t)-1, which is nobody's. text is NUL-terminated. -EBADMSG: there is no such line.
 */
int proc_status_uid(const char *text, uid_t *ret);
/* The four of them. */
int proc_status_uids(const char *text, uid_t ret[4]);

/*
 * The value of NAME in a block of NUL-terminated NAME=value; false: not there. *ret points into the
 * block.
 */
bool proc_environ_find(const char *block, size_t size, const char *name, const char **ret,
		       size_t *ret_size);

/* What the environment says of service and version; NULL where it says nothing. -ENOMEM. */
struct proc_labels {
	char *service;
	char *version;
};
int proc_environ_labels(const char *block, size_t size, struct proc_labels *ret);
/*
 * Whether the block was written over, as setproctitle() does: it has no end, or begins with
 * nothing. The process has its environment elsewhere then.
 */
bool proc_environ_overwritten(const char *block, size_t size);
/* What stands for the service of a process whose environment names none: one of the three. */
const char *proc_service_of(const char *unit, const char *container, const char *script);

/*
 * The one path that stands for the process out of /proc/PID/cgroup: v2's ("0::") unless it is "/"
 * while a v1 hierarchy knows better (hybrid), else name=systemd's, else the longest of v1. *ret
 * points into the text; "" for none.
 */
void proc_cgroup_path(const char *text, size_t size, const char **ret, size_t *ret_size);

/*
 * The innermost component that is a systemd .service, .scope or .slice. *ret_size 0: there is none.
 */
void proc_cgroup_unit(const char *path, size_t size, const char **ret, size_t *ret_size);

/*
 * The container's id, 64 hex digits, as docker, containerd, cri-o and podman write it: alone in a
 * component, or as PREFIX-ID or PREFIX-ID.scope, or behind a last colon. The innermost one;
 * *ret_size 0: there is none.
 */
void proc_cgroup_container(const char *path, size_t size, const char **ret, size_t *ret_size);

/* Arguments (NUL-separated) as one line, cut at max bytes before cleaning. NULL: out of memory. */
char *proc_cmdline_join(const char *data, size_t size, size_t max);
/*
 * Whether the program at exe parses its command line as Python does, going by its name: an
 * interpreter, or the dynamic loader, which may have been given one. Programs that embed Python, or
 * were made of it by PyInstaller or Nuitka, have arguments of their own.
 */
bool proc_is_python_program(const char *exe);
bool proc_is_loader(const char *exe);
/*
 * The script or module that a Python command line runs, as Python parses it: the base name of the
 * script, of "x/__main__.py" that of x, or what follows -m. *ret_size 0: there is none (-c,
 * standard input, an open file), it is a hash, or exe is no such program.
 */
void proc_cmdline_script(const char *exe, const char *data, size_t size, const char **ret,
			 size_t *ret_size);
/*
 * What has the code of the program that a Python command line runs, as far as that tells.
 */
enum proc_main {
	PROC_MAIN_NONE = 0, /* it does not tell: -c, standard input, an installed program */
	PROC_MAIN_SCRIPT,   /* this script, as it was called */
	PROC_MAIN_MODULE,   /* this module, below the folder that the process works in */
	PROC_MAIN_FOLDER,   /* a server (gunicorn, celery ...): what it serves is in that folder */
};
/* *ret: the script or module. An installed program is one without ".py" in a folder "bin". */
enum proc_main proc_cmdline_main(const char *exe, const char *data, size_t size, const char **ret,
				 size_t *ret_size);
/*
 * Whether it is one by which multiprocessing, loky, billiard or execnet make a process that is to
 * work for the one that makes it.
 */
bool proc_cmdline_is_worker(const char *exe, const char *data, size_t size);
/*
 * What stands for the script of a program that does not parse its command line as Python does: its
 * name. "": it does.
 */
void proc_program_name(const char *exe, const char **ret, size_t *ret_size);
