/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/version.h"

int layout_by_version(uint32_t hexversion, struct plop_layout *ret)
{
	const struct python_version *v = python_version_by_hex(hexversion);

	if (!v || v->layout.frame_link == PLOP_LINK_NONE)
		return -EOPNOTSUPP;
	*ret = v->layout;
	ret->version = v->version;
	return 0;
}

/* A field of size bytes at offset ends inside length bytes. */
static bool inside(uint64_t offset, size_t size, uint64_t length)
{
	return offset <= length && size <= length - offset;
}

static bool thread_state_ok(const struct plop_layout *l)
{
	return l->ts_len <= PLOP_TS_MAX && inside(l->ts_next, 8, l->ts_len) &&
	       inside(l->ts_thread_id, 8, l->ts_len) && inside(l->ts_frame, 8, l->ts_len) &&
	       inside(l->ts_native_id, 8, l->ts_len) &&
	       inside(l->ts_chunk, l->ts_chunk ? 16 : 8, l->ts_len) && l->ts_next % 8 == 0 &&
	       l->ts_thread_id % 8 == 0 && l->ts_frame % 8 == 0 && l->ts_chunk % 8 == 0 &&
	       l->ts_next != l->ts_thread_id && l->ts_next != l->ts_frame &&
	       l->ts_thread_id != l->ts_frame && inside(l->ts_status, 4, l->ts_len) &&
	       l->ts_status % 4 == 0 && l->cframe_current <= PLOP_FRAME_MAX;
}

static bool frame_ok(const struct plop_layout *l)
{
	bool object = l->frame_link == PLOP_LINK_OBJECT;

	return l->frame_len <= PLOP_FRAME_MAX && inside(l->frame_previous, 8, l->frame_len) &&
	       inside(l->frame_code, 8, l->frame_len) &&
	       inside(l->frame_instr, object ? 4 : 8, l->frame_len) &&
	       inside(l->frame_owner, 1, l->frame_len) &&
	       inside(l->frame_tlbc_index, 4, l->frame_len) && l->frame_previous % 8 == 0 &&
	       l->frame_code % 8 == 0 && l->frame_instr % 4 == 0 &&
	       l->frame_previous != l->frame_code && l->frame_previous != l->frame_instr &&
	       l->frame_code != l->frame_instr &&
	       (l->frame_tag_mask == 0 || l->frame_tag_mask == 3) &&
	       (object ? l->frame_lasti_unit == 1 || l->frame_lasti_unit == 2 :
			 l->frame_lasti_unit == 0);
}

static bool code_ok(const struct plop_layout *l)
{
	/* Far more than any CPython's: PyCodeObject is at most 240 bytes without its bytecode. */
	return l->code_len <= 512 && l->code_len >= 32 &&
	       inside(l->code_fingerprint, l->code_fingerprint_len, l->code_len) &&
	       l->code_fingerprint_len > 0 && l->code_fingerprint_len <= PLOP_FINGERPRINT_MAX &&
	       l->code_fingerprint_len % 8 == 0 && l->code_fingerprint % 8 == 0 &&
	       inside(l->code_argcount, 4, l->code_len) && inside(l->code_flags, 4, l->code_len) &&
	       inside(l->code_firstlineno, 4, l->code_len) &&
	       inside(l->code_filename, 8, l->code_len) && inside(l->code_name, 8, l->code_len) &&
	       inside(l->code_qualname, 8, l->code_len) &&
	       inside(l->code_linetable, 8, l->code_len) && l->code_filename % 8 == 0 &&
	       l->code_name % 8 == 0 && l->code_qualname % 8 == 0 && l->code_linetable % 8 == 0 &&
	       l->code_filename != l->code_name && l->code_bytecode <= 1024;
}

/* The texts of a fingerprint are found by the pointers that are part of it. */
static bool check_ok(const struct plop_layout *l)
{
	for (unsigned int i = 0; i < PLOP_TEXTS && l->code_fingerprint_texts; i++) {
		uint32_t at = plop_text_pointer(l, (enum plop_text)i);

		if (at < l->code_fingerprint ||
		    !inside(at - l->code_fingerprint, 8, l->code_fingerprint_len))
			return false;
	}
	return l->code_fingerprint_texts <= 1;
}

static bool string_ok(const struct plop_layout *l)
{
	return inside(l->str_length, 8, l->str_ascii_data) &&
	       inside(l->str_state, 4, l->str_ascii_data) &&
	       l->str_ascii_data <= l->str_compact_data && l->str_compact_data <= 256 &&
	       l->str_kind_shift <= 8 && inside(l->bytes_size, 8, l->bytes_data) &&
	       l->bytes_data <= 256 && l->str_state >= l->str_length;
}

int layout_check(const struct plop_layout *l)
{
	/* _PyRuntimeState and PyInterpreterState are some 100 kB and 300 kB large. */
	const uint32_t most = 1u << 24;

	if (l->version < 0x0207 || l->frame_link < PLOP_LINK_OBJECT ||
	    l->frame_link > PLOP_LINK_CURRENT)
		return -EBADMSG;
	if (l->runtime_interpreters_head > most || l->runtime_finalizing > most ||
	    l->runtime_current > most || l->gil_at > most || l->gil_where > PLOP_GIL_POINTER ||
	    l->interp_next > most || l->interp_threads_head > most ||
	    l->interp_code_generation > most || l->interp_next == l->interp_threads_head)
		return -EBADMSG;
	return thread_state_ok(l) && frame_ok(l) && code_ok(l) && check_ok(l) && string_ok(l) ?
		       0 :
		       -EBADMSG;
}
