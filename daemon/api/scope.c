/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/route.h"
#include "api/scope.h"
#include "util/utf8.h"

static const char *const names[SCOPES] = {
	[SCOPE_ALL] = "all",
	[SCOPE_RECORD] = "record",
	[SCOPE_READ] = "read",
};

bool scope_lets(const struct scope *s, enum scope_needs needs)
{
	switch (needs) {
	case NEEDS_READ:
		return true;
	case NEEDS_READ_ALL:
		return !*s->service;
	case NEEDS_RECORD:
		return s->may != SCOPE_READ;
	case NEEDS_ALL:
		break;
	}
	return s->may == SCOPE_ALL && !*s->service;
}

const char *scope_name(enum scope_may may)
{
	return names[may];
}

int scope_find(const char *name, enum scope_may *ret)
{
	for (enum scope_may may = SCOPE_ALL; may < SCOPES; may++)
		if (streq(name, names[may])) {
			*ret = may;
			return 0;
		}
	return -EINVAL;
}

bool scope_text_valid(const char *text, size_t max)
{
	size_t n = strlen(text);

	if (n > max)
		return false;
	for (size_t at = 0; at < n;) {
		uint32_t c;

		at += utf8_decode_some(text + at, n - at, &c);
		if (c == UTF8_REPLACEMENT || !utf8_is_visible(c))
			return false;
	}
	return true;
}

/* All but letters, digits and what RFC 3986 has beside them in %XX. */
static void put_escaped(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, "%s=", key);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9') || strchr("-._~", *p))
			buf_putc(b, (char)*p);
		else
			buf_printf(b, "%%%02X", *p);
	}
}

void scope_put(const struct scope *s, struct buf *b)
{
	put_escaped(b, "may", names[s->may]);
	if (*s->service)
		put_escaped(b, "&service", s->service);
	if (*s->who)
		put_escaped(b, "&who", s->who);
}

static int take(struct scope *s, const struct query_parameter *p)
{
	if (streq(p->key, "may"))
		return scope_find(p->value, &s->may);
	if (streq(p->key, "service") && *p->value && scope_text_valid(p->value, SCOPE_SERVICE_MAX))
		strcpy(s->service, p->value);
	else if (streq(p->key, "who") && scope_text_valid(p->value, SCOPE_WHO_MAX))
		strcpy(s->who, p->value);
	else
		return -EINVAL;
	return 0;
}

int scope_parse(const char *text, struct scope *ret)
{
	/* each byte of a text may be three of %XX */
	char target[3 * (SCOPE_SERVICE_MAX + SCOPE_WHO_MAX) + 64], storage[sizeof(target)];
	struct query_parameter parameters[API_MAX_PARAMETERS];
	struct scope s = { .may = SCOPES };
	const char *path;
	size_t n = 0;

	if ((size_t)snprintf(target, sizeof(target), "/?%s", text) >= sizeof(target) ||
	    target_decode(target, storage, &path, parameters, &n) < 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (take(&s, &parameters[i]) < 0)
			return -EINVAL;
	if (s.may == SCOPES)
		return -EINVAL;
	*ret = s;
	return 0;
}
