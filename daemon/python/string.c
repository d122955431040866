/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/text.h"
#include "python/object.h"
#include "util/utf8.h"

int python_string_state(const struct plop_layout *l, uint32_t state, uint8_t *ret_kind,
			bool *ret_ascii)
{
	uint32_t bits = state | l->str_state_set;
	uint8_t kind = (uint8_t)plop_str_kind(l, bits);
	bool compact = bits >> l->str_kind_shift >> 3 & 1, ascii = plop_str_is_ascii(l, bits);

	if (!compact || (kind != 1 && kind != 2 && kind != 4) || (ascii && kind != 1))
		return -EBADMSG;
	*ret_kind = kind;
	*ret_ascii = ascii;
	return 0;
}

static uint32_t character_at(const struct python_string *s, size_t index)
{
	const uint8_t *p = (const uint8_t *)s->data + index * s->kind;
	uint16_t two;
	uint32_t four;

	switch (s->kind) {
	case 1:
		return p[0];
	case 2:
		memcpy(&two, p, sizeof(two));
		return two;
	default:
		memcpy(&four, p, sizeof(four));
		return four;
	}
}

int python_string_decode(const struct python_string *s, size_t max_chars, char **ret, bool *ret_cut)
{
	size_t chars, out = 0;
	bool cut = false;
	char *text, *smaller;

	if (s->kind != 1 && s->kind != 2 && s->kind != 4)
		return -EBADMSG;
	chars = s->bytes / s->kind;
	if (chars < s->length)
		cut = true;
	else
		chars = (size_t)s->length;
	if (chars > max_chars) {
		chars = max_chars;
		cut = true;
	}
	/* UTF-8 takes at most 4 bytes a character. */
	if (chars > (SIZE_MAX - sizeof(TEXT_CUT)) / 4)
		return -ENOMEM;
	text = malloc(chars * 4 + sizeof(TEXT_CUT));
	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < chars; i++) {
		uint32_t c = character_at(s, i);

		/* A str that calls itself ASCII and holds other bytes lies. */
		out += text_encode(text + out, s->ascii && c > 0x7f ? UTF8_REPLACEMENT : c);
	}
	text[out] = '\0';
	if (cut)
		out = (size_t)(stpcpy(text + out, TEXT_CUT) - text);
	smaller = realloc(text, out + 1);
	*ret = smaller ? smaller : text;
	*ret_cut = cut;
	return 0;
}

/* 2.7's names are bytes in no stated encoding, on Linux nearly always UTF-8. */
int python_string_text(const struct plop_layout *l, const struct python_string *s, size_t max_chars,
		       char **ret, bool *ret_cut)
{
	uint64_t n = MIN(s->bytes, max_chars);
	char *text, *marked;

	if (l->version >= 0x0300)
		return python_string_decode(s, max_chars, ret, ret_cut);
	n = MIN(n, s->length);
	text = text_sanitize(s->data, (size_t)n);
	if (!text)
		return -ENOMEM;
	*ret_cut = n < s->length;
	if (*ret_cut) {
		marked = realloc(text, strlen(text) + sizeof(TEXT_CUT));
		if (!marked) {
			free(text);
			return -ENOMEM;
		}
		text = strcat(marked, TEXT_CUT);
	}
	*ret = text;
	return 0;
}

/* Of a str, far more than any CPython's: PyCompactUnicodeObject is at most 72 bytes. */
#define STR_HEAD_MAX 256

int python_string_read(const struct reader *memory, const struct plop_layout *l, uint64_t address,
		       size_t max_chars, struct python_string *s, char **data, uint64_t *ret_type)
{
	uint8_t head[STR_HEAD_MAX];
	struct python_string t = {};
	uint32_t state, compact = UINT32_C(1) << (l->str_kind_shift + 3);
	uint64_t at = address;
	size_t bytes;
	int r;

	if (!object_is_address(address) || l->str_ascii_data < 32 ||
	    l->str_ascii_data > sizeof(head))
		return -EBADMSG;
	r = reader_read(memory, address, head, l->str_ascii_data);
	if (r < 0)
		return r;
	state = object_u32(head, l->str_state) | l->str_state_set;
	r = python_string_state(l, state | compact, &t.kind, &t.ascii);
	if (r < 0)
		return r;
	t.length = object_u64(head, l->str_length);
	if (t.length > INT64_MAX)
		return -EBADMSG;
	if (state & compact) {
		at += plop_str_data(l, t.ascii);
	} else {
		r = reader_u64(memory, address + l->str_compact_data, &at);
		if (r < 0)
			return r;
	}
	bytes = (size_t)MIN(t.length, (uint64_t)max_chars) * t.kind;
	*data = malloc(bytes ? bytes : 1);
	if (!*data)
		return -ENOMEM;
	r = reader_read(memory, at, *data, bytes);
	if (r < 0)
		return r;
	t.data = *data;
	t.bytes = bytes;
	*s = t;
	*ret_type = state & compact ? object_u64(head, object_type_at(l)) : 0;
	return 0;
}
