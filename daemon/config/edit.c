/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/edit.h"

#include <ctype.h>
#include <stdbool.h>

/* What a line is, without its end. */
struct line {
	const char *at, *name; /* name: of the section or key, within it */
	size_t size, whole, name_size;
	enum { LINE_OTHER, LINE_SECTION, LINE_KEY, LINE_COMMENTED } is;
};

static size_t blanks(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && (s[i] == ' ' || s[i] == '\t' || s[i] == '\r'))
		i++;
	return i;
}

/* "key =" of what begins at from; false: it is none. */
static bool find_key(struct line *l, size_t from)
{
	size_t end = from + blanks(l->at + from, l->size - from), n = 0;

	l->name = l->at + end;
	while (end + n < l->size && (isalnum((unsigned char)l->name[n]) || l->name[n] == '_'))
		n++;
	l->name_size = n;
	end += n;
	end += blanks(l->at + end, l->size - end);
	return n > 0 && end < l->size && (l->at[end] == '=' || l->at[end] == ':');
}

static struct line line_at(const char *text)
{
	struct line l = { .at = text, .size = strcspn(text, "\n") };
	size_t from = blanks(text, l.size);
	const char *end;

	l.whole = l.size + (text[l.size] == '\n');
	if (from < l.size && text[from] == '[') {
		end = memchr(text + from, ']', l.size - from);
		if (!end)
			return l;
		l.is = LINE_SECTION;
		l.name = text + from + 1;
		l.name_size = (size_t)(end - l.name);
	} else if (from < l.size && text[from] == '#') {
		l.is = find_key(&l, from + 1) ? LINE_COMMENTED : LINE_OTHER;
	} else {
		l.is = find_key(&l, from) ? LINE_KEY : LINE_OTHER;
	}
	return l;
}

static bool is_called(const struct line *l, const char *name)
{
	return strlen(name) == l->name_size && memcmp(name, l->name, l->name_size) == 0;
}

struct editing {
	const struct config_value *values;
	size_t n;
	bool *done; /* by value */
	struct buf *out;
};

static void put(struct editing *e, size_t i)
{
	if (e->values[i].value && !e->done[i]) {
		/* the last line of a file may have no end */
		if (e->out->size && e->out->data[e->out->size - 1] != '\n')
			buf_putc(e->out, '\n');
		buf_printf(e->out, "%s = %s\n", e->values[i].key, e->values[i].value);
	}
	e->done[i] = true;
}

/* At a section's end: those that had no place in it. */
static void put_rest(struct editing *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (!e->done[i])
			put(e, i);
}

static bool any_left(const struct editing *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (!e->done[i] && e->values[i].value)
			return true;
	return false;
}

/* Whether the section has a line that sets the key: one that is commented out is no place then. */
static bool is_set(const char *text, const char *section, const char *key)
{
	bool within = false;

	while (*text) {
		struct line l = line_at(text);

		if (l.is == LINE_SECTION)
			within = is_called(&l, section);
		else if (within && l.is == LINE_KEY && is_called(&l, key))
			return true;
		text += l.whole;
	}
	return false;
}

static void take_line(struct editing *e, const struct line *l, const char *text,
		      const char *section)
{
	for (size_t i = 0; i < e->n; i++) {
		if ((l->is != LINE_KEY && l->is != LINE_COMMENTED) ||
		    !is_called(l, e->values[i].key))
			continue;
		if (l->is == LINE_KEY) {
			put(e, i);
			return;
		}
		buf_append(e->out, l->at, l->whole);
		if (!is_set(text, section, e->values[i].key))
			put(e, i);
		return;
	}
	buf_append(e->out, l->at, l->whole);
}

void config_edit(const char *text, const char *section, const struct config_value *values, size_t n,
		 struct buf *out)
{
	_cleanup_free_ bool *done = calloc(n + 1, sizeof(*done));
	struct editing e = { values, n, done, out };
	bool within = false;

	if (!done) {
		out->error = -ENOMEM;
		return;
	}
	for (const char *at = text; *at;) {
		struct line l = line_at(at);

		at += l.whole;
		if (l.is == LINE_SECTION) {
			if (within)
				put_rest(&e);
			within = is_called(&l, section);
		}
		if (within)
			take_line(&e, &l, text, section);
		else
			buf_append(out, l.at, l.whole);
	}
	if (!within && any_left(&e)) {
		if (out->size && out->data[out->size - 1] != '\n')
			buf_putc(out, '\n');
		buf_printf(out, "%s[%s]\n", out->size ? "\n" : "", section);
	}
	put_rest(&e);
}
