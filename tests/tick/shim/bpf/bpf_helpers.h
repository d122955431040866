/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The names of libbpf's bpf_helpers.h and bpf_helper_defs.h that bpf/ uses, on this machine: what
 * they do is in kernel.c. So the programs run unchanged in a process of their own, where sanitizers
 * watch them.
 */
#include "kernel.h"

#define __uint(name, value) int(*name)[value]
#define __type(name, value) __typeof__(value) *name
#define SEC(name)
#define __weak     __attribute__((weak))
#define __noinline __attribute__((noinline))
#undef __always_inline /* the C library's is the same, but for a __extension__ */
#define __always_inline inline __attribute__((always_inline))

#define SHIM_NUMBER(member) (sizeof(*(member)) / sizeof(int))
#define SHIM_MAP(map)                                                            \
	(&(const struct kernel_map){ .at = (map),                                \
				     .type = SHIM_NUMBER((map)->type),           \
				     .entries = SHIM_NUMBER((map)->max_entries), \
				     .key_size = sizeof(*(map)->key),            \
				     .value_size = sizeof(*(map)->value) })
#define barrier_var(variable) __asm__ volatile("" : "+r"(variable))
#define barrier()             __asm__ volatile("" ::: "memory")
/* A key of another size than the map's would be read beyond its end. */
#define SHIM_KEY(map, k)                                                                       \
	({                                                                                     \
		_Static_assert(sizeof(*(k)) == sizeof(*(map)->key), "the key of another map"); \
		(k);                                                                           \
	})

#define bpf_map_lookup_elem(map, key) kernel_map_lookup(SHIM_MAP(map), SHIM_KEY(map, key))
#define bpf_map_update_elem(map, key, value, flags) \
	kernel_map_update(SHIM_MAP(map), SHIM_KEY(map, key), value, flags)
#define bpf_map_delete_elem(map, key) kernel_map_delete(SHIM_MAP(map), SHIM_KEY(map, key))

#define bpf_probe_read_user(to, size, from) \
	kernel_read_user(to, size, __builtin_object_size(to, 1), (__u64)(from))
#define bpf_probe_read_user_str(to, size, from) \
	kernel_read_user_str(to, size, __builtin_object_size(to, 1), (__u64)(from))
/* The kernel's structures are of the test itself. */
static inline long bpf_probe_read_kernel(void *to, __u32 size, const void *from)
{
	__builtin_memcpy(to, from, size);
	return 0;
}

/* The verifier refuses more. */
#define SHIM_MAX_LOOPS (1u << 23)
#define bpf_loop(n, step, ctx, flags)                                                   \
	({                                                                              \
		__u32 shim_n = (n), shim_i = 0;                                         \
		kernel_require(shim_n <= SHIM_MAX_LOOPS && (flags) == 0, "bpf_loop()"); \
		while (shim_i < shim_n && !step(shim_i++, ctx))                         \
			;                                                               \
		(long)shim_i;                                                           \
	})

#define bpf_ringbuf_output(map, data, size, flags) kernel_ring_output(data, size, flags)
#define bpf_ringbuf_query(map, what)               kernel_ring_query(what)

#define bpf_get_smp_processor_id()                0
#define bpf_ktime_get_ns()                        kernel_clock()
#define bpf_get_current_task()                    ((__u64)(unsigned long)kernel.current)
#define bpf_get_current_task_btf()                (&kernel.current->task)
#define bpf_get_current_pid_tgid()                kernel_pid_tgid()
#define bpf_get_current_uid_gid()                 ((__u64)kernel.current->uid)
#define bpf_task_pt_regs(t)                       (&((struct kernel_task *)(t))->regs)
#define bpf_get_attach_cookie(ctx)                kernel.cookie
#define bpf_get_current_ancestor_cgroup_id(level) kernel_cgroup(level)
#define bpf_get_current_cgroup_id()               kernel_cgroup(3)
