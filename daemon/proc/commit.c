/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdbool.h>

#include "proc/commit.h"

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* How many digits of a commit text begins with; 0: none. */
static size_t hex_length(const char *text, size_t size)
{
	size_t n = 0;

	while (n < size && is_hex(text[n]))
		n++;
	return n == 40 || n == COMMIT_HEX_MAX ? n : 0;
}

static void take(char *to, const char *text, size_t size)
{
	memcpy(to, text, size);
	to[size] = '\0';
}

/* "refs/heads/main": no part may be empty or begin with ".", and ".." is nowhere, as in git. */
static bool is_ref(const char *text, size_t size)
{
	size_t part = 0;

	if (size < strlen("refs/x") || size > COMMIT_REF_MAX || memcmp(text, "refs/", 5) != 0)
		return false;
	for (size_t i = 0; i <= size; i++) {
		if (i < size && text[i] != '/') {
			if (text[i] <= ' ' || text[i] == 0x7f ||
			    (i > 0 && text[i] == '.' && text[i - 1] == '.'))
				return false;
			continue;
		}
		if (i == part || text[part] == '.')
			return false;
		part = i + 1;
	}
	return true;
}

/* A short file without the blanks at its end. */
static int read_line(const struct reader *r, uint64_t size, char line[COMMIT_LINE_MAX],
		     size_t *ret_size)
{
	int e;

	if (size == 0 || size > COMMIT_LINE_MAX)
		return -EBADMSG;
	e = reader_read(r, 0, line, size);
	if (e < 0)
		return e;
	while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == ' '))
		size--;
	*ret_size = size;
	return 0;
}

int commit_read_head(const struct reader *r, uint64_t size, struct commit_head *ret)
{
	char line[COMMIT_LINE_MAX];
	size_t n, at = strlen("ref:");
	int e = read_line(r, size, line, &n);

	if (e < 0)
		return e;
	if (n > 0 && hex_length(line, n) == n) {
		take(ret->hex, line, n);
		ret->ref[0] = '\0';
		return 0;
	}
	if (n <= at || memcmp(line, "ref:", at) != 0)
		return -EBADMSG;
	while (at < n && line[at] == ' ')
		at++;
	if (!is_ref(line + at, n - at))
		return -EBADMSG;
	take(ret->ref, line + at, n - at);
	ret->hex[0] = '\0';
	return 0;
}

int commit_read_ref(const struct reader *r, uint64_t size, char ret[static COMMIT_HEX_MAX + 1])
{
	char line[COMMIT_LINE_MAX];
	size_t n;
	int e = read_line(r, size, line, &n);

	if (e < 0)
		return e;
	if (n == 0 || hex_length(line, n) != n)
		return -EBADMSG;
	take(ret, line, n);
	return 0;
}

/* "COMMIT REF"; other lines are comments ("#"), or what a tag is of ("^COMMIT"). */
static bool has_ref(const char *line, size_t size, const char *ref, char *ret)
{
	size_t n = hex_length(line, size), length = strlen(ref);

	if (n == 0 || size != n + 1 + length || line[n] != ' ' ||
	    memcmp(line + n + 1, ref, length) != 0)
		return false;
	take(ret, line, n);
	return true;
}

int commit_find_packed(const struct reader *r, uint64_t size, const char *ref,
		       char ret[static COMMIT_HEX_MAX + 1])
{
	char block[8 * COMMIT_LINE_MAX];
	uint64_t at = 0;

	if (size > COMMIT_PACKED_MAX)
		return -EFBIG;
	while (at < size) {
		size_t n = (size_t)MIN(size - at, (uint64_t)sizeof(block)), begin = 0;
		int e = reader_read(r, at, block, n);

		if (e < 0)
			return e;
		for (;;) {
			const char *end = memchr(block + begin, '\n', n - begin);
			size_t length = end ? (size_t)(end - block) - begin : n - begin;

			/* the rest of a line is in the next block */
			if (!end && at + n < size)
				break;
			if (has_ref(block + begin, length, ref, ret))
				return 0;
			if (!end)
				return -ENOENT;
			begin += length + 1;
		}
		if (begin == 0)
			return -EBADMSG;
		at += begin;
	}
	return -ENOENT;
}
