/* SPDX-License-Identifier: BSD-2-Clause */
/* A source file of a target, and what its code object says of it: any bytes. */
#include "fuzz.h"
#include "proc/source.h"
#include "python/source_text.h"
#include "util/utf8.h"

/* A text of those bytes up to the next NUL. */
static char *text_of(const uint8_t **data, size_t *size)
{
	size_t n = strnlen((const char *)*data, *size);
	char *text = strndup((const char *)*data, n);

	FUZZ_ASSERT(text);
	*data += MIN(n + 1, *size);
	*size -= MIN(n + 1, *size);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct {
		uint16_t first, last;
	} __attribute__((packed)) head;
	_cleanup_free_ char *name = NULL, *paths = NULL, *path = NULL, *whole = NULL;
	_cleanup_buf_ struct buf text = {};
	size_t folder = 0;
	uint32_t lines;

	if (!fuzz_take(&data, &size, &head, sizeof(head)))
		return 0;
	name = text_of(&data, &size);
	paths = text_of(&data, &size);
	path = text_of(&data, &size);
	if (source_is_allowed(paths, path, &folder))
		FUZZ_ASSERT(folder < strlen(path) && path[folder] == '/');
	if (source_decode((const char *)data, size, &text) < 0) {
		FUZZ_ASSERT(!text.data);
		return 0;
	}
	FUZZ_ASSERT(text.size <= 2 * size);
	lines = source_lines(text.data, text.size);
	FUZZ_ASSERT(lines <= text.size);
	if (source_agrees(text.data, text.size, name, head.first, head.last))
		FUZZ_ASSERT(head.first <= lines && head.last <= lines);
	/* it is text: UTF-8 that has no NUL */
	FUZZ_ASSERT(!text.size || !memchr(text.data, 0, text.size));
	whole = buf_string(&text);
	FUZZ_ASSERT(whole && utf8_is_valid(whole));
	return 0;
}
