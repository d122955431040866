// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The tick. Filter first, walk second: a tick on anything but a profiled process costs two look-ups. Each tick ends
 * in exactly one of the counters python, other, lost[cause].
 */
#include "pystack.bpf.h"

const volatile __u32 plop_ncpus = 1;
const volatile __u32 plop_max_depth = PLOP_MAX_DEPTH;
const volatile __u64 plop_seed = 0;
volatile __u32 plop_active = 0;

/* What the walk needs of the current task. */
struct task_facts {
	__u64 thread; /* the thread pointer: what pthread_self() is on x86-64 */
	__u64 mm;
	__u32 flags;
};

/* btf: by plain loads; bpf_get_current_task_btf() needs 5.11. */
static __always_inline void task_read(struct task_facts *ret, bool btf)
{
	struct task_struct *task = btf ? bpf_get_current_task_btf() :
					 (void *)bpf_get_current_task();

#if defined(__TARGET_ARCH_x86)
	ret->thread = btf ? task->thread.fsbase : BPF_CORE_READ(task, thread.fsbase);
#else
	ret->thread = btf ? task->thread.uw.tp_value : BPF_CORE_READ(task, thread.uw.tp_value);
#endif
	ret->mm = (__u64)(btf ? task->mm : BPF_CORE_READ(task, mm));
	ret->flags = btf ? task->flags : BPF_CORE_READ(task, flags);
}

static __always_inline void lose(struct plop_half *half, __u32 cause)
{
	if (cause < PLOP_LOST_CAUSES)
		half->counters[PLOP_C_LOST + cause]++;
}

/*
 * Sends the identity of a code object: the pieces of it that fit, as they lie in memory. Returns 0 when it is on
 * its way; the caller then marks it as seen.
 */
