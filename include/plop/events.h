/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * What the BPF programs and plopd say to each other: the per-CPU stack tables, the process table
 * and the ring buffer's records. Fixed widths, no pointers, sizes asserted.
 */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#include "plop/async.h"
#include "plop/frame.h"
#include "plop/limits.h"

/* Why a tick in a Python process yielded no stack. */
enum plop_lost {
	PLOP_LOST_FAULT = 0,       /* memory of the target was not resident or not readable */
	PLOP_LOST_STACKS_FULL = 1, /* the per-CPU table had no room for another stack */
	PLOP_LOST_FRAMES_FULL = 2, /* ... or not for its frames */
	PLOP_LOST_UNSUPPORTED = 3, /* an interpreter whose layout is not known */
	PLOP_LOST_CORRUPT = 4,     /* a frame chain that cannot be (a cycle, a null code object) */
	PLOP_LOST_DRAIN = 5,       /* counted by user space: a half that could not be drained */
	PLOP_LOST_THREADS =
		6, /* the thread's state lies beyond PLOP_MAX_THREAD_STEPS, or there is none */
	PLOP_LOST_RATE = 7, /* of recordings alone: beyond the samples a second of its user */
	PLOP_LOST_CAUSES = 8,
};

/*
 * Counters of one half; user space takes them together with the half's stacks, so the sums are
 * exact.
 */
enum plop_counter {
	PLOP_C_TICKS = 0,
	PLOP_C_OTHER = 1,
	PLOP_C_PYTHON = 2,
	PLOP_C_TRUNCATED = 3,
	PLOP_C_BPF_NS = 4, /* time of the whole program, over the ticks counted by BPF_TIMED */
	PLOP_C_BPF_TIMED = 5,
	PLOP_C_THREAD_SEARCHES = 6, /* thread states found by walking the interpreter's list */
	PLOP_C_CODES = 7,           /* code records sent */
	PLOP_C_CODES_DROPPED = 8,   /* ... not sent: ring buffer full; will be tried again */
	PLOP_C_FRAMES = 9,          /* frames walked */
	PLOP_C_LOST = 10,           /* + enum plop_lost */
	PLOP_C_WAITS = 18,          /* times off CPU sent */
	PLOP_C_WAITS_DROPPED = 19,  /* ... not sent: ring buffer full, or the user's rate used up */
	PLOP_C_WAIT_NS_DROPPED = 20,
	PLOP_COUNTERS = 21,
};

/*
 * In plop_frame.fingerprint. UNREAD: remembered, not read at each tick of the stack. User space
 * confirms these when it collects the half; one that is not the same then, or that another was met
 * at the address of, reads [stale code] in all of the half. LOOSE: read at each tick of the stack,
 * for its address is one that changes.
 */
#define PLOP_FINGERPRINT_UNREAD 0x80000000u
#define PLOP_FINGERPRINT_LOOSE  0x40000000u
/* What of plop_seconds is remembered of what was sent of late. */
#define PLOP_SECONDS_MASK 8191

/* Why a stack has no Python frames, or how it ends. In plop_stack.flags. */
#define PLOP_STACK_TRUNCATED 0x01 /* deeper than the maximum: the root is missing */
#define PLOP_STACK_NO_THREAD 0x02 /* the thread is not known to the interpreter (a native thread) */
#define PLOP_STACK_NO_INTERP 0x04 /* the interpreter is not initialised yet, or finalised */
#define PLOP_STACK_NO_FRAME  0x08 /* a Python thread that executes no Python function */
#define PLOP_STACK_EXITING \
	0x10 /* between exit or exec and its record: the image's memory is gone */
#define PLOP_STACK_FINALISED \
	0x20 /* the interpreter is finalised, or well on the way: it runs no Python */
#define PLOP_STACK_DUMPING 0x40 /* crashed: the kernel writes its core */
#define PLOP_STACK_WORKER \
	0x80 /* a thread that the kernel made for the process, with its maker's thread pointer */

struct plop_stack {
	__u64 hash;
	__u64 image; /* struct plop_process.image: which program of that pid */
	__u32 tgid, tid;
	__u32 count;
	__u32 frames; /* index of the first one (the leaf) in plop_half.frames */
	__u16 depth;
	__u16 flags;
	/*
	 * Of the kernel side: the first frame but the PLOP_READ_INNERMOST that the next tick reads,
	 * depth: none is, or PLOP_STACK_CHANGED; and whether there is code that has not settled.
	 */
	__u16 read_from;
	__u8 young;
	__u8 channel; /* PLOP_CHANNEL_ALWAYS, that of a recording, or PLOP_CHANNEL_OFF_CPU */
};
/*
 * Another code object was met at one of its addresses: no more ticks are counted on it, but on
 * stacks of the same addresses and the fingerprints that were met.
 */
