/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * As much of a kernel as the programs of bpf/ need: maps, a ring buffer, a clock, tasks, and the
 * memory of one process, which a reader gives. There is one of it, with one CPU, number 0.
 */
#include <stdbool.h>
#include <stddef.h>

#include "vmlinux.h"

struct reader;

/* What shim/bpf/bpf_helpers.h says of a map: its address stands for it. */
struct kernel_map {
	const void *at;
	__u32 type, entries, key_size, value_size;
};

/*
 * A task, first in it, so that a pointer to that is one to this; and what else the kernel tells of
 * it.
 */
struct kernel_task {
	struct task_struct task;
	struct pt_regs___kernel regs;
	__u32 uid;
};

/* One record of the ring buffer, as it was sent. */
struct kernel_record {
	const void *data;
	__u32 size;
	__u64 flags;
};

struct kernel {
	/* set by tests */
	const struct reader *memory; /* of the process that runs; NULL: none of it is mapped */
	struct kernel_task *current;
	__u64 now; /* CLOCK_MONOTONIC in ns; it goes on by step whenever it is read */
	__u64 step;
	__u64 cookie;
	__u64 cgroups[4];    /* of the current task, from the root on */
	__u64 ring_waiting;  /* bytes of the ring buffer that are taken before the first record */
	__u32 hash_entries;  /* a hash map has no room for more; 0: as many as it says */
	bool has_sched_info; /* a kernel with CONFIG_SCHED_INFO */

	/* what the programs did since kernel_reset(), or since a test set them to 0 */
	__u64 lookups; /* of maps */
	__u64 reads;   /* of the process's memory, ... */
	__u64 bytes;   /* ... so many bytes in all */
	__u64 faults;  /* ... reads that failed */
	__u64 clocks;  /* readings of the clock */
};
extern struct kernel kernel;

/* Empties all maps and the ring buffer, and sets all of the above to 0. */
void kernel_reset(void);

/*
 * A buffer in a map's element that is filled as a whole, by one read: of it, only what the last one
 * wrote may be looked at. Under AddressSanitizer, anything else of it is an error.
 */
void kernel_whole(void *start, size_t size);

size_t kernel_records(void);
struct kernel_record kernel_record(size_t i);
/* Takes all of them out. */
void kernel_records_clear(void);

/* Ends the test program: something did what the kernel does not allow. */
void kernel_require(bool holds, const char *what);

/*
 * What the shim's headers make of the helpers; results as theirs. room: what there is at to at
 * most, SIZE_MAX: not known.
 */
void *kernel_map_lookup(const struct kernel_map *m, const void *key);
long kernel_map_update(const struct kernel_map *m, const void *key, const void *value, __u64 flags);
long kernel_map_delete(const struct kernel_map *m, const void *key);
long kernel_read_user(void *to, __u32 size, size_t room, __u64 from);
long kernel_read_user_str(void *to, __u32 size, size_t room, __u64 from);
long kernel_ring_output(const void *data, __u64 size, __u64 flags);
__u64 kernel_ring_query(__u64 what);
__u64 kernel_clock(void);
__u64 kernel_pid_tgid(void);
__u64 kernel_cgroup(int level);
