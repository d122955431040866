/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/debug_offsets.h"

/*
 * Where a version's _Py_DebugOffsets keeps which offset: byte positions of uint64_t fields in the table.
 * From CPython's internal/pycore_runtime.h (3.13) and internal/pycore_debug_offsets.h (3.14, 3.15). The table
 * has no size field of its own: the sizes of structs that it holds, which do not vary within a version, tell a
 * table of another shape (exact[]).
 */
struct debug_offsets {
	uint16_t version;
	uint16_t size;
	uint16_t runtime_size, finalizing, interpreters_head;
	uint16_t interp_size, interp_next, threads_head, gil, code_generation;
	uint16_t ts_size, ts_next, current_frame, thread_id, native_id, chunk, status;
	uint16_t frame_previous, frame_executable, frame_instr, frame_owner;
	uint16_t code_filename, code_name, code_qualname, code_linetable, code_firstlineno,
		code_argcount, code_adaptive;
	uint16_t bytes_size, bytes_sval;
	uint16_t str_state, str_length, str_ascii_size;
	uint16_t code_tlbc; /* its value is 0 unless free-threaded */
	struct {
		uint16_t at;
		uint16_t value[2]; /* as usual, and free-threaded */
	} exact[4]; /* sizeof _PyInterpreterFrame, PyCodeObject, PyBytesObject, PyUnicodeObject */
	/* What the table does not give. */
	uint16_t code_flags; /* free-threaded: behind an object head that has 16 bytes more */
	uint16_t owner_skip; /* FRAME_OWNED_BY_CSTACK in 3.13, FRAME_OWNED_BY_INTERPRETER after */
	uint16_t tag_mask;   /* f_executable is a _PyStackRef from 3.14 on */
	uint16_t kind_shift; /* free-threaded: from 3.14 on, interned is a byte of its own in a str's state */
};

/* sizeof struct _gil_runtime_state, internal/pycore_gil.h, with FORCE_SWITCHING; the same from 3.8 on. */
#define GIL_SIZE 208

static const struct debug_offsets tables[] = {
	{
		.version = 0x030d,
		.size = 584,
		.runtime_size = 24,
		.finalizing = 32,
		.interpreters_head = 40,
		.interp_size = 48,
		.interp_next = 64,
		.threads_head = 72,
		.gil = 112,
		.ts_size = 152,
		.ts_next = 168,
		.current_frame = 184,
		.thread_id = 192,
		.native_id = 200,
		.chunk = 208,
		.status = 216,
		.frame_previous = 232,
		.frame_executable = 240,
		.frame_instr = 248,
		.frame_owner = 264,
		.code_filename = 280,
		.code_name = 288,
		.code_qualname = 296,
		.code_linetable = 304,
		.code_firstlineno = 312,
		.code_argcount = 320,
		.code_adaptive = 344,
		.bytes_size = 520,
		.bytes_sval = 528,
		.str_state = 544,
		.str_length = 552,
		.str_ascii_size = 560,
		.exact = { { 224, { 80, 80 } },
			   { 272, { 208, 224 } },
			   { 512, { 40, 56 } },
			   { 536, { 64, 80 } } },
		.kind_shift = 2,
		.code_flags = 48,
		.owner_skip = 3,
		.tag_mask = 0,
	},
	{
		.version = 0x030e,
		.size = 760,
		.runtime_size = 24,
		.finalizing = 32,
		.interpreters_head = 40,
		.interp_size = 48,
		.interp_next = 64,
		.threads_head = 72,
		.gil = 120,
		.code_generation = 160,
		.ts_size = 176,
		.ts_next = 192,
		.current_frame = 208,
		.thread_id = 216,
		.native_id = 224,
		.chunk = 232,
		.status = 240,
		.frame_previous = 256,
		.frame_executable = 264,
		.frame_instr = 272,
		.frame_owner = 288,
		.code_filename = 320,
		.code_name = 328,
		.code_qualname = 336,
		.code_linetable = 344,
		.code_firstlineno = 352,
		.code_argcount = 360,
		.code_adaptive = 384,
		.bytes_size = 600,
		.bytes_sval = 608,
		.str_state = 624,
		.str_length = 632,
		.str_ascii_size = 640,
		.code_tlbc = 392,
		.exact = { { 248, { 88, 88 } },
			   { 312, { 216, 240 } },
			   { 592, { 40, 56 } },
			   { 616, { 64, 80 } } },
		.kind_shift = 8,
		.code_flags = 48,
		.owner_skip = 3,
		.tag_mask = 3,
	},
	{
		.version = 0x030f,
		.size = 888,
		.runtime_size = 24,
		.finalizing = 32,
		.interpreters_head = 40,
		.interp_size = 48,
		.interp_next = 64,
		.threads_head = 72,
		.gil = 120,
		.code_generation = 160,
		.ts_size = 176,
		.ts_next = 192,
		.current_frame = 208,
		.thread_id = 240,
		.native_id = 248,
		.chunk = 256,
		.status = 264,
		.frame_previous = 320,
		.frame_executable = 328,
		.frame_instr = 336,
		.frame_owner = 352,
		.code_filename = 384,
		.code_name = 392,
		.code_qualname = 400,
		.code_linetable = 408,
		.code_firstlineno = 416,
		.code_argcount = 424,
		.code_adaptive = 448,
		.bytes_size = 696,
		.bytes_sval = 704,
		.str_state = 720,
		.str_length = 728,
		.str_ascii_size = 736,
		.code_tlbc = 456,
		.exact = { { 312, { 88, 88 } },
			   { 376, { 216, 240 } },
			   { 688, { 40, 56 } },
			   { 712, { 64, 80 } } },
		.kind_shift = 8,
		.code_flags = 48,
		.owner_skip = 3,
		.tag_mask = 3,
	},
};

