/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/subuid.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <sys/stat.h>

/* useradd(8) takes names of up to 32 characters; shadow's own reader none longer than a line. */
#define NAME_MAX_BYTES 256

/* A decimal number that fills [at, end) and fits 32 bits. */
static int number(const char *at, const char *end, uint32_t *ret)
{
	uint64_t v = 0;

	if (at == end || end - at > 10)
		return -EINVAL;
	for (; at < end; at++) {
		if (*at < '0' || *at > '9')
			return -EINVAL;
		v = v * 10 + (uint64_t)(*at - '0');
	}
	if (v > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

/* One line, [at, end). -EINVAL: it is not of that form. */
static int range_parse(const char *at, const char *end,
		       int (*name_uid)(const char *name, uid_t *ret, void *ctx), void *ctx,
		       struct subuid_range *ret)
{
	const char *first = memchr(at, ':', (size_t)(end - at)), *second;
	char name[NAME_MAX_BYTES];
	uint32_t start, count;

	if (*at == '#' || !first || first == at || (size_t)(first - at) >= sizeof(name))
		return -EINVAL;
	second = memchr(first + 1, ':', (size_t)(end - first - 1));
	if (!second || number(first + 1, second, &start) < 0 || number(second + 1, end, &count) < 0)
		return -EINVAL;
	/* the last uid, UINT32_MAX, is nobody's (uid_t)-1 */
	if (start == 0 || count == 0 || count > UINT32_MAX - start)
		return -EINVAL;
	memcpy(name, at, (size_t)(first - at));
	name[first - at] = '\0';
	*ret = (struct subuid_range){ .start = start, .last = start + (count - 1) };
	if (number(at, first, &ret->owner) < 0 && name_uid(name, &ret->owner, ctx) < 0)
		ret->owner = start;
	/*
	 * containers of root's, of which each is somebody else's: not one of them is trusted for
	 * that
	 */
	if (ret->owner == 0)
		ret->owner = start;
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct subuid_range *x = a, *y = b;

	if (x->start != y->start)
		return x->start > y->start ? 1 : -1;
	return (x->last < y->last) - (x->last > y->last);
}

/* Sorts, and leaves to each what those before it do not have. */
static void ranges_part(struct subuid *s)
{
	size_t kept = 0;

	if (s->n == 0)
		return;
	qsort(s->ranges, s->n, sizeof(*s->ranges), by_start);
	for (size_t i = 1; i < s->n; i++) {
		struct subuid_range r = s->ranges[i];

		if (r.last <= s->ranges[kept].last)
			continue;
		r.start = MAX(r.start, s->ranges[kept].last + 1);
		s->ranges[++kept] = r;
	}
	s->n = kept + 1;
}

int subuid_parse(const char *text, size_t size,
		 int (*name_uid)(const char *name, uid_t *ret, void *ctx), void *ctx,
		 struct subuid *ret)
{
	const char *end = text + MIN(size, (size_t)SUBUID_MAX_BYTES), *line_end;
	struct subuid s = {};
	size_t room = 0;

	for (const char *at = text; at < end && s.n < SUBUID_MAX_RANGES; at = line_end + 1) {
		struct subuid_range r;

		line_end = memchr(at, '\n', (size_t)(end - at));
		if (!line_end)
			line_end = end;
		if (range_parse(at, line_end, name_uid, ctx, &r) < 0)
			continue;
		if (s.n == room) {
			void *p = reallocarray(s.ranges, room + 64, sizeof(*s.ranges));

			if (!p) {
				free(s.ranges);
				return -ENOMEM;
			}
			s.ranges = p;
			room += 64;
		}
		s.ranges[s.n++] = r;
	}
	ranges_part(&s);
	*ret = s;
	return 0;
}

void subuid_done(struct subuid *s)
{
	free(s->ranges);
	*s = (struct subuid){};
}

uid_t subuid_owner(const struct subuid *s, uid_t uid)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct subuid_range *r = &s->ranges[middle];

		if (uid < r->start)
			high = middle;
		else if (uid > r->last)
			low = middle + 1;
		else
			return r->owner;
	}
	return uid;
}

void subuid_file_init(struct subuid_file *f, const char *path, const char *passwd)
{
	*f = (struct subuid_file){ .path = path, .passwd = passwd };
}

void subuid_file_done(struct subuid_file *f)
{
	subuid_done(&f->map);
}

/* By the file alone: a name service may be far away, and never answer. */
static int passwd_uid(const char *name, uid_t *ret, void *ctx)
{
	const struct subuid_file *f = ctx;
	_cleanup_fclose_ FILE *file = fopen(f->passwd, "re");
	struct passwd one, *p;
	char line[4096]; /* of the file; a longer one has no user that can be asked for */

	while (file && fgetpwent_r(file, &one, line, sizeof(line), &p) == 0) {
		if (streq(p->pw_name, name)) {
			*ret = p->pw_uid;
			return 0;
		}
	}
	return -ENOENT;
}

static struct timespec changed_at(const char *path)
{
	struct stat sb = {};

	return stat(path, &sb) == 0 ? sb.st_mtim : (struct timespec){};
}

static int file_read(struct subuid_file *f)
{
	_cleanup_free_ char *text = malloc(SUBUID_MAX_BYTES);
	_cleanup_close_ int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct subuid map = {};
	size_t size = 0;
	ssize_t n;
	int r;

	if (!text)
		return -ENOMEM;
	while (fd >= 0 && size < SUBUID_MAX_BYTES &&
	       (n = read(fd, text + size, SUBUID_MAX_BYTES - size)) > 0)
		size += (size_t)n;
	r = subuid_parse(text, size, passwd_uid, f, &map);
	if (r < 0)
		return r;
	subuid_done(&f->map);
	f->map = map;
	return 0;
}

void subuid_file_refresh(struct subuid_file *f, uint64_t now_ns)
{
	struct timespec changed[2];
	bool first = f->looked_ns == 0;

	if (!first && now_ns - f->looked_ns < NSEC_PER_SEC)
		return;
	f->looked_ns = now_ns ? now_ns : 1;
	changed[0] = changed_at(f->path);
	changed[1] = changed_at(f->passwd);
	if (!first && memcmp(changed, f->changed, sizeof(changed)) == 0)
		return;
	/* out of memory: the next look tries again */
	if (file_read(f) == 0)
		memcpy(f->changed, changed, sizeof(changed));
}