#define PLOP_STACK_CHANGED 0xffffu

/* Did the thread hold the global interpreter lock? Neither: not known, or free-threaded. */
#define PLOP_STACK_GIL_HELD     0x100
#define PLOP_STACK_GIL_RELEASED 0x200

/*
 * A channel is what one kind of tick is for: 0 the profile that is always on, 1 to
 * PLOP_MAX_CHANNELS a recording with perf events of its own, PLOP_CHANNEL_OFF_CPU the stacks of
 * threads that leave their CPU.
 */
#define PLOP_CHANNEL_ALWAYS  0
#define PLOP_CHANNEL_OFF_CPU (PLOP_MAX_CHANNELS + 1)

/*
 * Whom the ticks of a recording's channel are for: all, the processes that filters[] names, a
 * cgroup (v2) and all below, or whoever they find, as the events are those of single threads.
 */
enum plop_channel_kind {
	PLOP_CHANNEL_OFF = 0,
	PLOP_CHANNEL_ALL = 1,
	PLOP_CHANNEL_PROCESSES = 2,
	PLOP_CHANNEL_CGROUP = 3,
	PLOP_CHANNEL_THREADS = 4,
};
struct plop_channel {
	__u64 cgroup; /* its id, the inode of its folder */
	__u32 level;  /* ... and its depth below the root */
	__u8 kind;    /* enum plop_channel_kind */
	__u8 part;    /* of a half, whose room its stacks take */
	__u16 budget; /* number of its user's plop_budget; 0: a trusted user's, who has no bound */
	__u32 uid;    /* with a budget: the real uid of all processes that it may be of */
	__u32 pad2;
};

/*
 * How many samples a second all recordings of one user make; numbers from 1 on. due: when the next
 * sample would be due, were they evenly spaced (CLOCK_MONOTONIC); one is refused where that lies
 * more than PLOP_BUDGET_NS ahead. A line for each.
 */
struct plop_budget {
	__u64 due;
	__u64 step; /* ns from one sample to the next */
	__u64 lost; /* switches of recordings with time off CPU that were beyond it */
	/* places that threads of these have; of number 0: those of all users together */
	__u64 sleepers;
	__u64 pad[4];
};
#define PLOP_BUDGET_NS 250000000ULL

/*
 * A thread's event has its channel in its period, in ns. Not in a cookie: the event of a new
 * thread, which inherits that of the thread that made it, has the period and the program of it and
 * no cookie (perf_event_alloc(), kernel/events/core.c).
 */
#define PLOP_PERIOD_CHANNEL 0x3fu
#define PLOP_PERIOD_STEP    0x40u /* what the rest is a multiple of */

/*
 * Filter: which channels a process is for; key: tgid. Bit n - 1 of ticks: channel n
 * (PLOP_CHANNEL_PROCESSES); of off_cpu: channel n wants to know when its threads leave their CPU.
 * children: the bits that pass on to what it forks.
 */
struct plop_filter {
	__u64 ticks;
	__u64 children;
	__u32 off_cpu;
	__u32 off_cpu_children;
	/* channel n has events on its threads (PLOP_CHANNEL_THREADS): a new one is reported */
	__u32 threads;
	/*
	 * that the walks for off_cpu are taken from, unless a trusted user's channel wants it as
	 * well
	 */
	__u32 budget;
};

/* The ticks of one recording's channel, as enum plop_counter has them for the whole. */
struct plop_channel_counters {
	__u64 ticks, other, python, truncated;
	__u64 lost[PLOP_LOST_CAUSES];
};

/*
 * Another thread that had a stack: the stack itself counts for the thread that had it first. A
 * thousand threads that run the same code so cost little more than one.
 */
struct plop_stack_thread {
	__u32 tid;
	__u32 count;
	__u16 stack; /* its number */
	__u16 pad;
};

#define PLOP_HALF_STACKS  2048
#define PLOP_HALF_THREADS 2048
#define PLOP_HALF_INDEX   4096
#define PLOP_HALF_FRAMES  23168
#define PLOP_HALF_PROBES  16

