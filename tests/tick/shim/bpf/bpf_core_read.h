/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The kernel's structs lie here as bpf/vmlinux.h has them, so that there is nothing to move. */
#define BPF_CORE_READ(from, member)   ((from)->member)
#define bpf_core_field_exists(member) ((void)sizeof(member), kernel.has_sched_info)
