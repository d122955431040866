/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/text.h"
#include "python/python.h"
#include "util/utf8.h"

int python_string_state(const struct plop_layout *l, uint32_t state, uint8_t *ret_kind,
			bool *ret_ascii)
{
	uint32_t bits = (state | l->str_state_set) >> l->str_kind_shift;
	uint8_t kind = bits & 7;
	bool compact = bits >> 3 & 1, ascii = bits >> 4 & 1;

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