/*
 * Who takes room in a half. What is always on may take all that is free. Recordings have no more
 * than a part each: those of trusted users (root, plopd's own user, group plop) 3/8 together, and
 * all others 2/8, of which each user who records has the same share. So 3/8 of a half are left to
 * what is always on, whoever records what, and nobody takes another's share. A user's part has the
 * number of his budget.
 */
#define PLOP_PART_ALWAYS     0
#define PLOP_PART_TRUSTED    (PLOP_MAX_CHANNELS + 1)
#define PLOP_PARTS           64 /* a power of two, for the verifier */
#define PLOP_EIGHTHS_TRUSTED 3
#define PLOP_EIGHTHS_USERS   2
/*
 * Places of the index that a recording's stack looks at; what is always on finds one where these
 * are full.
 */
#define PLOP_PART_PROBES 8

/*
 * Whose ticks of what is always on were lost, for as many processes as find a place; what finds
 * none is lost all the same (plop_counter), and nobody's by name. tgid 0: free.
 */
struct plop_loss {
	__u32 tgid;
	__u32 lost[PLOP_LOST_CAUSES];
};
#define PLOP_HALF_LOSSES 32
#define PLOP_LOSS_PROBES 4

/* What one part has taken, or may take. */
struct plop_part {
	__u16 stacks, frames, threads, pad;
};

/*
 * index: 0 is empty, else (tag << 16) | (stack number + 1); tag: high 16 bits of the hash.
 * thread_index: 0 is empty, else the number in threads + 1.
 */
struct plop_half {
	__u32 nstacks, nframes, nthreads, pad;
	__u64 counters[PLOP_COUNTERS];
	struct plop_channel_counters channels[PLOP_MAX_CHANNELS]; /* of channels 1 and up */
	struct plop_part parts[PLOP_PARTS];                       /* the first stays 0 */
	struct plop_loss losses[PLOP_HALF_LOSSES];
	__u32 index[PLOP_HALF_INDEX];
	__u16 thread_index[PLOP_HALF_INDEX];
	struct plop_stack stacks[PLOP_HALF_STACKS];
	struct plop_stack_thread threads[PLOP_HALF_THREADS];
	struct plop_frame frames[PLOP_HALF_FRAMES];
};

/*
 * How soon after exec or fork a tick asks for a process in PLOP_STATE_NEW, and how seldom at last.
 */
#define PLOP_WAIT_FIRST_NS 4000000ULL
#define PLOP_WAIT_LAST_NS  16000000000ULL
/* ... of a plain program, see plop_plain */
#define PLOP_WAIT_PLAIN_NS (64 * PLOP_WAIT_FIRST_NS)

/* What the kernel knows of a process; key: tgid. */
enum plop_state {
	PLOP_STATE_NEW =
		0, /* no interpreter was found in it yet; it is looked at again while it uses CPU */
	PLOP_STATE_PROFILED = 1,
	PLOP_STATE_UNSUPPORTED =
		2, /* Python, but of an unknown kind: ticks are lost[unsupported] */
	/* of a known launch, and the libpython that its program is linked to is not there yet */
	PLOP_STATE_LAUNCHED = 3,
};

struct plop_process {
	/*
	 * unique for each (process, exec): kernel time of fork or exec in ns, or given by user
	 * space
	 */
	__u64 image;
	/*
	 * address of _PyRuntime; NEW: the number of its program's file, see plop_record_exec;
	 * LAUNCHED: its launch
	 */
	__u64 runtime;
	__u16 layout; /* index into the layouts map; LAUNCHED: PLOP_LAUNCH_PLACE() */
	__u16 async;  /* ... into the asyncs map; 0: its tasks are not known */
	__u16 state;  /* enum plop_state */
	__u16 user;   /* PLOP_USER_PLACE(): whose it is counted as */
	/*
	 * NEW: kernel time of the last PLOP_RECORD_CHECK, or of exec or fork; else of the last
	 * PLOP_RECORD_RENAME, or of fork
	 */
	__u64 asked;
	__u64 wait; /* NEW: ns from then until a tick asks again; grows */
	/* PROFILED: kernel address of its mm, once a thread state was found in it; else 0 */
	__u64 mm;
};

/*
 * Where processes of a user are counted; place 0 is root's, who has no bound. A seed, so that
 * nobody can choose with whom he shares a place. In a user namespace: of the user who made it, or
 * the outermost one that it is in.
 */
