/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/json.h"

#include <inttypes.h>
#include <math.h>

#include "util/clock.h"
#include "util/utf8.h"

static void mistake(struct json_writer *w)
{
	if (!w->out->error)
		w->out->error = -EINVAL;
}

static uint32_t level(const struct json_writer *w)
{
	return UINT32_C(1) << (w->depth - 1);
}

/* What must not stand in a string as it is (RFC 8259, section 7). */
static bool is_escaped(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\';
}

static void put_escaped(struct buf *b, unsigned char c)
{
	static const char letters[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
					['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\' };

	if (c < sizeof(letters) && letters[c])
		buf_append(b, (const char[]){ '\\', letters[c] }, 2);
	else
		buf_printf(b, "\\u%04x", c);
}

static void put_quoted(struct buf *b, const char *s, size_t size)
{
	size_t begin = 0, at = 0;

	buf_putc(b, '"');
	while (at < size) {
		unsigned char c = (unsigned char)s[at];
		uint32_t character = c;
		size_t n = c < 0x80 ? 1 : utf8_decode_some(s + at, size - at, &character);
		/* one byte that is none of a character, not U+FFFD itself, which has three */
		bool bad = c >= 0x80 && n == 1;

		if (!bad && !(n == 1 && is_escaped(c))) {
			at += n;
			continue;
		}
		buf_append(b, s + begin, at - begin);
		if (bad)
			buf_puts(b, "\xef\xbf\xbd");
		else
			put_escaped(b, c);
		at += n;
		begin = at;
	}
	buf_append(b, s + begin, size - begin);
	buf_putc(b, '"');
}

/* What stands before a value. */
static void put_key(struct json_writer *w, const char *key)
{
	bool wants_key = w->depth && !(w->arrays & level(w));

	/* the outside takes one value alone */
	if (wants_key != (key != NULL) || (!w->depth && w->out->size))
		mistake(w);
	if (w->depth && w->filled & level(w))
		buf_putc(w->out, ',');
	if (w->depth)
		w->filled |= level(w);
	if (!key)
		return;
	put_quoted(w->out, key, strlen(key));
	buf_putc(w->out, ':');
}

static void begin(struct json_writer *w, const char *key, bool array)
{
	put_key(w, key);
	if (w->depth == JSON_DEPTH_MAX) {
		mistake(w);
		return;
	}
	w->depth++;
	w->filled &= ~level(w);
	if (array)
		w->arrays |= level(w);
	else
		w->arrays &= ~level(w);
	buf_putc(w->out, array ? '[' : '{');
}

void json_put_object(struct json_writer *w, const char *key)
{
	begin(w, key, false);
}

void json_put_array(struct json_writer *w, const char *key)
{
	begin(w, key, true);
}

void json_put_end(struct json_writer *w)
{
	if (!w->depth) {
		mistake(w);
		return;
	}
	buf_putc(w->out, w->arrays & level(w) ? ']' : '}');
	w->depth--;
}

void json_put_text(struct json_writer *w, const char *key, const char *s, size_t size)
{
	put_key(w, key);
	put_quoted(w->out, s, size);
}

void json_put_string(struct json_writer *w, const char *key, const char *s)
{
	if (s)
		json_put_text(w, key, s, strlen(s));
	else
		json_put_null(w, key);
}

void json_put_int(struct json_writer *w, const char *key, int64_t n)
{
	put_key(w, key);
	buf_printf(w->out, "%" PRId64, n);
}

void json_put_uint(struct json_writer *w, const char *key, uint64_t n)
{
	put_key(w, key);
	buf_printf(w->out, "%" PRIu64, n);
}

void json_put_real(struct json_writer *w, const char *key, double n)
{
	char digits[32];

	if (!isfinite(n)) {
		json_put_null(w, key);
		return;
	}
	put_key(w, key);
	/* 15 digits are always kept by a double, and 17 always tell it */
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(digits, sizeof(digits), "%.*g", precision, n);
		if (strtod(digits, NULL) == n)
			break;
	}
	/* a locale's point */
	for (char *p = digits; *p; p++)
		if (!strchr("+-0123456789.e", *p))
			*p = '.';
	buf_puts(w->out, digits);
	if (!strpbrk(digits, ".e"))
		buf_puts(w->out, ".0");
}

void json_put_seconds(struct json_writer *w, const char *key, int64_t ns)
{
	uint64_t n = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	char digits[32];
	int length = snprintf(digits, sizeof(digits), "%s%" PRIu64 ".%09" PRIu64, ns < 0 ? "-" : "",
			      n / NSEC_PER_SEC, n % NSEC_PER_SEC);

	while (digits[length - 1] == '0' && digits[length - 2] != '.')
		length--;
	put_key(w, key);
	buf_append(w->out, digits, (size_t)length);
}

void json_put_bool(struct json_writer *w, const char *key, bool b)
{
	put_key(w, key);
	buf_puts(w->out, b ? "true" : "false");
}

void json_put_null(struct json_writer *w, const char *key)
{
	put_key(w, key);
	buf_puts(w->out, "null");
}

void json_put_elements(struct json_writer *w, const char *key, const struct buf *elements)
{
	json_put_array(w, key);
	buf_append(w->out, elements->data, elements->size);
	if (elements->error && !w->out->error)
		w->out->error = elements->error;
	json_put_end(w);
}

int json_writer_done(struct json_writer *w)
{
	if (w->depth || (!w->out->size && !w->out->error))
		mistake(w);
	return w->out->error;
}
