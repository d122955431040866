/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * Maps and small helpers of the sampling program and the process programs. The rule of this folder:
 * a program that runs on a tick only looks up; it never inserts into or deletes from a hash map (on
 * large machines that has hung hosts). Everything it writes lies in arrays, mostly in the part of
 * its own CPU.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <stdbool.h>

#include "plop/events.h"
#include "plop/layout.h"
#include "plop/mix.h"
#include "plop/places.h"
#include "plop/seen.h"

/* Set by user space before load. */
extern const volatile __u32 plop_ncpus;
extern const volatile __u32 plop_max_depth;
extern const volatile __u64 plop_seed;

/* Which half the ticks go to (bit 0), and how often it was flipped. Written by user space only. */
extern volatile __u32 plop_active;

/* CLOCK_MONOTONIC in seconds at the last swap. Written by user space only. */
extern volatile __u32 plop_seconds;

/* Bit n - 1: channel n is a trusted user's. Written by user space only. */
extern volatile __u32 plop_trusted;

/* What each part of a half may take, but the first one. Written by user space only. */
extern volatile struct plop_part plop_part_most[PLOP_PARTS];

/* Counts changes of the process table, from both sides. */
extern volatile __u64 plop_changes;

/* When user space was last woken for a PLOP_RECORD_STATE, in ms. */
extern volatile __u64 plop_states_woken;

/* ... for a PLOP_RECORD_RENAME, in ns. */
extern volatile __u64 plop_renames_woken;

/* See PLOP_PLAIN_PROGRAMS; 0: none. Written by user space only. */
extern volatile __u64 plop_plain[PLOP_PLAIN_PROGRAMS];

/* At PLOP_LAUNCH_PLACE(). Written by user space only. */
extern volatile struct plop_launch plop_launches[PLOP_LAUNCHES];

/* See PLOP_FORKED_PLACES. */
extern volatile __u64 plop_forked[PLOP_FORKED_PLACES];

/*
 * Users, by PLOP_USER_PLACE(), whose code objects are not sent: one bit each. Written by user space
 * only.
 */
extern volatile __u64 plop_quiet[PLOP_USER_PLACES / 64];

/*
 * Whether n, a variable, is at most so much; to be asked right before it is used. The verifier has
 * to see that of the register which is used: kernels up to 6.12 at least do not follow what the
 * compiler knows by another register, or knew before n was put on the stack.
 */
#define IS_WITHIN(n, most)      \
	({                      \
		barrier_var(n); \
		(n) <= (most);  \
	})

#define COPY_SIZE 4096
#define RECORD_SIZE                                                                \
	(sizeof(struct plop_record_code) + PLOP_CAPTURE_FILE + PLOP_CAPTURE_NAME + \
	 PLOP_CAPTURE_LINETABLE)

/*
 * How far a walk has come. In scratch, not on the stack: there the verifier would follow every
 * value through every iteration, and never end.
 */
struct walk_state {
	__u64 frame; /* to look at next; 0: done */
	__u64 above; /* looked at before that one */
	__u64 mark;  /* a frame that was met before, to find cycles by */
	__u64 from; /* the copy holds the frames that begin in the target's [from, from + length] */
	__u64 length;
	__u64 chunk; /* the data-stack chunk that the walk is in */
	__u64 chunk_end;
	__u64 hash;
	__u32 base; /* index of the first frame in the half's frames */
	__u32 end;  /* ... and one past the last that may be used */
	__u32 depth;
	__u32 result; /* enum walk_result */
	__u32 truncated;
	__u32 pad;
};

/* How far the search for a thread state has come. */
struct search_state {
	__u64 image;
	__u64 thread; /* the thread pointer wanted */
	__u64 interp; /* to go to when the current list ends */
	__u64 ts;     /* to look at next */
	__u64 found;
	__u32 result;    /* enum walk_result */
	__u32 missed;    /* searches for this thread without a result, of late */
	__u64 missed_at; /* when the last one was that counts, in ms */
	__u64 sub;       /* whether found is of another interpreter than the first */
	__u64 current;   /* up to 3.11: the thread state that has the GIL */
};

/* Thread states that called into the one in use: see callers.bpf.h. */
#define PLOP_CALLERS 4 /* a power of two, for the verifier */
struct caller {
	__u64 frame, chunk, chunk_end;
	__u64 at; /* rises from caller to caller, outwards */
};
struct callers_state {
	__u64 last;  /* at of the one that was walked last */
	__u64 frame; /* of entry_step() */
	struct caller of[PLOP_CALLERS];
	__u32 n;
	__u32 own; /* whether the state that was taken to be in use is among them */
};

