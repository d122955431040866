/* SPDX-License-Identifier: BSD-2-Clause */
#include "made.h"

#include <assert.h>

#include "python/python.h"
#include "util/macro.h"

/* PyFrameObject: at least this far from one to the next. */
#define OBJECT_STEP 0x200u
/* What a frame's local variables and stack take in the data stack. */
#define LOCALS 40u

/*
 * What layout_by_debug_offsets() makes of the tables of CPython 3.13.5, 3.14.10 and 3.15.2, with
 * and without the GIL. What they have in common is in newer_make().
 */
static const struct newer {
	const char *name;
	uint16_t version;
	uint8_t free_threaded, kind_shift;
	uint16_t interpreters_head, finalizing, interp_next, threads_head, generation;
	uint16_t thread_id, chunk;
	uint16_t frame_owner, frame_len, tag_mask;
	uint16_t bytecode, tlbc;
} newer[] = {
	{ "3.13", 0x030d, 0, 2, 632, 608, 7264, 7344, 0, 152, 232, 70, 72, 0, 200, 0 },
	{ "3.13t", 0x030d, 1, 2, 632, 608, 7264, 7344, 0, 152, 232, 70, 72, 0, 216, 0 },
	{ "3.14", 0x030e, 0, 2, 808, 784, 7272, 7344, 7992, 152, 232, 74, 80, 3, 208, 0 },
	{ "3.14t", 0x030e, 1, 8, 808, 784, 7272, 7344, 8024, 152, 232, 78, 80, 3, 232, 224 },
	{ "3.15", 0x030f, 0, 2, 936, 912, 7264, 7336, 7944, 176, 256, 74, 80, 3, 208, 0 },
	{ "3.15t", 0x030f, 1, 8, 936, 912, 7264, 7336, 7952, 176, 256, 78, 80, 3, 232, 224 },
};

static void newer_make(const struct newer *n, struct plop_layout *ret)
{
	const uint16_t more = n->free_threaded ? 16 : 0;

	*ret = (struct plop_layout){
		.version = n->version,
		.frame_link = PLOP_LINK_CURRENT,
		.free_threaded = n->free_threaded,
		.runtime_interpreters_head = n->interpreters_head,
		.runtime_finalizing = n->finalizing,
		.interp_next = n->interp_next,
		.interp_threads_head = n->threads_head,
		.interp_code_generation = n->generation,
		.ts_next = 8,
		.ts_thread_id = n->thread_id,
		.ts_native_id = (uint16_t)(n->thread_id + 8),
		.ts_frame = 72,
		.ts_chunk = n->chunk,
		.ts_status = 32,
		.ts_len = (uint16_t)(n->chunk + 16),
		.frame_previous = 8,
		.frame_instr = 56,
		.frame_owner = n->frame_owner,
		.frame_owner_skip = 3,
		.frame_len = n->frame_len,
		.frame_tag_mask = n->tag_mask,
		.code_argcount = 52 + more,
		.code_flags = 48 + more,
		.code_firstlineno = 68 + more,
		.code_filename = 112 + more,
		.code_name = 120 + more,
		.code_qualname = 128 + more,
		.code_linetable = 136 + more,
		.code_bytecode = n->bytecode,
		.code_tlbc = n->tlbc,
		.code_fingerprint = 48 + more,
		.code_fingerprint_len = 96,
		.code_len = 144 + more,
		.str_length = 16 + more,
		.str_state = 32 + more,
		.str_ascii_data = 40 + more,
		.str_compact_data = 56 + more,
		.str_kind_shift = n->kind_shift,
		.bytes_size = 16 + more,
		.bytes_data = 32 + more,
		.gil_where = n->free_threaded ? PLOP_GIL_UNKNOWN : PLOP_GIL_POINTER,
		.gil_at = n->free_threaded ? 0 : 16,
		.gil_size = n->free_threaded ? 0 : 208,
	};
}

const char *made_layout(size_t i, struct plop_layout *ret)
{
	static const struct {
		const char *name;
		uint32_t hexversion;
	} older[] = { { "2.7", 0x020712f0 },  { "3.6", 0x03060ff0 }, { "3.7", 0x030710f0 },
		      { "3.8", 0x030800f0 },  { "3.9", 0x030900f0 }, { "3.10", 0x030a00f0 },
		      { "3.11", 0x030b00f0 }, { "3.12", 0x030c00f0 } };

	if (i < ARRAY_SIZE(older)) {
		int r = layout_by_version(older[i].hexversion, ret);

		assert(r == 0);
		return r == 0 ? older[i].name : NULL;
	}
	i -= ARRAY_SIZE(older);
	if (i >= ARRAY_SIZE(newer))
		return NULL;
	newer_make(&newer[i], ret);
	return newer[i].name;
}

