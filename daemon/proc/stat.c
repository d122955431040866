/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/parse.h"

/* A decimal number at *p, before end; false: there is none, or it does not fit. */
static bool take_number(const char **p, const char *end, uint64_t *ret)
{
	const char *s = *p;
	uint64_t v = 0;

	while (s < end && *s == ' ')
		s++;
	if (s == end || *s < '0' || *s > '9')
		return false;
	for (; s < end && *s >= '0' && *s <= '9'; s++) {
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return false;
	}
	*ret = v;
	*p = s;
	return true;
}

/* Passes over one field, whatever it holds (a few are negative). */
static bool skip_field(const char **p, const char *end)
{
	const char *s = *p;

	while (s < end && *s == ' ')
		s++;
	if (s == end || *s == '\n')
		return false;
	while (s < end && *s != ' ' && *s != '\n')
		s++;
	*p = s;
	return true;
}

int proc_stat_parse(const char *text, size_t size, struct proc_stat *ret)
{
	const char *p = text, *end = text + size, *open, *close;
	struct proc_stat s = {};
	uint64_t pid, threads = 0, flags = 0, parent = 0;

	if (!take_number(&p, end, &pid) || pid > INT32_MAX)
		return -EBADMSG;
	open = memchr(p, '(', (size_t)(end - p));
	/* The last ")": comm is not escaped, while the fields after it never hold one. */
	close = open ? memrchr(open, ')', (size_t)(end - open)) : NULL;
	if (!close)
		return -EBADMSG;
	s.pid = (pid_t)pid;
	s.comm = open + 1;
	s.comm_size = (size_t)(close - open) - 1;
	p = close + 1;
	while (p < end && *p == ' ')
		p++;
	if (p == end)
		return -EBADMSG;
	s.state = *p++;
	/* Fields 4 to 22, numbered as in proc(5). */
	for (int field = 4; field <= 22; field++) {
		uint64_t *to = field == 4  ? &parent :
			       field == 9  ? &flags :
			       field == 14 ? &s.utime :
			       field == 15 ? &s.stime :
			       field == 20 ? &threads :
			       field == 22 ? &s.start_ticks :
					     NULL;

		if (to ? !take_number(&p, end, to) : !skip_field(&p, end))
			return -EBADMSG;
	}
	/* as far as there are any */
	for (int field = 23; field <= 50; field++) {
		uint64_t *to = field == 28 ? &s.stack :
			       field == 48 ? &s.arguments :
			       field == 50 ? &s.environment :
					     NULL;

		if (to ? !take_number(&p, end, to) : !skip_field(&p, end))
			break;
	}
	s.parent = parent <= INT32_MAX ? (pid_t)parent : 0;
	s.flags = (uint32_t)flags;
	s.threads = (uint32_t)MIN(threads, (uint64_t)UINT32_MAX);
	*ret = s;
	return 0;
}

int proc_status_uids(const char *text, uid_t ret[4])
{
	const char *at = strstr(text, "\nUid:");
	uid_t uids[4];

	if (!at)
		return -EBADMSG;
	at += strlen("\nUid:");
	for (size_t i = 0; i < ARRAY_SIZE(uids); i++) {
		unsigned long uid;
		char *end;

		at += strspn(at, " \t");
		if (*at < '0' || *at > '9')
			return -EBADMSG;
		errno = 0;
		uid = strtoul(at, &end, 10);
		if (errno || uid > UINT32_MAX)
			return -EBADMSG;
		uids[i] = (uid_t)uid;
		at = end;
	}
	memcpy(ret, uids, sizeof(uids));
	return 0;
}

int proc_status_uid(const char *text, uid_t *ret)
{
	uid_t uids[4];
	int r = proc_status_uids(text, uids);

	if (r < 0)
		return r;
	*ret = uids[0] == uids[1] && uids[0] == uids[2] && uids[0] == uids[3] ? uids[0] : (uid_t)-1;
	return 0;
}
