// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Small programs that each need one kernel feature. plopd tries to load them one by one and so
 * learns what this kernel has: by trying, never by version number.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <stdbool.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} calib_ring SEC(".maps");

static long calib_step(__u32 i, void *ctx)
{
	return 1;
}

SEC("perf_event")
int calib_ringbuf(void *ctx)
{
	__u64 nothing = 0;

	bpf_ringbuf_output(&calib_ring, &nothing, sizeof(nothing), BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(calib_tp_btf, struct task_struct *task)
{
	return task->pid == 0;
}

SEC("perf_event")
int calib_thread(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(task, thread.fsbase) == 0;
#else
	return BPF_CORE_READ(task, thread.uw.tp_value) == 0;
#endif
}

SEC("tp_btf/sched_switch")
int BPF_PROG(calib_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	bpf_loop(2, calib_step, NULL, 0);
	return bpf_task_pt_regs(prev) == 0 || prev->__state == next->__state;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
