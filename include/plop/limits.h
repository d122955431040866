/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * Every maximum that plop puts on what it takes from a target, in one place. All that comes from a
 * target (its memory, its ELF files, its names) is hostile; beyond a maximum it is dropped or cut,
 * and counted. Shared by the kernel and the user side: plain numbers only.
 */

/* Frames of one stack; beyond, the leaf-most are kept and the root says [truncated]. */
#define PLOP_MAX_DEPTH 1024
/*
 * ... and of one of a user whose processes cost plopd more than they may, where the table that it
 * goes to is half full.
 */
#define PLOP_QUIET_DEPTH 64

/* Interpreters and thread states that one tick looks at before it gives up on a thread. */
#define PLOP_MAX_THREAD_STEPS 2048

/*
 * ... and that a tick in a sub-interpreter looks at for the frames of the interpreters that called
 * it.
 */
#define PLOP_MAX_CALLER_STEPS 512

/* Processes that can be known at once (entries of the kernel's process table). */
#define PLOP_MAX_PROCESSES 16384
/*
 * ... and of these, all users' together but root's. One user has no more than are left to others:
 * half of it, if nobody else has any.
 */
#define PLOP_MAX_USERS_PROCESSES 14336
/*
 * Users whose processes are counted apart, a power of two: those who share a place, by chance,
 * share what one may have.
 */
#define PLOP_USER_PLACES 1024

/* Recordings that the kernel filters for, and samples for at a rate of their own, at once. */
#define PLOP_MAX_CHANNELS 32

/*
 * Threads that get perf events of their own for a recording; one of processes that have more
 * samples each CPU.
 */
#define PLOP_MAX_THREAD_EVENTS 128

/* Threads that can be off CPU at once while that is recorded; a power of two. */
#define PLOP_MAX_SLEEPERS 16384
/* ... and of these, for the recordings of all users who are not trusted. */
#define PLOP_MAX_USERS_SLEEPERS 8192

/* Different struct layouts (one for each CPython minor version and build flavour met). */
#define PLOP_MAX_LAYOUTS 64
/*
 * ... and of these, such as came with the processes of one user, and of all, who are not trusted.
 */
#define PLOP_MAX_USER_LAYOUTS  8
#define PLOP_MAX_USERS_LAYOUTS 32

/*
 * What the kernel captures of a code object, in bytes. User space reads the rest from the target.
 */
#define PLOP_CAPTURE_FILE      256
#define PLOP_CAPTURE_NAME      256
#define PLOP_CAPTURE_LINETABLE 2048

/*
 * Of one stack with its asyncio tasks: tasks and futures that await one another, frames of each
 * task's coroutines, callbacks of a task looked at (before 3.14), and bytes of a task's name that
 * the kernel captures.
 */
#define PLOP_ASYNC_TASKS     16
#define PLOP_ASYNC_FRAMES    32
#define PLOP_ASYNC_CALLBACKS 8
#define PLOP_CAPTURE_TASK    128
/* Different names of tasks in one recording; those of all others are [other tasks]. */
#define PLOP_MAX_TASK_NAMES 1000

/*
 * What user space accepts. A path is at most PATH_MAX on Linux, a qualified name has no bound of
 * its own.
 */
#define PLOP_MAX_FILE_CHARS 4096
#define PLOP_MAX_NAME_CHARS 4096
#define PLOP_MAX_LINETABLE  (1u << 20)
/* A module, with its NUL: what is longer is not told. */
#define PLOP_MAX_MODULE 128

/*
 * Lines of /proc/PID/maps, of which current distributions allow 1,048,576 (vm.max_map_count), and
 * files in it; ELF sections, segments and symbols looked at.
 */
#define PLOP_MAX_MAPS         (2u << 20)
#define PLOP_MAX_MAPPED_FILES 16384
#define PLOP_MAX_ELF_SEGMENTS 128
#define PLOP_MAX_ELF_SECTIONS 4096
#define PLOP_MAX_ELF_SYMBOLS  (1u << 20)

/*
 * Code objects remembered for one process, and bytes of memory that those of the whole host may
 * take.
 */
#define PLOP_MAX_CODES_PROCESS 65536
#define PLOP_MAX_CODE_BYTES    (20u << 20)

/*
 * What threading calls a thread, in characters; and how many entries of dicts are looked at to
 * learn it of all of a process's.
 */
#define PLOP_MAX_THREAD_NAME  256
#define PLOP_MAX_DICT_ENTRIES (1u << 17)
