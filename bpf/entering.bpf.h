/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * A tick may come while a thread enters the interpreter's loop. In 3.11 and 3.12 it has then linked
 * a struct on its C stack, _PyCFrame, to its thread state, which says which frame is current, and
 * has not filled it yet (_PyEval_EvalFrameDefault(), Python/ceval.c). That takes some ns; but where
 * the stack's next page is touched for the first time, as while an interpreter starts, a page
 * fault: there the ticks of many that start at once fall. What the struct says then is what lay
 * there before.
 */
#include "pystack.bpf.h"

/*
 * The innermost frame of the thread state in s->ts by the struct before its current one: that of
 * the caller, which is what the thread executes as long as the current one is not filled. 0: there
 * is none.
 */
static __always_inline __u64 frame_before(const struct plop_layout *l, struct scratch *s)
{
	__u64 cframe = FIELD64(s->ts, l->ts_frame, PLOP_TS_MAX), frame = 0;

	/* previous follows current_frame (cpython/pystate.h, 3.11 and 3.12) */
	if (l->frame_link != PLOP_LINK_CFRAME || !cframe ||
	    bpf_probe_read_user(&cframe, sizeof(cframe),
				(void *)(cframe + l->cframe_current + 8)) ||
	    !cframe)
		return 0;
	bpf_probe_read_user(&frame, sizeof(frame), (void *)(cframe + l->cframe_current));
	return frame;
}

/*
 * Walks once more, from the caller on, what was no chain of frames. A function of its own for the
 * verifier, so it looks everything up anew.
 */
__weak __noinline int entering_walk(void)
{
	__u32 n = bpf_get_smp_processor_id(), layout;
	struct plop_cpu *cpu = bpf_map_lookup_elem(&cpus, &n);
	struct walk w = { .s = bpf_map_lookup_elem(&scratch, &n) };
	struct walk_state *k;
	__u64 frame;

	if (!cpu || !w.s)
		return 0;
	layout = w.s->identify.layout;
	w.l = bpf_map_lookup_elem(&layouts, &layout);
	w.half = &cpu->half[w.s->identify.half & 1];
	k = &w.s->walk;
	frame = w.l ? frame_before(w.l, w.s) : 0;
	if (!frame)
		return 0;
	k->frame = frame;
	k->chunk = FIELD64(w.s->ts, w.l->ts_chunk, PLOP_TS_MAX);
	k->chunk_end = FIELD64(w.s->ts, PLOP_TS_CHUNK_END(w.l), PLOP_TS_MAX);
	k->from = k->length = k->mark = 0;
	k->hash = plop_seed;
	k->depth = k->truncated = 0;
	k->result = WALK_OK;
	bpf_loop(WALK_STEPS, walk_step, &w, 0);
	return 0;
}