/* Where it is in m->memory. */
static size_t place(uint64_t address, size_t size)
{
	assert(address >= MADE_BASE && size <= MADE_SIZE &&
	       address - MADE_BASE <= MADE_SIZE - size);
	return address - MADE_BASE;
}

void made_put(struct made *m, uint64_t address, uint64_t v, size_t size)
{
	memcpy(m->memory + place(address, size), &v, size);
}

uint64_t made_get(const struct made *m, uint64_t address, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, m->memory + place(address, size), size);
	return v;
}

static int made_read(void *ctx, uint64_t address, void *to, size_t size)
{
	struct made *m = ctx;

	m->reads++;
	if (m->change)
		m->change(m);
	if (address < MADE_BASE || size > MADE_SIZE || address - MADE_BASE > MADE_SIZE - size)
		return -EFAULT;
	if (address < m->hole_end && address + size > m->hole)
		return -EFAULT;
	memcpy(to, m->memory + (address - MADE_BASE), size);
	return 0;
}

static void put_text(struct made *m, uint64_t at, const char *s)
{
	const struct plop_layout *l = &m->l;
	uint64_t state = l->str_state_set ? 1 :
					    1u << l->str_kind_shift | 3u << (l->str_kind_shift + 3);

	made_put(m, at + (l->free_threaded ? 24 : 8), 0x5555, 8);
	made_put(m, at + l->str_length, strlen(s), 8);
	made_put(m, at + l->str_state, state, 4);
	memcpy(m->memory + place(at + l->str_ascii_data, strlen(s)), s, strlen(s));
}

/* A function on line 30 + n, all of which is on that line. */
static void put_code(struct made *m, unsigned int n)
{
	const struct plop_layout *l = &m->l;
	const uint64_t at = MADE_CODE(n), name = at + 0x140, file = at + 0x1c0, table = at + 0x280;
	char text[16];

	snprintf(text, sizeof(text), "f%u", n);
	made_put(m, at + (l->free_threaded ? 24 : 8), 0x4444, 8);
	made_put(m, at + l->code_argcount, 2, 4);
	made_put(m, at + l->code_flags, 3, 4); /* CO_OPTIMIZED, CO_NEWLOCALS: a function */
	made_put(m, at + l->code_firstlineno, 30 + n, 4);
	made_put(m, at + l->code_filename, file, 8);
	made_put(m, at + l->code_name, name, 8);
	if (l->code_qualname)
		made_put(m, at + l->code_qualname, name, 8);
	made_put(m, at + l->code_linetable, table, 8);
	put_text(m, name, text);
	put_text(m, file, "/srv/shop/app.py");
	made_put(m, table + l->bytes_size, 2, 8);
	/*
	 * 3.11: one entry of eight units, "line + 0"; before: none, so the first line is that of
	 * all
	 */
	made_put(m, table + l->bytes_data, l->version >= 0x030b ? 0x00ef : 0x00ff, 2);
}

void made_new(struct made *m, const struct plop_layout *l)
{
	memset(m, 0, sizeof(*m));
	m->l = *l;
	m->r = (struct reader){ .read = made_read, .ctx = m };
	for (unsigned int i = 0; i < MADE_CODES; i++)
		put_code(m, i);
	made_interp(m, 0);
}

void made_interp(struct made *m, unsigned int n)
{
	uint64_t head = MADE_RUNTIME + m->l.runtime_interpreters_head;

	made_put(m, MADE_INTERP(n) + m->l.interp_next, made_get(m, head, 8), 8);
	made_put(m, head, MADE_INTERP(n), 8);
}

void made_state(struct made *m, unsigned int n, unsigned int interp, unsigned int thread)
{
	const struct plop_layout *l = &m->l;
	uint64_t head = MADE_INTERP(interp) + l->interp_threads_head, next = made_get(m, head, 8);

	/* prev, next, interp; 2.7's have no prev */
	made_put(m, MADE_STATE(n) + l->ts_next, next, 8);
	made_put(m, MADE_STATE(n) + l->ts_next + 8, MADE_INTERP(interp), 8);
	if (next && l->ts_next >= 8)
		made_put(m, next + l->ts_next - 8, MADE_STATE(n), 8);
	made_put(m, head, MADE_STATE(n), 8);
	made_put(m, MADE_STATE(n) + l->ts_thread_id, MADE_THREAD(thread), 8);
	if (l->ts_native_id)
		made_put(m, MADE_STATE(n) + l->ts_native_id, 100 + thread, 8);
	made_status(m, n, true, false);
	made_current(m, n, 0);
}