#define PLOP_USER_PLACE(uid, seed) \
	((uid) ? 1 + (__u32)(plop_mix((uid) ^ (seed)) % (PLOP_USER_PLACES - 1)) : 0)

/*
 * Thread states by (image, thread pointer), as plop_mix() of both: four to a bucket, each
 * bucket one cache line. Written by both sides, without a lock: what is read of a state is checked
 * against the thread.
 */
#define PLOP_THREAD_BUCKETS 4096
#define PLOP_THREAD_WAYS    4
struct plop_thread_bucket {
	__u64 key[PLOP_THREAD_WAYS];
	/*
	 * address of the thread state, | PLOP_THREAD_SUB where the kernel side wrote it; or
	 * PLOP_NO_STATE()
	 */
	__u64 state[PLOP_THREAD_WAYS];
};

/* Of the address of a thread state these are 0: they mean something here. */
#define PLOP_STATE_BITS 7ULL
/* It is of another interpreter than the first one. */
#define PLOP_THREAD_SUB 2ULL

/*
 * There is no state: not after so many searches of late (at most 3), the last of which was at ms
 * (CLOCK_MONOTONIC); from user space, which has looked at all of them, that is the time until which
 * it holds. beyond: the search did not reach the end.
 */
#define PLOP_NO_STATE(ms, beyond, missed) ((__u64)(ms) << 4 | (beyond) << 3 | (missed) << 1 | 1)
#define PLOP_NO_STATE_IS(state)           ((state)&1)
#define PLOP_NO_STATE_MS(state)           ((state) >> 4)
#define PLOP_NO_STATE_BEYOND(state)       ((state) >> 3 & 1)
#define PLOP_NO_STATE_MISSED(state)       ((__u32)((state) >> 1) & 3)
#define PLOP_NO_STATE_SURE                3

/*
 * Code objects whose identity was sent, two to a set. What is in word: see seen.h. key is stored
 * xor word, so that an entry which two write at once is nobody's.
 */
#define PLOP_SEEN_SETS 32768
struct plop_seen_set {
	struct {
		__u64 key;
		__u64 word;
	} way[2];
};

/*
 * One CPU's table. The program counts entered, picks the half by plop_active, counts left when
 * done. User space flips plop_active, waits until entered == left on the CPU, and then owns the
 * half that was active before.
 */
struct plop_cpu {
	__u64 entered, left;
	__u32 pressure; /* the half number + 1 for which PLOP_RECORD_PRESSURE was sent */
	__u32 last_tgid;
	/*
	 * What the tick before this one looked up, in the lines that every tick touches anyway:
	 * most ticks hit the same thread again. last is good while last_changes is plop_changes,
	 * which counts changes of the process table.
	 */
	__u64 last_changes;
	struct plop_process last;
	__u64 last_thread; /* plop_mix(image ^ thread pointer) */
	__u64 last_state;  /* its thread state */
	__u64 last_sub;    /* whether that is of another interpreter than the first */
	/*
	 * Set by user space: it changes this CPU's period seldom, as no Python ran here. The next
	 * tick of a profiled process clears it, and tells by a PLOP_RECORD_PERIOD.
	 */
	__u64 still;
	__u64 pad;
	struct plop_half half[2];
};

enum plop_record_type {
	PLOP_RECORD_EXEC = 1,
	PLOP_RECORD_FORK = 2,  /* parent is a profiled process; the child is profiled already */
	PLOP_RECORD_EXIT = 3,  /* of one that was profiled or unsupported */
	PLOP_RECORD_CHECK = 4, /* a tick hit a process in PLOP_STATE_NEW */
	PLOP_RECORD_CODE = 5,
	PLOP_RECORD_PRESSURE = 6, /* a half is a quarter full: drain soon */
	PLOP_RECORD_WAIT = 7,     /* a thread of a process with a filter is back on a CPU */
	PLOP_RECORD_TASK = 8,     /* the name of an asyncio task */
	PLOP_RECORD_THREAD =
		9, /* a process that has events on its threads made one: PLOP_THREAD_MADE(image) */
	PLOP_RECORD_STATE = 10,  /* a thread whose state the kernel side does not reach */
	PLOP_RECORD_RENAME = 11, /* a profiled or unsupported one has given itself a name */
	PLOP_RECORD_PERIOD = 12, /* plop_cpu.still was set: tgid is the number of the CPU */
};

/*
 * Programs that were no Python lately: plop_record_exec.file, at its remainder by this. Most
 * processes of a busy host are of such and end soon. Their exec does not wake plopd. Those that are
 * an interpreter themselves stand there as well, marked.
 */
