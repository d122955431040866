/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Strings as CPython stores them, and raw bytes: out comes valid UTF-8 that cleaning again does not
 * change.
 */
#include "fuzz.h"
#include "proc/text.h"
#include "python/python.h"

static void is_clean(const char *text)
{
	_cleanup_free_ char *again = text_sanitize(text, strlen(text));

	FUZZ_ASSERT(again && streq(again, text));
}

/* Nothing is added to a name whose addresses are taken out, and what is left is text. */
static void settle(const char *text)
{
	_cleanup_free_ char *name = strdup(text);

	FUZZ_ASSERT(name);
	python_name_settle(name);
	FUZZ_ASSERT(strlen(name) <= strlen(text));
	if (!strchr(text, '<') || !strchr(text, '>'))
		FUZZ_ASSERT(streq(name, text));
	is_clean(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct {
		uint8_t kind, ascii, max;
		uint32_t length;
	} __attribute__((packed)) head;
	_cleanup_free_ char *raw = text_sanitize((const char *)data, size);
	_cleanup_free_ char *text = NULL;
	struct python_string s;
	bool cut;
	int r;

	FUZZ_ASSERT(raw);
	is_clean(raw);
	settle(raw);
	if (!fuzz_take(&data, &size, &head, sizeof(head)))
		return 0;
	s = (struct python_string){ .data = data,
				    .bytes = size,
				    .length = head.length,
				    .kind = head.kind % 6,
				    .ascii = head.ascii & 1 };
	r = python_string_decode(&s, head.max, &text, &cut);
	FUZZ_ASSERT((r == 0) == (s.kind == 1 || s.kind == 2 || s.kind == 4));
	if (r == 0) {
		FUZZ_ASSERT(strlen(text) <= head.max * 4u + (cut ? strlen(TEXT_CUT) : 0));
		is_clean(text);
	}
	return 0;
}
