/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/mounts.h"

/* The next word of a line, after one blank; false: there is none. */
static bool next_word(const char **p, const char *end, const char **ret, size_t *ret_size)
{
	const char *begin = *p, *blank;

	if (begin >= end)
		return false;
	blank = memchr(begin, ' ', (size_t)(end - begin));
	*ret = begin;
	*ret_size = (size_t)((blank ? blank : end) - begin);
	*p = blank ? blank + 1 : end;
	return true;
}

static bool is_octal(const char *p, size_t left)
{
	return left >= 4 && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
	       p[3] >= '0' && p[3] <= '7';
}

/* Blanks, line ends and backslashes of a mount point stand as three octal digits. */
static bool is_path(const char *word, size_t size, const char *path)
{
	size_t i = 0;

	for (; i < size && *path; path++) {
		char c = word[i];

		if (c == '\\' && is_octal(word + i, size - i)) {
			c = (char)((word[i + 1] - '0') << 6 | (word[i + 2] - '0') << 3 |
				   (word[i + 3] - '0'));
			i += 4;
		} else {
			i++;
		}
		if (c != *path)
			return false;
	}
	return i == size && !*path;
}

static bool is_local(const char *type, size_t size)
{
	static const char *const types[] = {
		"ext2",     "ext3",    "ext4",     "xfs",   "btrfs",   "f2fs",   "zfs",
		"bcachefs", "jfs",     "reiserfs", "tmpfs", "ramfs",   "rootfs", "vfat",
		"ntfs3",    "overlay", "squashfs", "erofs", "iso9660", "udf",
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (size == strlen(types[i]) && memcmp(type, types[i], size) == 0)
			return true;
	return false;
}

/* "36 35 98:0 /root /path options optional... - type source options" */
static bool line_answers(const char *line, const char *end, const char *path, bool *ret)
{
	const char *word;
	size_t size;

	for (int i = 0; i < 5; i++)
		if (!next_word(&line, end, &word, &size))
			return false;
	if (!is_path(word, size, path))
		return false;
	*ret = false;
	while (next_word(&line, end, &word, &size))
		if (size == 1 && *word == '-') {
			*ret = next_word(&line, end, &word, &size) && is_local(word, size);
			break;
		}
	return true;
}

bool mounts_answer_at(const char *text, size_t size, const char *path)
{
	bool answers = true;

	while (size > 0) {
		const char *newline = memchr(text, '\n', size);
		size_t n = newline ? (size_t)(newline - text) : size;

		(void)line_answers(text, text + n, path, &answers);
		n += newline != NULL;
		text += n;
		size -= n;
	}
	return answers;
}