static const struct debug_offsets *find_table(uint32_t hexversion)
{
	uint8_t level = hexversion >> 4 & 0xf;

	/* The table changes with every alpha and beta; from the first release candidate on it stays. */
	if (level == 0xa || level == 0xb)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		if (tables[i].version == hexversion >> 16)
			return &tables[i];
	}
	return NULL;
}

size_t debug_offsets_size(uint32_t hexversion)
{
	const struct debug_offsets *t = find_table(hexversion);

	return t ? t->size : 0;
}

/* One table being read; bad is set by any value that cannot be. */
struct cursor {
	const uint8_t *table;
	bool bad;
};

static uint64_t value(struct cursor *c, uint16_t at, uint64_t most)
{
	uint64_t v;

	memcpy(&v, c->table + at, sizeof(v));
	if (v > most) {
		c->bad = true;
		return 0;
	}
	return v;
}

/* The offset of a field of width bytes, which must lie in its struct of size bytes. */
static uint64_t field(struct cursor *c, uint16_t at, unsigned int width, uint64_t size)
{
	uint64_t v = value(c, at, size);

	if (v > size || size - v < width)
		c->bad = true;
	return v;
}

/* Where the last of fields of 8 bytes ends. */
static uint16_t end_of(const uint16_t *offsets, size_t n)
{
	uint16_t last = 0;

	for (size_t i = 0; i < n; i++)
		last = MAX(last, offsets[i]);
	return (uint16_t)(last + 8);
}

static void read_states(struct cursor *c, const struct debug_offsets *t, struct plop_layout *l)
{
	uint64_t runtime = value(c, t->runtime_size, 1u << 24);
	uint64_t interp = value(c, t->interp_size, 1u << 24);
	uint64_t ts = value(c, t->ts_size, 1u << 14);

	l->runtime_interpreters_head = (uint32_t)field(c, t->interpreters_head, 8, runtime);
	l->runtime_finalizing = (uint32_t)field(c, t->finalizing, 8, runtime);
	l->interp_next = (uint32_t)field(c, t->interp_next, 8, interp);
	l->interp_threads_head = (uint32_t)field(c, t->threads_head, 8, interp);
	if (t->code_generation)
		l->interp_code_generation = (uint32_t)field(c, t->code_generation, 8, interp);
	if (!l->free_threaded) {
		l->gil_where = PLOP_GIL_POINTER;
		l->gil_at = (uint32_t)field(c, t->gil, 8, interp);
		l->gil_size = GIL_SIZE;
	}
	l->ts_next = (uint16_t)field(c, t->ts_next, 8, ts);
	l->ts_thread_id = (uint16_t)field(c, t->thread_id, 8, ts);
	l->ts_native_id = (uint16_t)field(c, t->native_id, 8, ts);
	l->ts_frame = (uint16_t)field(c, t->current_frame, 8, ts);
	l->ts_chunk = (uint16_t)field(c, t->chunk, 16, ts);
	l->ts_status = (uint16_t)field(c, t->status, 4, ts);
	l->ts_len = end_of((const uint16_t[]){ l->ts_next, l->ts_thread_id, l->ts_native_id,
					       l->ts_frame, l->ts_status & (uint16_t)~7u,
					       (uint16_t)(l->ts_chunk + 8) },
			   6);
}