/* What identify_step() needs of the stack whose frames it names, and has found. */
struct identify_state {
	__u64 image;
	__u64 fingerprints; /* of all frames so far, in one */
	__u32 tgid;
	__u32 layout;
	__u32 now;    /* plop_seconds */
	__u32 active; /* plop_active: which half it is, of all that ever were */
	__u32 half;   /* which of the two the tick goes to, for identify_bounded() */
	__u32 sent, dropped;
	/* The stack that was filed under the same addresses: its first frame + 1; 0: none was. */
	__u32 filed;
	__u32 read_from; /* as of plop_stack: of the one that was filed, else of this one */
	__u32 next_from;
	__u32 user;   /* plop_process.user */
	__u8 again;   /* all that has not settled is read at this tick */
	__u8 young;   /* not all has settled */
	__u8 changed; /* one that was not read at each tick of it is another now */
	__u8 differs; /* ... or one that was */
};

/* What does not fit on a program's stack; one for each CPU, as a tick cannot interrupt a tick. */
struct scratch {
	struct walk_state walk;
	struct search_state search;
	struct identify_state identify;
	struct callers_state callers;
	__u8 ts[PLOP_TS_MAX + 8];
	/* a copy of the data stack, and behind it room for one frame that lies elsewhere */
	__u8 copy[COPY_SIZE + PLOP_FRAME_MAX + 8];
	__u64 fingerprint[PLOP_FINGERPRINT_MAX / 8 + 1]; /* also the head of a text */
	__u64 tail[PLOP_TEXT_TAIL / 8];
	__u8 record[RECORD_SIZE + 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* user space: possible CPUs */
	__type(key, __u32);
	__type(value, struct plop_cpu);
} cpus SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PLOP_MAX_PROCESSES);
	__type(key, __u32);
	__type(value, struct plop_process);
} processes SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PLOP_MAX_LAYOUTS);
	__type(key, __u32);
	__type(value, struct plop_layout);
} layouts SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PLOP_THREAD_BUCKETS);
	__type(key, __u32);
	__type(value, struct plop_thread_bucket);
} threads SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PLOP_SEEN_SETS);
	__type(key, __u32);
	__type(value, struct plop_seen_set);
} seen SEC(".maps") __weak;

struct {
	__uint(type,
	       BPF_MAP_TYPE_ARRAY); /* not PERCPU_ARRAY: its look-up is a call on most kernels */
	__uint(max_entries, 1);     /* user space: possible CPUs */
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PLOP_MAX_CHANNELS + 1);
	__type(key, __u32);
	__type(value, struct plop_channel);
} channels SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PLOP_MAX_CHANNELS + 1);
	__type(key, __u32);
	__type(value, struct plop_budget);
} budgets SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PLOP_MAX_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* nearly always empty */
	__type(key, __u32);
	__type(value, struct plop_filter);
} filters SEC(".maps") __weak;

/*
 * From RECORDS_FULL bytes on there is room in the ring buffer only for what tells of processes that
 * come, change and go.
 */
#define RECORDS_SIZE (2 * 1024 * 1024)
#define RECORDS_FULL (RECORDS_SIZE / 4 * 3)
_Static_assert(PLOP_IS_POWER_OF_TWO(RECORDS_SIZE), "the kernel refuses another");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RECORDS_SIZE);
} records SEC(".maps") __weak;

/*
 * Whether there is room for a record that tells of no process: one user can cause any number of
 * these.
 */
static __always_inline bool records_room(void)
{
	return bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) < RECORDS_FULL;
}

/*
 * Sends a record of code. Some hundred may come with each process that begins, so plopd is woken
 * whenever there is another eighth of the ring buffer to read; and at once where something is to be
 * read from the process (lacks), which may end soon.
 */
static __always_inline long records_code(const struct plop_record_code *r, __u32 size, bool lacks)
{
	__u64 waiting = bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA);
	bool more = (waiting + size) / (RECORDS_SIZE / 8) != waiting / (RECORDS_SIZE / 8);
	__u64 flags = lacks || more ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;

	if (waiting >= RECORDS_FULL || !IS_WITHIN(size, RECORD_SIZE))
		return -1;
	return bpf_ringbuf_output(&records, (void *)r, size, flags);
}

/*
 * Sends a record without data. Process records wake plopd, which has to look while the process
 * lives.
 */
static __always_inline void record_send(__u32 type, __u32 tgid, __u64 image, __u64 flags)
{
	struct plop_record r = { .type = type, .tgid = tgid, .image = image };

	bpf_ringbuf_output(&records, &r, sizeof(r), flags);
}
