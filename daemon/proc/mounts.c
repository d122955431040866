/* SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>

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

/*
 * How much of a path a mount point is, where the path begins with it; 0: it does not. Blanks, line
 * ends and backslashes of a mount point stand as three octal digits.
 */
static size_t begins_with(const char *word, size_t size, const char *path)
{
	size_t i = 0, n = 0;

	if (size == 1 && *word == '/')
		return *path == '/';
	for (; i < size && path[n]; n++) {
		char c = word[i];

		if (c == '\\' && is_octal(word + i, size - i)) {
			c = (char)((word[i + 1] - '0') << 6 | (word[i + 2] - '0') << 3 |
				   (word[i + 3] - '0'));
			i += 4;
		} else {
			i++;
		}
		if (c != path[n])
			return 0;
	}
	return i == size && (!path[n] || path[n] == '/') ? n : 0;
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
static bool parse_line(const char *line, const char *end, const char **ret_point, size_t *ret_size,
		       bool *ret_local)
{
	const char *word;
	size_t size;

	for (int i = 0; i < 5; i++)
		if (!next_word(&line, end, &word, &size))
			return false;
	*ret_point = word;
	*ret_size = size;
	*ret_local = false;
	while (next_word(&line, end, &word, &size))
		if (size == 1 && *word == '-') {
			*ret_local = next_word(&line, end, &word, &size) && is_local(word, size);
			break;
		}
	return true;
}

/* The first line of the text, which moves on; false: there is none. */
static bool next_line(const char **text, size_t *size, const char **ret, const char **ret_end)
{
	const char *newline;

	if (*size == 0)
		return false;
	newline = memchr(*text, '\n', *size);
	*ret = *text;
	*ret_end = newline ? newline : *text + *size;
	*size -= (size_t)(*ret_end - *text) + (newline != NULL);
	*text = *ret_end + (newline != NULL);
	return true;
}

bool mounts_answer_at(const char *text, size_t size, const char *path)
{
	const char *line, *end, *point;
	bool answers = true, local;
	size_t n;

	while (next_line(&text, &size, &line, &end)) {
		if (parse_line(line, end, &point, &n, &local) &&
		    begins_with(point, n, path) == strlen(path))
			answers = local;
	}
	return answers;
}

bool mounts_answer_on_way(const char *text, size_t size, const char *path)
{
	const char *all = text, *line, *end, *point;
	size_t left = size, n;
	char begin[PATH_MAX];
	bool local;

	while (next_line(&text, &left, &line, &end)) {
		if (!parse_line(line, end, &point, &n, &local) || local)
			continue;
		n = begins_with(point, n, path);
		if (n == 0)
			continue;
		if (n >= sizeof(begin))
			return false;
		memcpy(begin, path, n);
		begin[n] = '\0';
		/* another may be mounted over it */
		if (!mounts_answer_at(all, size, begin))
			return false;
	}
	return true;
}