#define PLOP_PLAIN_PROGRAMS 1024
#define PLOP_PROGRAM_PYTHON 1 /* | the number of its file, whose lowest bit is 0 */

/*
 * A launch is all that a process begins with: its program, arguments, environment, user, folders
 * and control group, as one number (plop_record_exec.launch). A process that is launched as another
 * was just before is what that was found to be: it is profiled from its first tick on, and nothing
 * is read of it.
 */
#define PLOP_LAUNCHES 128
struct plop_launch {
	/*
	 * of _PyRuntime (up to 3.6 interp_head) from where the program's code lies, or from where
	 * its libpython is loaded
	 */
	__u64 offset;
	__u64 until; /* kernel time: from then on a process of it is looked at again */
	__u64 layout;
	__u64 list;    /* from the program's code: DT_DEBUG's value (ld.so(8)); 0: no libpython */
	__u64 dynamic; /* where in that its PT_DYNAMIC lies, by which it is found in the list */
	__u64 check;   /* plop_launch_check(): whether all of this belongs to a launch */
};

/*
 * When a process forked last, kernel time, at the remainder of its tgid by this: several share a
 * place, so one may seem to have forked that did not.
 */
#define PLOP_FORKED_PLACES 1024

/*
 * A process that renames itself all the time is told of no more often than that. Whoever looks at
 * its name that long after the record sees the last one of those that were not told of.
 */
#define PLOP_RENAMES_APART_NS 200000000ULL

/* Why a thread was not on a CPU. */
enum plop_wait_kind {
	PLOP_WAIT_RUNNABLE = 1, /* preempted: it was not its turn */
	PLOP_WAIT_GIL = 2,      /* on a futex inside of the interpreter's lock */
	PLOP_WAIT_SLEEPING = 3, /* in a system call, or a page fault (syscall -1) */
	PLOP_WAIT_BEYOND = 4,   /* why was not looked at: beyond the user's samples a second */
	PLOP_WAIT_UNTOLD = 5,   /* since before anybody watched, and nothing was seen of it */
	PLOP_WAIT_LET_GO = 6,   /* preempted while it let go of the GIL; of a plop_sleeper alone */
};

/*
 * A thread of a process with a filter that is off CPU; key 0: free. User space reads those that
 * have not come back.
 */
struct plop_sleeper {
	__u64 key;   /* tgid << 32 | tid */
	__u64 image; /* 0: not looked at */
	__u64 hash;
	/* 0: from before anybody watched, and all that is known is when it was woken */
	__u64 since;
	/*
	 * when it became runnable; 0: has not, or is, but has not been given the GIL that it waits
	 * for
	 */
	__u64 woken;
	__u32 kind;
	__s32 syscall;
	__u32 disk;
	__u32 budget; /* whose place it is; 0: of a trusted user's recording */
	/*
	 * the futex on which it waits until the GIL is let go; 0: on none, or another of its
	 * futexes
	 */
	__u64 gil;
	/* PLOP_WAIT_LET_GO: when it was back on a CPU, where it still is; 0: it is not */
	__u64 back;
};

struct plop_record {
	__u32 type;
	__u32 tgid;
	__u64 image;
};

/* What a PLOP_RECORD_THREAD has instead of an image: which thread made it, and which it is. */
#define PLOP_THREAD(maker, made) ((__u64)(maker) << 32 | (made))
#define PLOP_THREAD_MAKER(image) ((__u32)((image) >> 32))
#define PLOP_THREAD_MADE(image)  ((__u32)(image))

/*
 * One time off CPU. Its stack is that of channel PLOP_CHANNEL_OFF_CPU with this hash and tgid,
 * filed when the thread left; so it comes with the half of that moment.
 */
struct plop_record_wait {
	struct plop_record head;
	__u64 hash; /* since 0: the first argument of syscall */
	/* CLOCK_MONOTONIC, ns; 0: from before anybody watched, and ns is when it ended */
	__u64 since;
	__u64 ns;
	__u64 runnable_ns; /* of these, after it was woken */
	__u32 tid;
	__u32 kind;    /* enum plop_wait_kind */
	__s32 syscall; /* its number, -1: none */
	__u32 disk;    /* 1: it waited without being interruptible, as for a disk */
};

/*
 * User space is to find the state of the thread with that thread pointer; see struct
 * plop_thread_bucket.
 */
struct plop_record_state {
	struct plop_record head;
	__u64 thread;
};