static __always_inline long code_send(struct walk *w, __u32 tgid, __u64 image, __u32 layout,
				      __u64 code, __u32 check)
{
	const struct plop_layout *l = w->l;
	struct plop_record_code *r = (void *)w->s->record;
	__u64 file = 0, name = 0, lines = 0, n;
	__u32 size = sizeof(*r), ascii;

	r->head.type = PLOP_RECORD_CODE;
	r->head.tgid = tgid;
	r->head.image = image;
	r->code = code;
	r->check = check;
	r->layout = layout;
	r->faults = 0;
	r->file_bytes = r->name_bytes = r->linetable_bytes = 0;
	r->file_length = r->name_length = 0;
	r->linetable_size = 0;
	r->file_state = r->name_state = 0;
	bpf_probe_read_user(&r->firstlineno, sizeof(r->firstlineno),
			    (void *)(code + l->code_firstlineno));
	bpf_probe_read_user(&file, sizeof(file), (void *)(code + l->code_filename));
	bpf_probe_read_user(&name, sizeof(name),
			    (void *)(code + (l->code_qualname ? l->code_qualname : l->code_name)));
	bpf_probe_read_user(&lines, sizeof(lines), (void *)(code + l->code_linetable));

/* One str: its length and state word, then as many of its bytes as fit. */
#define SEND_STR(what, address, max, fault)                                                       \
	do {                                                                                      \
		if (bpf_probe_read_user(&r->what##_length, 8,                                     \
					(void *)(address + l->str_length)) ||                     \
		    bpf_probe_read_user(&r->what##_state, 4, (void *)(address + l->str_state))) { \
			r->faults |= fault;                                                       \
			break;                                                                    \
		}                                                                                 \
		r->what##_state |= l->str_state_set;                                              \
		ascii = r->what##_state >> (l->str_kind_shift + 4) & 1;                           \
		n = r->what##_length * (r->what##_state >> l->str_kind_shift & 7);                \
		if (n == 0)                                                                       \
			break;                                                                    \
		if (n > max)                                                                      \
			n = max;                                                                  \
		if (bpf_probe_read_user(w->s->record + size, n,                                   \
					(void *)(address + (ascii ? l->str_ascii_data :           \
								    l->str_compact_data)))) {     \
			r->faults |= fault;                                                       \
			break;                                                                    \
		}                                                                                 \
		r->what##_bytes = n;                                                              \
		size += n;                                                                        \
	} while (0)

	SEND_STR(file, file, PLOP_CAPTURE_FILE, PLOP_FAULT_FILE);
	if (size > sizeof(*r) + PLOP_CAPTURE_FILE)
		return -1;
	SEND_STR(name, name, PLOP_CAPTURE_NAME, PLOP_FAULT_NAME);
	if (size > sizeof(*r) + PLOP_CAPTURE_FILE + PLOP_CAPTURE_NAME)
		return -1;
	n = 0;
	if (bpf_probe_read_user(&n, sizeof(n), (void *)(lines + l->bytes_size))) {
		r->faults |= PLOP_FAULT_LINETABLE;
	} else if (n > 0) {
		r->linetable_size = n > 0xffffffffULL ? 0xffffffff : n;
		if (n > PLOP_CAPTURE_LINETABLE)
			n = PLOP_CAPTURE_LINETABLE;
		if (bpf_probe_read_user(w->s->record + size, n, (void *)(lines + l->bytes_data))) {
			r->faults |= PLOP_FAULT_LINETABLE;
		} else {
			r->linetable_bytes = n;
			size += n;
		}
	}
	if (size > RECORD_SIZE)
		return -1;
	return bpf_ringbuf_output(&records, r, size, BPF_RB_NO_WAKEUP);
}

/* Gives frame i of a new stack its check, and sends its code object up if it has not been. */
static long identify_step(__u32 i, struct walk *w)
{
	struct scratch *s = w->s;
	struct identify_state *q = &s->identify;
	struct plop_frame *f;
	struct seen_entry *e;
	__u32 n = s->walk.base + i, length = w->l->code_check_len, check, slot;
	__u64 key;

	if (n >= PLOP_HALF_FRAMES)
		return 1;
	f = &w->half->frames[n];
	key = mix(q->image ^ f->code);
	slot = key & (SEEN_ENTRIES - 1);
	e = bpf_map_lookup_elem(&seen, &slot);
	if (!e)
		return 1;
	if (e->key == key && e->epoch == q->epoch) {
		f->check = e->check;
		return 0;
	}
	f->check = 0;
	if (length > PLOP_CHECK_MAX || length < 8)
		return 1;
	if (bpf_probe_read_user(s->check, length, (void *)(f->code + w->l->code_check)))
		return 0; /* not resident: user space may have better luck */
	check = plop_code_check(s->check, length / 8);
	f->check = check;
	if (e->key != key || e->check != check) {
		if (code_send(w, q->tgid, q->image, q->layout, f->code, check)) {
			q->dropped++;
			return 0;
		}
		q->sent++;
		e->key = key;
		e->check = check;
	}
	e->epoch = q->epoch;
	return 0;
}

/* The place of a stack in the half's index: where it is, or the first free one. */
static __always_inline long stack_find(struct plop_half *half, __u64 hash, __u64 image,
				       __u32 *ret_free, struct plop_stack **ret)
{
	__u32 tag = hash >> 48;

	for (__u32 i = 0; i < PLOP_HALF_PROBES; i++) {
		__u32 at = ((__u32)hash + i) & (PLOP_HALF_INDEX - 1), entry = half->index[at], n;
		struct plop_stack *k;

		if (entry == 0) {
			*ret_free = at;
			*ret = NULL;
			return 0;
		}
		if (entry >> 16 != tag)
			continue;
		n = (entry & 0xffff) - 1;
		if (n >= PLOP_HALF_STACKS)
			continue;
		k = &half->stacks[n];
		if (k->hash == hash && k->image == image) {
			*ret = k;
			return 0;
		}
	}
	return -1;
}

/* Files the walked stack under its half. Returns 0, or the cause of its loss + 1. */
static __always_inline long stack_count(struct plop_cpu *cpu, struct walk *w, __u32 tid,
					__u32 flags, bool use_loop)
{
	struct walk_state *walk = &w->s->walk;
	struct identify_state *q = &w->s->identify;
	struct plop_half *half = w->half;
	struct plop_stack *k;
	__u32 at = 0, n;
	__u64 hash = mix(walk->hash ^ (((__u64)tid << 32) + flags));

	if (stack_find(half, hash, q->image, &at, &k))
		return PLOP_LOST_STACKS_FULL + 1;
	if (k) {
		k->count++;
		return 0;
	}
	n = half->nstacks;
	if (n >= PLOP_HALF_STACKS)
		return PLOP_LOST_STACKS_FULL + 1;
	if (use_loop) {
		bpf_loop(walk->depth, identify_step, w, 0);
	} else {
		for (__u32 i = 0; i < PLOP_BOUNDED_DEPTH && i < walk->depth; i++) {
			if (identify_step(i, w))
				break;
		}
	}
	k = &half->stacks[n];
	k->hash = hash;
	k->image = q->image;
	k->tgid = q->tgid;
	k->tid = tid;
	k->count = 1;
	k->frames = walk->base;
	k->depth = walk->depth;
	k->flags = flags;
	half->index[at & (PLOP_HALF_INDEX - 1)] = (__u32)(hash >> 48 << 16) | (n + 1);
	half->nstacks = n + 1;
	half->nframes = walk->base + walk->depth;
	half->counters[PLOP_C_CODES] += q->sent;
	half->counters[PLOP_C_CODES_DROPPED] += q->dropped;
	if ((n > PLOP_HALF_STACKS / 4 || half->nframes > PLOP_HALF_FRAMES / 4) &&
	    cpu->pressure != plop_active + 1) {
		cpu->pressure = plop_active + 1;
		record_send(PLOP_RECORD_PRESSURE, 0, 0, BPF_RB_FORCE_WAKEUP);
	}
	return 0;
}

/*
 * Finds the thread state of the current thread. Returns the flags of a stack without frames, 0 with w->frame set, or
 * -(cause + 1). The head of the thread state is in s->ts after.
 */
static __always_inline long thread_find(struct walk *w, struct plop_cpu *cpu,
					struct plop_process *p, struct plop_half *half,
					bool use_loop)
{
	const struct plop_layout *l = w->l;
	struct scratch *s = w->s;
	struct search_state *q = &s->search;
	struct task_facts task;
	__u64 thread, key, ts, frame;

	task_read(&task, use_loop);
	if (task.flags & PF_EXITING || (p->mm && p->mm != task.mm))
		return PLOP_STACK_EXITING;
	thread = task.thread;
	key = mix(p->image ^ thread);
	ts = cpu->last_thread == key ? cpu->last_state : thread_recall(key);
	if (ts & 1) {
		if ((__u32)(ts >> 1) == plop_active)
			return PLOP_STACK_NO_THREAD;
		ts = 0;
	}
	if (!ts || thread_read(l, s, ts) ||
	    FIELD64(s->ts, l->ts_thread_id, PLOP_TS_MAX) != thread) {
		q->image = p->image;
		q->thread = thread;
		q->ts = q->found = 0;
		q->result = WALK_OK;
		if (bpf_probe_read_user(&q->interp, sizeof(q->interp),
					(void *)(p->runtime + l->runtime_interpreters_head))) {
			/* a page of _PyRuntime that nothing has touched yet: the interpreter is not up */
			if (!p->mm)
				return PLOP_STACK_NO_INTERP;
			return -(PLOP_LOST_FAULT + 1);
		}
		if (!q->interp)
			return PLOP_STACK_NO_INTERP;
		half->counters[PLOP_C_THREAD_SEARCHES]++;
		if (use_loop) {
			bpf_loop(PLOP_MAX_THREAD_STEPS, search_step, w, 0);
		} else {
			for (__u32 i = 0; i < PLOP_BOUNDED_THREADS; i++) {
				if (search_step(i, w))
					break;
			}
		}
		if (!q->found) {
			if (q->result == WALK_FAULT)
				return -(PLOP_LOST_FAULT + 1);
			thread_remember(key, (__u64)plop_active << 1 | 1);
			return PLOP_STACK_NO_THREAD;
		}
		p->mm = task.mm;
		ts = q->found;
	}
	cpu->last_thread = key;
	cpu->last_state = ts;
	frame = FIELD64(s->ts, l->ts_frame, PLOP_TS_MAX);
	if (l->frame_kind == PLOP_FRAMES_CFRAME && frame &&
	    bpf_probe_read_user(&frame, sizeof(frame), (void *)(frame + l->cframe_current)))
		return -(PLOP_LOST_FAULT + 1);
	if (!frame)
		return PLOP_STACK_NO_FRAME;
	s->walk.frame = frame;
	if (l->ts_chunk) {
		/* datastack_chunk, datastack_top and datastack_limit follow one another (3.11 to 3.15, cpython/pystate.h) */
		s->walk.chunk = FIELD64(s->ts, l->ts_chunk, PLOP_TS_MAX);
		s->walk.chunk_end = FIELD64(s->ts, l->ts_chunk + 8, PLOP_TS_MAX);
	}
	return 0;
}

/* A tick in a profiled process. Returns 0 (counted as python) or the cause of its loss + 1. */
static __always_inline long python_tick(struct plop_cpu *cpu, struct plop_half *half,
					struct plop_process *p, __u64 pid_tgid, bool use_loop)
{
	__u32 cpu_number = bpf_get_smp_processor_id(), layout = p->layout;
	struct walk w = { .half = half };
	struct walk_state *k;
	long flags;

	w.l = bpf_map_lookup_elem(&layouts, &layout);
	w.s = bpf_map_lookup_elem(&scratch, &cpu_number);
	if (!w.l || !w.s)
		return PLOP_LOST_UNSUPPORTED + 1;
	k = &w.s->walk;
	*k = (struct walk_state){ .base = half->nframes,
				  .end = half->nframes + plop_max_depth,
				  .hash = plop_seed };
	w.s->identify = (struct identify_state){
		.image = p->image, .tgid = pid_tgid >> 32, .layout = layout, .epoch = plop_active
	};
	if (k->base + PLOP_MAX_DEPTH > PLOP_HALF_FRAMES)
		return PLOP_LOST_FRAMES_FULL + 1;
	flags = thread_find(&w, cpu, p, half, use_loop);
	if (flags < 0)
		return -flags;
	if (flags == 0) {
		if (use_loop) {
			/* a frame that is no Python function lies between each two C calls into the interpreter */
			bpf_loop(2 * PLOP_MAX_DEPTH / WALK_STRIDE, walk_step, &w, 0);
		} else {
			for (__u32 i = 0; i < PLOP_BOUNDED_DEPTH / WALK_STRIDE; i++) {
				if (walk_step(i, &w))
					break;
			}
		}
		if (k->result == WALK_FAULT)
			return PLOP_LOST_FAULT + 1;
		if (k->result == WALK_CORRUPT)
			return PLOP_LOST_CORRUPT + 1;
		if (k->frame && !k->truncated && k->depth)
			k->truncated = 1; /* the loop's bound, not the depth, ended the walk */
		if (k->truncated) {
			flags |= PLOP_STACK_TRUNCATED;
			half->counters[PLOP_C_TRUNCATED]++;
		}
		if (k->depth == 0)
			flags |= PLOP_STACK_NO_FRAME;
		half->counters[PLOP_C_FRAMES] += k->depth;
	}
	return stack_count(cpu, &w, (__u32)pid_tgid, flags, use_loop);
}

static __always_inline int tick(bool use_loop)
{
	__u64 began = 0, pid_tgid = bpf_get_current_pid_tgid();
	__u32 n = bpf_get_smp_processor_id(), tgid = pid_tgid >> 32;
	struct plop_process *p;
	struct plop_half *half;
	struct plop_cpu *cpu;
	long lost = 0;

	cpu = bpf_map_lookup_elem(&cpus, &n);
	if (!cpu)
		return 0;
	/* reading the clock twice costs as much as ten frames: one tick in eight stands for all */
	if ((cpu->entered & 7) == 0)
		began = bpf_ktime_get_ns();
	cpu->entered++;
	/* user space takes a half only when entered == left, so this order is all that is needed */
	half = &cpu->half[plop_active & 1];
	half->counters[PLOP_C_TICKS]++;
	if (cpu->last_tgid == tgid && tgid && cpu->last_changes == plop_changes) {
		p = &cpu->last;
	} else {
		__u64 changes = plop_changes;

		p = tgid ? bpf_map_lookup_elem(&processes, &tgid) : NULL;
		/* one whose entry is not written to any more */
		if (p && p->state == PLOP_STATE_PROFILED && p->mm) {
			cpu->last = *p;
			cpu->last_changes = changes;
			cpu->last_tgid = tgid;
		}
	}
	if (!p) {
		half->counters[PLOP_C_OTHER]++;
	} else if (p->state == PLOP_STATE_PROFILED) {
		lost = python_tick(cpu, half, p, pid_tgid, use_loop);
		if (lost)
			lose(half, lost - 1);
		else
			half->counters[PLOP_C_PYTHON]++;
		if (began) {
			half->counters[PLOP_C_BPF_NS] += bpf_ktime_get_ns() - began;
			half->counters[PLOP_C_BPF_TIMED]++;
		}
	} else if (p->state == PLOP_STATE_NEW) {
		half->counters[PLOP_C_OTHER]++;
		__u64 now = bpf_ktime_get_ns();

		if (now - p->asked > p->wait) {
			p->asked = now;
			if (p->wait < PLOP_WAIT_LAST_NS)
				p->wait *= 4;
			record_send(PLOP_RECORD_CHECK, tgid, p->image, BPF_RB_FORCE_WAKEUP);
		}
	} else {
		lose(half, PLOP_LOST_UNSUPPORTED);
	}
	cpu->left++;
	return 0;
}

SEC("perf_event")
int plop_tick(struct bpf_perf_event_data *ctx)
{
	return tick(true);
}

/* For kernels without bpf_loop(): only the innermost PLOP_BOUNDED_DEPTH frames. */
SEC("perf_event")
int plop_tick_bound(struct bpf_perf_event_data *ctx)
{
	return tick(false);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
