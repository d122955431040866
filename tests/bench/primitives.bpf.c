// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What one helper call costs on this machine, and what the least tick does that could be: the
 * yardsticks beside which the walk's figures are read.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define CALLS 1000

volatile __u64 user_address = 0;
volatile __u64 loop_ns = 0, read72_ns = 0, read4096_ns = 0, clock_ns = 0;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[4096]);
} buffer SEC(".maps");

static long nothing(__u32 i, void *ctx)
{
	return 0;
}

static long read_user(__u32 size)
{
	__u32 zero = 0;
	void *to = bpf_map_lookup_elem(&buffer, &zero);

	if (!to || size > 4096)
		return 1;
	return bpf_probe_read_user(to, size, (void *)user_address) ? 1 : 0;
}

static long read72(__u32 i, void *ctx)
{
	return read_user(72);
}

static long read4096(__u32 i, void *ctx)
{
	return read_user(4096);
}

static long read_clock(__u32 i, void *ctx)
{
	bpf_ktime_get_ns();
	return 0;
}

SEC("raw_tp")
int primitives(void *ctx)
{
	__u64 began = bpf_ktime_get_ns();

	bpf_loop(CALLS, nothing, NULL, 0);
	loop_ns = bpf_ktime_get_ns() - began;
	began = bpf_ktime_get_ns();
	bpf_loop(CALLS, read72, NULL, 0);
	read72_ns = bpf_ktime_get_ns() - began;
	began = bpf_ktime_get_ns();
	bpf_loop(CALLS, read4096, NULL, 0);
	read4096_ns = bpf_ktime_get_ns() - began;
	began = bpf_ktime_get_ns();
	bpf_loop(CALLS, read_clock, NULL, 0);
	clock_ns = bpf_ktime_get_ns() - began;
	return 0;
}

/* Of each CPU: what a tick reads. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[4096]);
} page SEC(".maps");
volatile __u64 last_tick = 0;

/* The floor of a sample: the clock, and the 4 kB of the program where its thread pointer points. */
SEC("perf_event")
int floor_tick(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
#if defined(__TARGET_ARCH_x86)
	__u64 pointer = task->thread.fsbase;
#else
	__u64 pointer = task->thread.uw.tp_value;
#endif
	__u32 zero = 0;
	void *to = bpf_map_lookup_elem(&page, &zero);

	last_tick = bpf_ktime_get_ns();
	if (to)
		bpf_probe_read_user(to, 4096, (void *)(pointer & ~4095UL));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