/*
 * A process executes a program. file: the same for the same file while one executes it, and soon
 * after most likely. uid: who runs it, by its real uid; ~0: not known.
 */
struct plop_record_exec {
	struct plop_record head;
	__u64 file;
	__u64 launch; /* of an interpreter's program, keyed by plop_seed; else, or too large: 0 */
	__u64 code;   /* where its code begins in the process's memory */
	__u64 born;   /* when the process began: CLOCK_BOOTTIME, ns */
	__u32 uid;
	__u32 parent;
	__u32 known; /* it is profiled already, by its launch */
	__u32 pad;
};

struct plop_record_fork {
	struct plop_record head; /* of the child */
	__u64 parent_image;
	__u32 parent;
	__u32 pad;
};

/*
 * A code object at first sight; data: file, name, line table, each as CPython stores it, one after
 * the other.
 */
struct plop_record_code {
	struct plop_record head;
	__u64 code;
	__u32 fingerprint;
	__u32 layout;
	__s32 firstlineno;
	__u32 linetable_size; /* of the whole table */
	__u64 file_length;    /* of the whole string, in characters */
	__u64 name_length;
	__u16 file_bytes; /* captured */
	__u16 name_bytes;
	__u16 linetable_bytes;
	__u16 faults;     /* PLOP_FAULT_* */
	__u32 file_state; /* the str's state word, see python_string_state() */
	__u32 name_state;
	__u8 data[];
};
#define PLOP_FAULT_FILE      0x1
#define PLOP_FAULT_NAME      0x2
#define PLOP_FAULT_LINETABLE 0x4

/* A task's name, sent again now and then while it is met; data: as CPython stores it. */
struct plop_record_task {
	struct plop_record head;
	__u64 code;   /* of the frame that stands for it: PLOP_SYNTHETIC_NAMED */
	__u64 length; /* of the whole string, in characters */
	__u32 state;  /* the str's state word, see python_string_state() */
	__u32 bytes;  /* captured */
	__u8 data[];
};

_Static_assert(sizeof(struct plop_seen_set) == 32, "shared with the kernel side");
_Static_assert(sizeof(struct plop_part) == 8, "shared with the kernel side");
_Static_assert(sizeof(struct plop_channel_counters) == 96, "shared with the kernel side");
_Static_assert(sizeof(struct plop_record) == 16, "shared with the kernel side");
_Static_assert(sizeof(struct plop_record_fork) == 32, "shared with the kernel side");
_Static_assert(__builtin_offsetof(struct plop_record_code, data) ==
			       sizeof(struct plop_record_code) &&
		       __builtin_offsetof(struct plop_record_task, data) ==
			       sizeof(struct plop_record_task),
	       "the data begins where the rest ends");
_Static_assert(sizeof(struct plop_stack) == 40, "shared with the kernel side");
_Static_assert(sizeof(struct plop_loss) == 36, "shared with the kernel side");
_Static_assert(sizeof(struct plop_stack_thread) == 12, "shared with the kernel side");
_Static_assert(sizeof(struct plop_process) == 48, "shared with the kernel side");
_Static_assert(sizeof(struct plop_record_code) == 72, "shared with the kernel side");
_Static_assert(sizeof(struct plop_record_wait) == 64, "shared with the kernel side");
_Static_assert(sizeof(struct plop_record_state) == 24, "shared with the kernel side");
_Static_assert(sizeof(struct plop_record_exec) == 64, "shared with the kernel side");
_Static_assert(sizeof(struct plop_thread_bucket) == 64, "shared with the kernel side");
_Static_assert(sizeof(struct plop_record_task) == 40, "shared with the kernel side");
_Static_assert(sizeof(struct plop_filter) == 32, "shared with the kernel side");
_Static_assert(sizeof(struct plop_channel) == 24, "shared with the kernel side");
_Static_assert(sizeof(struct plop_budget) == 64, "shared with the kernel side");
_Static_assert(PLOP_MAX_CHANNELS <= PLOP_PERIOD_CHANNEL,
	       "a period has to hold the number of a channel");
_Static_assert(PLOP_PART_TRUSTED < PLOP_PARTS, "each budget has a part, and the trusted have one");
_Static_assert(sizeof(struct plop_sleeper) == 72, "shared with the kernel side");
/* 64 CPUs must stay under 64 MB. */
_Static_assert(sizeof(struct plop_cpu) < 1024 * 1000, "too large for hosts with many CPUs");