static void read_frame(struct cursor *c, const struct debug_offsets *t, struct plop_layout *l)
{
	uint64_t size = t->exact[0].value[l->free_threaded];

	l->frame_previous = (uint16_t)field(c, t->frame_previous, 8, size);
	l->frame_code = (uint16_t)field(c, t->frame_executable, 8, size);
	l->frame_instr = (uint16_t)field(c, t->frame_instr, 8, size);
	l->frame_owner = (uint16_t)field(c, t->frame_owner, 1, size);
	l->frame_owner_skip = t->owner_skip;
	l->frame_tag_mask = t->tag_mask;
	l->frame_len = end_of((const uint16_t[]){ l->frame_previous, l->frame_code, l->frame_instr,
						  l->frame_owner & ~7u },
			      4);
}

static void read_code(struct cursor *c, const struct debug_offsets *t, struct plop_layout *l)
{
	uint64_t size = t->exact[1].value[l->free_threaded];

	l->code_filename = (uint16_t)field(c, t->code_filename, 8, size);
	l->code_name = (uint16_t)field(c, t->code_name, 8, size);
	l->code_qualname = (uint16_t)field(c, t->code_qualname, 8, size);
	l->code_linetable = (uint16_t)field(c, t->code_linetable, 8, size);
	l->code_firstlineno = (uint16_t)field(c, t->code_firstlineno, 4, size);
	l->code_argcount = (uint16_t)field(c, t->code_argcount, 4, size);
	l->code_bytecode = (uint16_t)field(c, t->code_adaptive, 2, size);
	l->code_flags = (uint16_t)(t->code_flags + (l->free_threaded ? 16 : 0));
	if (l->free_threaded && t->code_tlbc)
		l->code_tlbc = (uint16_t)field(c, t->code_tlbc, 8, size);
	/* co_flags is the first of what never changes, co_linetable the last; were it not, the constant would lie. */
	if (l->code_argcount != l->code_flags + 4 || l->code_linetable < l->code_argcount ||
	    l->code_filename < l->code_argcount || l->code_name < l->code_argcount ||
	    l->code_linetable < l->code_qualname)
		c->bad = true;
	l->code_check = l->code_flags;
	l->code_check_len = (uint16_t)(l->code_linetable + 8 - l->code_flags);
	l->code_len = (uint16_t)(l->code_linetable + 8);
}

static void read_strings(struct cursor *c, const struct debug_offsets *t, struct plop_layout *l)
{
	uint64_t bytes = t->exact[2].value[l->free_threaded];
	uint64_t unicode = t->exact[3].value[l->free_threaded];

	l->str_length = (uint16_t)field(c, t->str_length, 8, unicode);
	l->str_state = (uint16_t)field(c, t->str_state, 4, unicode);
	/* PyCompactUnicodeObject adds utf8_length and utf8 to PyASCIIObject. */
	l->str_ascii_data = (uint16_t)field(c, t->str_ascii_size, 16, unicode);
	l->str_compact_data = l->str_ascii_data + 16;
	/* struct _PyUnicodeObject_state: interned takes the two lowest bits. */
	l->str_kind_shift = l->free_threaded ? (uint8_t)t->kind_shift : 2;
	l->bytes_size = (uint16_t)field(c, t->bytes_size, 8, bytes);
	l->bytes_data = (uint16_t)field(c, t->bytes_sval, 1, bytes);
}

int layout_by_debug_offsets(const void *table, size_t size, uint32_t hexversion,
			    struct plop_layout *ret)
{
	const struct debug_offsets *t = find_table(hexversion);
	struct debug_offsets_head head;
	struct plop_layout l = {};
	struct cursor c = { .table = table };
	int r;

	if (!t || size < t->size)
		return -EOPNOTSUPP;
	memcpy(&head, table, sizeof(head));
	if (memcmp(head.cookie, DEBUG_OFFSETS_COOKIE, sizeof(head.cookie)) != 0 ||
	    head.hexversion >> 16 != t->version)
		return -EBADMSG;
	if (head.free_threaded > 1)
		return -EBADMSG;
	l.free_threaded = (uint8_t)head.free_threaded;
	for (size_t i = 0; i < ARRAY_SIZE(t->exact); i++) {
		if (value(&c, t->exact[i].at, UINT64_MAX) != t->exact[i].value[l.free_threaded])
			return -EBADMSG;
	}
	l.version = t->version;
	l.frame_kind = PLOP_FRAMES_CURRENT;
	read_states(&c, t, &l);
	read_frame(&c, t, &l);
	read_code(&c, t, &l);
	read_strings(&c, t, &l);
	if (c.bad)
		return -EBADMSG;
	r = layout_check(&l);
	if (r < 0)
		return r;
	*ret = l;
	return 0;
}