void made_current(struct made *m, unsigned int state, uint64_t frame)
{
	uint64_t at = MADE_STATE(state) + m->l.ts_frame;

	if (m->l.frame_link == PLOP_LINK_CFRAME) {
		made_put(m, at, MADE_CFRAME(state), 8);
		at = MADE_CFRAME(state) + m->l.cframe_current;
	}
	made_put(m, at, frame, 8);
}

void made_status(struct made *m, unsigned int state, bool bound, bool active)
{
	if (m->l.ts_status)
		made_put(m, MADE_STATE(state) + m->l.ts_status,
			 (bound ? PLOP_TS_BOUND : 0) | (active ? PLOP_TS_ACTIVE : 0), 4);
}

void made_gil(struct made *m, int state)
{
	if (m->l.runtime_current)
		made_put(m, MADE_RUNTIME + m->l.runtime_current,
			 state < 0 ? 0 : MADE_STATE((unsigned int)state), 8);
	else if (state >= 0)
		made_status(m, (unsigned int)state, true, true);
}

void made_frame(struct made *m, uint64_t at, unsigned int code, uint64_t previous)
{
	const struct plop_layout *l = &m->l;

	made_put(m, at + l->frame_previous, previous, 8);
	/* the lowest bit says that the reference is not counted */
	made_put(m, at + l->frame_code, MADE_CODE(code) | (l->frame_tag_mask & 1), 8);
	if (l->frame_link == PLOP_LINK_OBJECT) {
		made_put(m, at, 1, 8); /* ob_refcnt */
		made_put(m, at + l->frame_instr, 4u / l->frame_lasti_unit, 4);
	} else {
		made_put(m, at + l->frame_instr, MADE_CODE(code) + l->code_bytecode + 4, 8);
	}
	if (l->frame_owner)
		made_put(m, at + l->frame_owner, 0, 1);
}

unsigned int made_code_of(unsigned int i)
{
	return i % MADE_CODES;
}

uint32_t made_instr_of(const struct made *m)
{
	return m->l.frame_link == PLOP_LINK_OBJECT ? 4 : m->l.code_bytecode + 4u;
}

static uint64_t chunk_take(struct made *m, uint64_t previous)
{
	uint64_t at = MADE_CHUNK(m->next_chunk);

	assert(m->next_chunk < MADE_CHUNKS);
	m->next_chunk++;
	/* struct _stack_chunk { previous, size, top, data } (cpython/pystate.h, 3.11 to 3.15) */
	made_put(m, at, previous, 8);
	made_put(m, at + 8, MADE_CHUNK_SIZE, 8);
	return at;
}

uint64_t made_stack(struct made *m, unsigned int state, unsigned int depth)
{
	const struct plop_layout *l = &m->l;
	bool side_by_side = l->ts_chunk != 0;
	uint64_t chunk = chunk_take(m, 0), at = chunk + 24, previous = 0;
	uint64_t step = side_by_side ? (l->frame_len + LOCALS + 7u) & ~7u : OBJECT_STEP / 2;

	/* entry_frame of Python/ceval.c, from 3.12 on */
	if (l->frame_owner && l->frame_owner_skip < 0xff) {
		assert(m->next_entry < MADE_ENTRIES);
		previous = MADE_ENTRY(m->next_entry++);
		made_frame(m, previous, 0, 0);
		made_put(m, previous + l->frame_owner, l->frame_owner_skip, 1);
	}
	for (unsigned int i = 0; i < depth; i++) {
		if (at + step > chunk + MADE_CHUNK_SIZE) {
			if (side_by_side)
				made_put(m, chunk + 16, (at - chunk - 24) / 8, 8);
			chunk = chunk_take(m, side_by_side ? chunk : 0);
			at = chunk + 24;
		}
		made_frame(m, at, made_code_of(i), previous);
		previous = at;
		at += step;
	}
	if (side_by_side) {
		made_put(m, MADE_STATE(state) + l->ts_chunk, chunk, 8);
		made_put(m, MADE_STATE(state) + l->ts_chunk + 8, at, 8);
	}
	if (depth == 0)
		previous = 0;
	made_current(m, state, previous);
	return previous;
}
