/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * What a process is found to be by its launch: at its exec, and where its interpreter is in a
 * libpython, at the first tick for which the loader has that.
 */
#include "plop.bpf.h"

#define LAUNCH_LINKS 16 /* libraries that are looked at */

/* What a place says of a launch; false: nothing. */
static __always_inline bool launch_at(__u32 place, __u64 launch, struct plop_launch *ret)
{
	volatile struct plop_launch *at;

	/* for the verifier, which does not know what the compiler does */
	barrier_var(place);
	at = &plop_launches[place & (PLOP_LAUNCHES - 1)];
	ret->offset = at->offset;
	ret->until = at->until;
	ret->layout = at->layout;
	ret->list = at->list;
	ret->dynamic = at->dynamic;
	return at->check == plop_launch_check(ret, launch);
}

/*
 * Begins p as what others of its launch were found to be, if that is known. code: where its
 * program's code lies.
 */
static __always_inline bool launch_known(struct plop_process *p, __u64 launch, __u32 uid,
					 __u64 code)
{
	__u32 place = PLOP_LAUNCH_PLACE(launch, uid);
	struct plop_launch l;

	if (!launch || !launch_at(place, launch, &l) || l.until <= p->image)
		return false;
	p->state = l.list ? PLOP_STATE_LAUNCHED : PLOP_STATE_PROFILED;
	p->runtime = l.list ? launch : code + l.offset;
	p->layout = l.list ? place : l.layout;
	return true;
}

/*
 * A tick has met one in PLOP_STATE_LAUNCHED: its libpython is looked for in the list that the
 * loader keeps for debuggers (struct r_debug and struct link_map of glibc and musl). A function of
 * its own for the verifier.
 */
__weak __noinline int launch_arrive(__u32 tgid)
{
	struct plop_process *p = bpf_map_lookup_elem(&processes, &tgid);
	struct task_struct *task = bpf_get_current_task_btf();
	struct {
		__u64 bias, name, dynamic, next;
	} link = {};
	struct plop_launch l;
	__u64 at = 0;

	if (!p || p->state != PLOP_STATE_LAUNCHED)
		return 0;
	if (!launch_at(p->layout, p->runtime, &l)) {
		/* it is not known any more */
		p->runtime = p->layout = 0;
		barrier();
		p->state = PLOP_STATE_NEW;
		return 0;
	}
	if (!task->mm ||
	    bpf_probe_read_user(&at, sizeof(at), (void *)(task->mm->start_code + l.list)) || !at ||
	    bpf_probe_read_user(&link.next, sizeof(link.next), (void *)(at + 8)))
		return 0;
	for (int i = 0; i < LAUNCH_LINKS && link.next; i++) {
		if (bpf_probe_read_user(&link, sizeof(link), (void *)link.next))
			return 0;
		if (link.dynamic - link.bias != l.dynamic)
			continue;
		p->runtime = link.bias + l.offset;
		p->layout = l.layout;
		barrier();
		p->state = PLOP_STATE_PROFILED;
		return 0;
	}
	return 0;
}
