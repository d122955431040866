/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/version.h"

/*
 * sizeof struct _gil_runtime_state, internal/pycore_gil.h, with FORCE_SWITCHING; the same from 3.8
 * on.
 */
#define GIL_SIZE 208

static const struct debug_offsets *find_table(uint32_t hexversion)
{
	const struct python_version *v = python_version_by_hex(hexversion);

	return v && v->offsets.size > 0 ? &v->offsets : NULL;
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
					       (uint16_t)PLOP_TS_CHUNK_END(l) },
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
	/*
	 * co_flags is the first of what never changes, co_linetable the last; were it not, the
	 * constant would lie.
	 */
	if (l->code_argcount != l->code_flags + 4 || l->code_linetable < l->code_argcount ||
	    l->code_filename < l->code_argcount || l->code_name < l->code_argcount ||
	    l->code_linetable < l->code_qualname)
		c->bad = true;
	l->code_fingerprint = l->code_flags;
	l->code_fingerprint_len = (uint16_t)(l->code_linetable + 8 - l->code_flags);
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
	    head.hexversion >> 16 != hexversion >> 16)
		return -EBADMSG;
	if (head.free_threaded > 1)
		return -EBADMSG;
	l.free_threaded = (uint8_t)head.free_threaded;
	for (size_t i = 0; i < ARRAY_SIZE(t->exact); i++) {
		if (value(&c, t->exact[i].at, UINT64_MAX) != t->exact[i].value[l.free_threaded])
			return -EBADMSG;
	}
	l.version = (uint16_t)(hexversion >> 16);
	l.frame_link = PLOP_LINK_CURRENT;
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
