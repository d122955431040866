/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once

/*
 * Which code object it is that lies at an address: its fingerprint, read at the tick until it has
 * settled, and its identity, sent up when it is new. An address alone says nothing: code objects
 * are freed, and others made in their place.
 */
#include "pystack.bpf.h"

/*
 * Sends the identity of a code object: the pieces of it that fit, as they lie in memory. Returns 0
 * when it is on its way; the caller then marks it as seen.
 */
static __always_inline long code_send(struct walk *w, __u32 tgid, __u64 image, __u32 layout,
				      __u64 code, __u32 fingerprint)
{
	const struct plop_layout *l = w->l;
	struct plop_record_code *r = (void *)w->s->record;
	__u64 file = 0, name = 0, lines = 0, n;
	__u32 size = sizeof(*r), ascii;

	r->head.type = PLOP_RECORD_CODE;
	r->head.tgid = tgid;
	r->head.image = image;
	r->code = code;
	r->fingerprint = fingerprint;
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
		if (bpf_probe_read_user(w->s->record + size, n,                                   \
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
		if (bpf_probe_read_user(w->s->record + size, n, (void *)(lines + l->bytes_data))) {
			r->faults |= PLOP_FAULT_LINETABLE;
		} else {
			r->linetable_bytes = n;
			size += n;
		}
	}
	if (size > RECORD_SIZE || !records_room())
		return -1;
	return bpf_ringbuf_output(&records, r, size, BPF_RB_NO_WAKEUP);
}

#define WORD_FINGERPRINT(word) ((__u32)(word)&0x7fffffff)
#define WORD_READS(word)       ((__u32)((word) >> 31) & 127)
#define WORD_FIRST(word)       ((__u32)((word) >> 38) & PLOP_SECONDS_MASK)
#define WORD_LAST(word)        ((__u32)((word) >> 51) & PLOP_SECONDS_MASK)
#define WORD_LAST_SHIFT        51
#define WORD(fingerprint, reads, first, last)                                                     \
	((__u64)(fingerprint) | (__u64)(reads) << 31 | (__u64)((first)&PLOP_SECONDS_MASK) << 38 | \
	 (__u64)((last)&PLOP_SECONDS_MASK) << WORD_LAST_SHIFT)

/*
 * Adds a text to a fingerprint. A text that is not readable at all adds nothing, in user space
 * neither.
 */
static __always_inline __u64 check_text(struct walk *w, __u64 h, __u64 object, __u32 bytes)
{
	const struct plop_layout *l = w->l;
	__u64 *head = w->s->fingerprint, *tail = w->s->tail;
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
static __always_inline __u32 fingerprint_read(struct walk *w, __u64 code)
{
	const struct plop_layout *l = w->l;
	__u32 length = l->code_fingerprint_len, at = l->code_fingerprint;
	__u64 *bytes = w->s->fingerprint, name, file, lines, h;

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
		h = check_text(w, h, name, 0);
		h = check_text(w, h, file, 0);
		h = check_text(w, h, lines, 1);
	}
	return plop_fingerprint_end(h);
}

/*
 * Gives frame i of a stack its fingerprint. Read each time until the code object has settled: at an
 * address whose code object was freed another may lie at the next tick. Sends the object's identity
 * up where it is new.
 */
static long identify_step(__u32 i, struct walk *w)
{
	struct scratch *s = w->s;
	struct identify_state *q = &s->identify;
	struct plop_frame *f;
	struct plop_seen_set *e;
	__u32 n = s->walk.base + i, fingerprint, slot, way, now = q->now & PLOP_SECONDS_MASK,
	      reads = 0;
	__u64 key, word;

	if (n >= PLOP_HALF_FRAMES)
		return 1;
	f = &w->half->frames[n];
	key = PLOP_SEEN_KEY(q->image, f->code);
	slot = PLOP_SEEN_SET(key);
	e = bpf_map_lookup_elem(&seen, &slot);
	if (!e)
		return 1;
	way = (e->way[1].key ^ e->way[1].word) == key;
	word = e->way[way].word;
	if ((e->way[way].key ^ word) != key)
		word = 0;
	reads = WORD_READS(word);
	if (reads >= PLOP_SETTLED_READS &&
	    ((now - WORD_FIRST(word)) & PLOP_SECONDS_MASK) >= PLOP_SETTLED_SECONDS &&
	    ((now - WORD_LAST(word)) & PLOP_SECONDS_MASK) <= PLOP_SETTLED_SECONDS) {
		f->fingerprint = WORD_FINGERPRINT(word) | PLOP_FINGERPRINT_SETTLED;
		q->fingerprints = plop_mix(q->fingerprints + f->fingerprint);
		q->settled++;
		if (WORD_LAST(word) == now)
			return 0;
		word = (word & ((1ULL << WORD_LAST_SHIFT) - 1)) | (__u64)now << WORD_LAST_SHIFT;
	} else {
		fingerprint = fingerprint_read(w, f->code);
		f->fingerprint = fingerprint;
		q->fingerprints = plop_mix(q->fingerprints + fingerprint);
		if (!fingerprint)
			return 0; /* not resident: user space may have better luck */
		if (word && WORD_FINGERPRINT(word) == fingerprint) {
			word = WORD(fingerprint, reads < 127 ? reads + 1 : reads, WORD_FIRST(word),
				    now);
		} else {
			if (code_send(w, q->tgid, q->image, q->layout, f->code, fingerprint)) {
				q->dropped++;
				return 0;
			}
			q->sent++;
			/* a new one takes the place of the one that was met longer ago */
			if (!word)
				way = ((now - WORD_LAST(e->way[1].word)) & PLOP_SECONDS_MASK) >
				      ((now - WORD_LAST(e->way[0].word)) & PLOP_SECONDS_MASK);
			word = WORD(fingerprint, 1, now, now);
		}
	}
	e->way[way & 1].key = key ^ word;
	e->way[way & 1].word = word;
	return 0;
}

/*
 * The same of a stack with frames of other kinds, which are what they are: as if they had settled.
 */
static long identify_tasks_step(__u32 i, struct walk *w)
{
	__u32 n = w->s->walk.base + i;

	if (n >= PLOP_HALF_FRAMES)
		return 1;
	if (plop_frame_kind(w->half->frames[n].code) == PLOP_FRAME_PYTHON)
		return identify_step(i, w);
	w->half->frames[n].fingerprint = 0;
	w->s->identify.settled++;
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
	return w.l ? walk_step(i, &w) : 1;
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
	return w.l ? identify_step(i, &w) : 1;
}
