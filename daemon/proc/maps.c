/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/process.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* A number in base 10 or 16 that ends at the character until; *p is left behind that character. */
static int take(char **p, unsigned int base, char until, uint64_t *ret)
{
	char *s = *p;
	uint64_t v = 0;

	do {
		int digit = hex_digit(*s);

		if (digit < 0 || (unsigned int)digit >= base)
			return -EBADMSG;
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (unsigned int)digit, &v))
			return -EBADMSG;
		s++;
	} while (*s != until && *s != '\0');
	if (*s != until)
		return -EBADMSG;
	*ret = v;
	*p = s + 1;
	return 0;
}

/*
 * The kernel writes a newline in a name as \012 and nothing else specially (show_map_vma() in
 * fs/proc/task_mmu.c, Linux 5.10 to 6.12), so a name that really holds those four characters cannot
 * be told from it.
 */
static void unescape(char *s)
{
	char *to = strstr(s, "\\012"), *from = to;

	while (from && *from) {
		if (strncmp(from, "\\012", 4) == 0) {
			*to++ = '\n';
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	if (to)
		*to = '\0';
}

int process_map_parse(char *line, struct process_map *ret)
{
	struct process_map m = {};
	uint64_t major, minor;
	char *p = line, *newline;

	if (take(&p, 16, '-', &m.start) < 0 || take(&p, 16, ' ', &m.end) < 0 || m.start >= m.end)
		return -EBADMSG;
	if (strnlen(p, 5) < 5 || p[4] != ' ' || (p[0] != 'r' && p[0] != '-'))
		return -EBADMSG;
	memcpy(m.perms, p, 4);
	p += 5;
	if (take(&p, 16, ' ', &m.offset) < 0 || take(&p, 16, ':', &major) < 0 ||
	    take(&p, 16, ' ', &minor) < 0)
		return -EBADMSG;
	if (major > UINT32_MAX || minor > UINT32_MAX)
		return -EBADMSG;
	m.dev_major = (uint32_t)major;
	m.dev_minor = (uint32_t)minor;
	newline = strchrnul(p, '\n');
	*newline = '\0';
	/* The inode is the last field of anonymous memory: followed by a space, or by nothing. */
	if (!strchr(p, ' ')) {
		char *end;

		errno = 0;
		m.inode = strtoull(p, &end, 10);
		if (errno || end == p || *end)
			return -EBADMSG;
		p = end;
	} else if (take(&p, 10, ' ', &m.inode) < 0) {
		return -EBADMSG;
	}
	while (*p == ' ')
		p++;
	unescape(p);
	m.path = p;
	*ret = m;
	return 0;
}
