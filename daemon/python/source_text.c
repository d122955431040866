/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/source_text.h"

#include <strings.h>

#include "util/utf8.h"

struct span {
	const char *at;
	size_t size;
};

/* Takes a line off, without its end. False: there is none. */
static bool take_line(struct span *text, struct span *ret)
{
	size_t n = 0;

	if (!text->size)
		return false;
	while (n < text->size && text->at[n] != '\n' && text->at[n] != '\r')
		n++;
	*ret = (struct span){ text->at, n };
	if (n < text->size)
		n += text->at[n] == '\r' && n + 1 < text->size && text->at[n + 1] == '\n' ? 2 : 1;
	text->at += n;
	text->size -= n;
	return true;
}

static struct span skip_blank(struct span s)
{
	while (s.size && (*s.at == ' ' || *s.at == '\t' || *s.at == '\f')) {
		s.at++;
		s.size--;
	}
	return s;
}

/* Takes a word off that stands at the beginning. */
static bool take(struct span *s, const char *word)
{
	size_t n = strlen(word);

	if (s->size < n || memcmp(s->at, word, n) != 0)
		return false;
	s->at += n;
	s->size -= n;
	return true;
}

static bool is_of_name(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c >= 0x80;
}

static bool is_of_encoding(unsigned char c)
{
	return is_of_name(c) || c == '-' || c == '.';
}

/* The encoding that a comment names, "coding: NAME" or "coding=NAME"; of no size: none. */
static struct span encoding_of(struct span line)
{
	struct span none = {};

	line = skip_blank(line);
	if (!line.size || *line.at != '#')
		return none;
	for (; line.size; line.at++, line.size--) {
		struct span rest = line, name;

		if (!take(&rest, "coding") || !(take(&rest, ":") || take(&rest, "=")))
			continue;
		name = skip_blank(rest);
		rest = name;
		while (rest.size && is_of_encoding((unsigned char)*rest.at)) {
			rest.at++;
			rest.size--;
		}
		name.size -= rest.size;
		if (name.size)
			return name;
	}
	return none;
}

/* Of the first two lines; the second counts if the first is blank or a comment. */
static struct span find_encoding(struct span text)
{
	struct span line, found = {};

	for (int i = 0; i < 2 && !found.size && take_line(&text, &line); i++) {
		found = encoding_of(line);
		line = skip_blank(line);
		if (line.size && *line.at != '#')
			break;
	}
	return found;
}

static bool is_one_of(struct span name, const char *const *names)
{
	for (; *names; names++) {
		size_t n = strlen(*names), i;

		for (i = 0; i < n && i < name.size; i++) {
			char c = name.at[i] == '_' ? '-' : name.at[i];

			if (strncasecmp(&c, *names + i, 1) != 0)
				break;
		}
		if (i == n && name.size == n)
			return true;
	}
	return false;
}

static int check_utf8(struct span text, bool ascii)
{
	while (text.size) {
		uint32_t c;
		size_t n = utf8_decode_some(text.at, text.size, &c);

		/* one that is there is three bytes long */
		if (!c || (c == UTF8_REPLACEMENT && n < 3) || (ascii && c >= 0x80))
			return -EILSEQ;
		text.at += n;
		text.size -= n;
	}
	return 0;
}

static int put_latin1(struct span text, struct buf *out)
{
	char bytes[UTF8_MAX];

	for (; text.size; text.at++, text.size--) {
		if (!*text.at)
			return -EILSEQ;
		buf_append(out, bytes, utf8_encode((unsigned char)*text.at, bytes));
	}
	return out->error;
}

int source_decode(const char *data, size_t size, struct buf *ret)
{
	static const char *const utf8[] = { "utf-8", "utf8", "u8", "utf-8-sig", NULL };
	static const char *const ascii[] = { "ascii", "us-ascii", NULL };
	static const char *const latin1[] = { "latin-1",   "latin1", "iso-8859-1",
					      "iso8859-1", "l1",     NULL };
	_cleanup_buf_ struct buf out = {};
	struct span text = { data, size }, encoding;
	bool mark = take(&text, "\xef\xbb\xbf");
	int r;

	encoding = find_encoding(text);
	if (encoding.size && !mark && is_one_of(encoding, latin1)) {
		r = put_latin1(text, &out);
	} else if (!encoding.size || is_one_of(encoding, utf8) || is_one_of(encoding, ascii)) {
		r = check_utf8(text, encoding.size && is_one_of(encoding, ascii));
		buf_append(&out, text.at, text.size);
		r = r ? r : out.error;
	} else {
		r = -EOPNOTSUPP;
	}
	if (r < 0)
		return r;
	*ret = out;
	out = (struct buf){};
	return 0;
}

uint32_t source_lines(const char *text, size_t size)
{
	struct span left = { text, size }, line;
	uint32_t n = 0;

	while (take_line(&left, &line))
		n++;
	return n;
}

static bool has(struct span line, const char *word)
{
	return line.size && memmem(line.at, line.size, word, strlen(word));
}

/* "def NAME", "async def NAME" or "class NAME" */
static bool defines(struct span line, const char *name)
{
	bool class;

	line = skip_blank(line);
	class = take(&line, "class");
	if (!class) {
		if (take(&line, "async"))
			line = skip_blank(line);
		if (!take(&line, "def"))
			return false;
	}
	if (!line.size || is_of_name((unsigned char)*line.at))
		return false;
	line = skip_blank(line);
	return take(&line, name) && (!line.size || !is_of_name((unsigned char)*line.at));
}

/* Lines that decorators, or a comprehension up to its "for", may take. */
#define HEAD_LINES 200

/* text begins with the first line */
static bool begins(struct span text, const char *name)
{
	static const char *const brackets[] = { "<genexpr>", "<listcomp>", "<setcomp>",
						"<dictcomp>", NULL };
	bool comprehension = is_one_of((struct span){ name, strlen(name) }, brackets);
	struct span line;

	if (!take_line(&text, &line))
		return false;
	if (streq(name, "<lambda>"))
		return has(line, "lambda");
	if (!comprehension && !(skip_blank(line).size && *skip_blank(line).at == '@'))
		return defines(line, name);
	for (int i = 0; i < HEAD_LINES; i++) {
		if (comprehension ? has(line, "for") : defines(line, name))
			return true;
		if (!take_line(&text, &line))
			break;
	}
	return false;
}

bool source_agrees(const char *text, size_t size, const char *name, uint32_t first, uint32_t last)
{
	struct span left = { text, size }, line;
	const char *dot = strrchr(name, '.');

	if (MAX(first, last) > source_lines(text, size))
		return false;
	name = dot ? dot + 1 : name;
	/* which begins with the file */
	if (streq(name, "<module>"))
		return first <= 1;
	for (uint32_t i = 1; i < first; i++)
		take_line(&left, &line);
	return first && *name && begins(left, name);
}
