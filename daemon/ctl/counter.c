/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/counter.h"

#include <math.h>
#include <stdbool.h>

#include "util/macro.h"

#define START "process_start_time_seconds"
#define TOTAL "_total"

struct sample {
	const char *name;
	size_t size; /* of the name */
	double value;
};

static bool is_of_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == ':';
}

/* Behind labels, which begin at s; NULL: they do not end in this line. */
static const char *skip_labels(const char *s)
{
	bool quoted = false;

	for (; *s && *s != '\n'; s++) {
		if (quoted && *s == '\\' && s[1])
			s++;
		else if (*s == '"')
			quoted = !quoted;
		else if (*s == '}' && !quoted)
			return s + 1;
	}
	return NULL;
}

/* What a line says; false: it is none of a sample. */
static bool parse_line(const char *line, struct sample *ret)
{
	const char *s = line;
	char *end;

	while (is_of_name(*s))
		s++;
	*ret = (struct sample){ .name = line, .size = (size_t)(s - line) };
	if (*s == '{')
		s = skip_labels(s);
	if (ret->size == 0 || !s || (*s != ' ' && *s != '\t'))
		return false;
	while (*s == ' ' || *s == '\t')
		s++;
	if (*s == '\n')
		return false;
	ret->value = strtod(s, &end);
	return end != s;
}

static bool is_named(const struct sample *s, const char *name)
{
	return s->size == strlen(name) && memcmp(s->name, name, s->size) == 0;
}

/* Whether a name without "_total" ends with that, as a word of its own. */
static bool ends_with(const struct sample *s, const char *wanted)
{
	size_t size = s->size, n = strlen(wanted), total = strlen(TOTAL);

	if (size > total && memcmp(s->name + size - total, TOTAL, total) == 0)
		size -= total;
	return size >= n && memcmp(s->name + size - n, wanted, n) == 0 &&
	       (size == n || s->name[size - n - 1] == '_');
}

/* Adds a sample of the counter. -EINVAL: it is of another counter than those before. */
static int add(struct counter *c, const struct sample *s, const char *wanted,
	       char why[static COUNTER_WHY])
{
	if (*c->name && !is_named(s, c->name)) {
		snprintf(why, COUNTER_WHY, "%s and %.*s both end with %.64s; say the whole name",
			 c->name, (int)MIN(s->size, sizeof(c->name)), s->name, wanted);
		return -EINVAL;
	}
	if (!*c->name && s->size >= sizeof(c->name)) {
		snprintf(why, COUNTER_WHY, "a counter's name has more than %zu bytes",
			 sizeof(c->name) - 1);
		return -EINVAL;
	}
	memcpy(c->name, s->name, s->size);
	c->name[s->size] = '\0';
	c->value += s->value;
	return 0;
}

/* exactly: by the whole name. */
static int sum(const char *text, const char *wanted, bool exactly, struct counter *c,
	       char why[static COUNTER_WHY])
{
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		struct sample s;
		int r = 0;

		line += *line == '\n';
		if (!parse_line(line, &s))
			continue;
		if (is_named(&s, START))
			c->start = s.value;
		else if (exactly ? is_named(&s, wanted) : ends_with(&s, wanted))
			r = add(c, &s, wanted, why);
		if (r < 0)
			return r;
	}
	return 0;
}

int counter_find(const char *text, const char *wanted, struct counter *ret,
		 char why[static COUNTER_WHY])
{
	struct counter c = {};
	int r = sum(text, wanted, true, &c, why);

	if (r == 0 && !*c.name) {
		c = (struct counter){};
		r = sum(text, wanted, false, &c, why);
	}
	if (r < 0)
		return r;
	if (!*c.name) {
		snprintf(why, COUNTER_WHY, "it has no counter %.64s", wanted);
		return -EINVAL;
	}
	if (!(c.value >= 0) || isinf(c.value)) {
		snprintf(why, COUNTER_WHY, "the value of %s is no number of 0 or more", c.name);
		return -EINVAL;
	}
	if (!(c.start > 0) || isinf(c.start))
		c.start = 0;
	*ret = c;
	return 0;
}
