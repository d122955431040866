/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * Which code object it is that lies at an address: its fingerprint, and its identity, sent up when
 * it is new. An address alone says nothing: code objects are freed, and others made in their place.
 */
#include "pystack.bpf.h"

/*
 * Sends the identity of a code object: the pieces of it that fit, as they lie in memory. Returns 0
 * when it is on its way; the caller then marks it as seen.
 */
static __always_inline long code_send(struct scratch *s, const struct plop_layout *l, __u64 code,
				      __u32 fingerprint)
{
	struct plop_record_code *r = (void *)s->record;
	__u64 file = 0, name = 0, lines = 0, n;
	__u32 size = sizeof(*r), ascii;

	r->head.type = PLOP_RECORD_CODE;
	r->head.tgid = s->identify.tgid;
	r->head.image = s->identify.image;
	r->code = code;
	r->fingerprint = fingerprint;
	r->layout = s->identify.layout;
	r->faults = 0;
	r->file_bytes = r->name_bytes = r->linetable_bytes = 0;
	r->file_length = r->name_length = 0;
	r->linetable_size = 0;
	r->file_state = r->name_state = 0;
	bpf_probe_read_user(&r->firstlineno, sizeof(r->firstlineno),
			    (void *)(code + l->code_firstlineno));
	bpf_probe_read_user(&file, sizeof(file), (void *)(code + l->code_filename));
	bpf_probe_read_user(&name, sizeof(name),
			    (void *)(code + plop_text_pointer(l, PLOP_TEXT_NAME)));
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
		ascii = plop_str_is_ascii(l, r->what##_state);                                    \
		n = r->what##_length * plop_str_kind(l, r->what##_state);                         \
		if (n == 0)                                                                       \
			break;                                                                    \
		if (n > max)                                                                      \
			n = max;                                                                  \
		if (bpf_probe_read_user(s->record + size, n,                                      \
					(void *)(address + plop_str_data(l, ascii)))) {           \
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
		if (bpf_probe_read_user(s->record + size, n, (void *)(lines + l->bytes_data))) {
			r->faults |= PLOP_FAULT_LINETABLE;
		} else {
			r->linetable_bytes = n;
			size += n;
		}
	}
	return records_code(r, size, r->faults || r->linetable_bytes < r->linetable_size);
}

/* code_send() as a function of its own: see walk_frames(). */
__weak __noinline long code_sent(struct scratch *s, const struct plop_layout *l, __u64 code,
				 __u32 fingerprint)
{
	return s && l ? code_send(s, l, code, fingerprint) : -1;
}

/*
 * Adds a text to a fingerprint. A text that is not readable at all adds nothing, in user space
 * neither.
 */
static __always_inline __u64 check_text(struct scratch *s, const struct plop_layout *l, __u64 h,
					__u64 object, __u32 bytes)
{
	__u64 *head = s->fingerprint, *tail = s->tail;
	__u64 start = object + plop_text_head(l, bytes);
	__u32 at;

	if (bpf_probe_read_user(head, PLOP_TEXT_HEAD, (void *)start)) {
		if (bpf_probe_read_user(head, PLOP_TEXT_HEAD_LEAST, (void *)start))
			return h;
		return plop_text_add_least(h, head);
	}
	at = plop_text_tail(l, head, bytes);
	h = plop_text_add(l, h, head, bytes);
	if (at && !bpf_probe_read_user(tail, PLOP_TEXT_TAIL, (void *)(object + at)))
		h = plop_fingerprint_add(h, tail, PLOP_TEXT_TAIL / 8);
	return h;
}

/*
 * The fingerprint of the code object at an address; 0: it is not readable. As
 * code_objects_fingerprint() of user space.
 */
static __always_inline __u32 fingerprint_read(struct scratch *s, const struct plop_layout *l,
					      __u64 code)
{
	__u32 length = l->code_fingerprint_len, at = l->code_fingerprint;
	__u64 *bytes = s->fingerprint, name, file, lines, h;

	if (length > PLOP_FINGERPRINT_MAX || length < 8)
		return 0;
	if (bpf_probe_read_user(bytes, length, (void *)(code + l->code_fingerprint)))
		return 0;
	h = plop_fingerprint_add(0, bytes, length / 8);
	if (l->code_fingerprint_texts) {
		/* the pointers are among what was just read; the texts go to the same place */
		name = FIELD64((void *)bytes, plop_text_pointer(l, PLOP_TEXT_NAME) - at,
			       PLOP_FINGERPRINT_MAX);
		file = FIELD64((void *)bytes, plop_text_pointer(l, PLOP_TEXT_FILE) - at,
			       PLOP_FINGERPRINT_MAX);
		lines = FIELD64((void *)bytes, plop_text_pointer(l, PLOP_TEXT_LINES) - at,
				PLOP_FINGERPRINT_MAX);
		h = check_text(s, l, h, name, 0);
		h = check_text(s, l, h, file, 0);
		h = check_text(s, l, h, lines, 1);
	}
	return plop_fingerprint_end(h);
}

/* fingerprint_read() as a function of its own: see walk_frames(). */
__weak __noinline __u32 fingerprint_now(struct scratch *s, const struct plop_layout *l, __u64 code)
{
	return s && l ? fingerprint_read(s, l, code) : 0;
}

/* Whether what a user's processes cost is beyond what it may be: then no records of them come. */
static __always_inline bool user_is_quiet(__u32 user)
{
	return plop_quiet[user / 64 & (PLOP_USER_PLACES / 64 - 1)] >> (user & 63) & 1;
}

#define CO_OPTIMIZED 0x1 /* a function's (Include/code.h, the same in all versions) */

/*
 * Whether a code object is the body of a module or a class, or what exec() runs: they are freed as
 * soon as they have run, while a function's lives as long as the function.
 */
static __always_inline bool code_is_body(struct walk *w, __u64 code)
{
	__u32 flags = CO_OPTIMIZED;

	bpf_probe_read_user(&flags, sizeof(flags), (void *)(code + w->l->code_flags));
	return !(flags & CO_OPTIMIZED);
}

/*
 * Gives a frame its fingerprint. At an address whose code object was freed another may lie at the
 * next tick. So it is read when a half first meets it, when a second stack has it, at each tick
 * that reads all (plop_reads_all()), and user space confirms it when it collects the half. One
 * whose address changes is read at each tick, as those of the innermost frames are; one that has
 * settled is not, it is only confirmed. Sends the object's identity up where it is new.
 */
static __always_inline void code_identify(struct walk *w, struct plop_frame *f, bool innermost,
					  bool calls)
{
	struct identify_state *q = &w->s->identify;
	__u64 key = PLOP_SEEN_KEY(q->image, f->code), word;
	__u32 fingerprint, slot = PLOP_SEEN_SET(key), way, idle, since, bits = 0;
	struct plop_seen_set *e = bpf_map_lookup_elem(&seen, &slot);
	bool settled;

	if (!e)
		return;
	way = (e->way[1].key ^ e->way[1].word) == key;
	word = e->way[way].word;
	if ((e->way[way].key ^ word) != key)
		word = 0;
	idle = (q->active - PLOP_SEEN_HALF(word)) & PLOP_SEEN_MASK;
	since = PLOP_SEEN_SINCE(word);
	fingerprint = PLOP_SEEN_FINGERPRINT(word);
	settled = word && idle <= PLOP_SETTLED_HALVES &&
		  ((q->now - since) & PLOP_SEEN_MASK) >= PLOP_SETTLED_SECONDS;
	q->young |= !settled;
	if (settled || (word && idle == 0 && !q->again && !innermost &&
			(word & (PLOP_SEEN_TWICE | PLOP_SEEN_LOOSE)) == PLOP_SEEN_TWICE)) {
		f->fingerprint = fingerprint | PLOP_FINGERPRINT_UNREAD;
		if (idle == 0)
			return;
	} else {
		fingerprint = calls ? fingerprint_now(w->s, w->l, f->code) :
				      fingerprint_read(w->s, w->l, f->code);
		f->fingerprint = fingerprint;
		if (!fingerprint)
			return; /* not resident: user space may have better luck */
		if (word && PLOP_SEEN_FINGERPRINT(word) == fingerprint) {
			bits = word & PLOP_SEEN_LOOSE;
			if (idle == 0)
				bits |= PLOP_SEEN_TWICE;
		} else {
			q->again = 1; /* where one is new, what called it may be */
			if (user_is_quiet(q->user) ||
			    (calls ? code_sent(w->s, w->l, f->code, fingerprint) :
				     code_send(w->s, w->l, f->code, fingerprint))) {
				q->dropped++;
				return;
			}
			q->sent++;
			since = q->now;
			if (word || code_is_body(w, f->code))
				bits = PLOP_SEEN_LOOSE;
			/* a new one takes the place of the one that was met longer ago */
			if (!word)
				way = ((q->active - PLOP_SEEN_HALF(e->way[1].word)) &
				       PLOP_SEEN_MASK) >
				      ((q->active - PLOP_SEEN_HALF(e->way[0].word)) &
				       PLOP_SEEN_MASK);
		}
		if (bits & PLOP_SEEN_LOOSE)
			f->fingerprint |= PLOP_FINGERPRINT_LOOSE;
		else if (bits && !innermost)
			f->fingerprint |= PLOP_FINGERPRINT_UNREAD;
	}
	word = PLOP_SEEN_WORD(fingerprint | bits, since, q->active);
	e->way[way & 1].key = key ^ word;
	e->way[way & 1].word = word;
}

/*
 * Compares a frame with the same one of the stack that was filed under the same addresses, filed.
 * After its second tick, what is not loose is not read at each.
 */
static __always_inline void identify_compare(struct identify_state *q, struct plop_frame *filed,
					     const struct plop_frame *f, bool innermost)
{
	__u32 before = filed->fingerprint, now = f->fingerprint;

	if ((before ^ now) & PLOP_FINGERPRINT_BITS) {
		if (before & PLOP_FINGERPRINT_UNREAD)
			q->changed = 1;
		else
			q->differs = 1;
	} else if (now & PLOP_FINGERPRINT_LOOSE) {
		if (before & PLOP_FINGERPRINT_UNREAD)
			q->changed = 1;
	} else if (now & PLOP_FINGERPRINT_UNREAD || (now && !innermost)) {
		filed->fingerprint = before | PLOP_FINGERPRINT_UNREAD;
	}
}

/* Frame i of a stack: see code_identify(). */
static __always_inline long identify_frame(__u32 i, struct walk *w, bool tasks, bool calls)
{
	struct scratch *s = w->s;
	struct identify_state *q = &s->identify;
	__u32 n = s->walk.base + i, filed = q->filed - 1 + i;
	struct plop_frame *f;

	if (n >= PLOP_HALF_FRAMES)
		return 1;
	f = &w->half->frames[n];
	if (tasks && plop_frame_kind(f->code) != PLOP_FRAME_PYTHON) {
		/* it is what it is */
		f->fingerprint = PLOP_FINGERPRINT_UNREAD;
		return 0;
	}
	code_identify(w, f, i < PLOP_READ_INNERMOST, calls);
	q->fingerprints = plop_mix(q->fingerprints + (f->fingerprint & PLOP_FINGERPRINT_BITS));
	if (q->filed) {
		if (filed >= PLOP_HALF_FRAMES)
			return 1;
		identify_compare(q, &w->half->frames[filed], f, i < PLOP_READ_INNERMOST);
		f = &w->half->frames[filed];
	}
	if (!(f->fingerprint & PLOP_FINGERPRINT_UNREAD) && i >= PLOP_READ_INNERMOST &&
	    i < q->read_from)
		q->read_from = i;
	return 0;
}

static long identify_step(__u32 i, struct walk *w)
{
	return identify_frame(i, w, false, true);
}

/* The same of a stack with frames of other kinds. */
static long identify_tasks_step(__u32 i, struct walk *w)
{
	return identify_frame(i, w, true, true);
}

/*
 * Reads what is to be read of the stack that was filed: the innermost frames, and from its frame
 * q->read_from on; and has q->next_from say the same for the next tick. That it was read at the
 * first tick alone is no reason to read it after the second.
 */
static long compare_step(__u32 i, struct walk *w)
{
	struct identify_state *q = &w->s->identify;
	__u32 at = i < PLOP_READ_INNERMOST ? i : q->read_from + i - PLOP_READ_INNERMOST;
	__u32 n = q->filed - 1 + at;
	struct plop_frame *f;

	if (at >= w->s->walk.depth || n >= PLOP_HALF_FRAMES)
		return 1;
	f = &w->half->frames[n];
	if (f->fingerprint & PLOP_FINGERPRINT_UNREAD)
		return 0;
	if (fingerprint_now(w->s, w->l, f->code) != (f->fingerprint & PLOP_FINGERPRINT_BITS)) {
		q->differs = 1;
		return 1;
	}
	if (i < PLOP_READ_INNERMOST)
		return 0;
	if (f->fingerprint && !(f->fingerprint & PLOP_FINGERPRINT_LOOSE))
		f->fingerprint |= PLOP_FINGERPRINT_UNREAD;
	else if (at < q->next_from)
		q->next_from = at;
	return 0;
}

/*
 * walk_step() and identify_step() for the loops without bpf_loop(): functions of their own for the
 * verifier, which would follow each of the loop's iterations through all of them.
 */
__weak __noinline int walk_bounded(__u32 i)
{
	__u32 n = bpf_get_smp_processor_id(), layout;
	struct plop_cpu *cpu = bpf_map_lookup_elem(&cpus, &n);
	struct walk w = { .s = bpf_map_lookup_elem(&scratch, &n) };

	if (!cpu || !w.s)
		return 1;
	layout = w.s->identify.layout;
	w.l = bpf_map_lookup_elem(&layouts, &layout);
	w.half = &cpu->half[w.s->identify.half & 1];
	return w.l ? walk_frames(i, &w, NULL, false) : 1;
}

__weak __noinline int identify_bounded(__u32 i)
{
	__u32 n = bpf_get_smp_processor_id(), layout;
	struct plop_cpu *cpu = bpf_map_lookup_elem(&cpus, &n);
	struct walk w = { .s = bpf_map_lookup_elem(&scratch, &n) };

	if (!cpu || !w.s)
		return 1;
	layout = w.s->identify.layout;
	w.l = bpf_map_lookup_elem(&layouts, &layout);
	w.half = &cpu->half[w.s->identify.half & 1];
	return w.l ? identify_frame(i, &w, false, false) : 1;
}
