/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/text.h"

#include <inttypes.h>

#include "util/frame_kind.h"
#include "util/utf8.h"

void text_json(struct buf *b, const char *s)
{
	char bytes[UTF8_MAX];
	uint32_t c;

	buf_putc(b, '"');
	while (*s) {
		const char *from = s;

		/* what stands for itself, which is most */
		while (*s >= 0x20 && *s < 0x7f && *s != '"' && *s != '\\')
			s++;
		buf_append(b, from, (size_t)(s - from));
		if (!*s)
			break;
		s += utf8_decode(s, &c);
		if (c == '"' || c == '\\') {
			buf_putc(b, '\\');
			buf_putc(b, (char)c);
		} else if (c < 0x20 || c == 0x7f || c == 0x2028 || c == 0x2029) {
			/* The last two are legal in JSON, but end a line in older JavaScript. */
			buf_printf(b, "\\u%04" PRIx32, c);
		} else {
			buf_append(b, bytes, utf8_encode(c, bytes));
		}
	}
	buf_putc(b, '"');
}

static void seconds(struct buf *b, uint64_t whole, uint64_t fraction, int digits)
{
	while (digits > 1 && fraction % 10 == 0) {
		fraction /= 10;
		digits--;
	}
	buf_printf(b, "%" PRIu64 ".%0*" PRIu64, whole, digits, fraction);
}

void text_json_seconds(struct buf *b, uint64_t ns)
{
	seconds(b, ns / NSEC_PER_SEC, ns % NSEC_PER_SEC, 9);
}

void text_json_double(struct buf *b, double s)
{
	uint64_t us;

	/* Also false for NaN. */
	if (!(s > 0 && s < 1e12))
		s = 0;
	us = (uint64_t)(s * 1e6 + 0.5);
	seconds(b, us / USEC_PER_SEC, us % USEC_PER_SEC, 6);
}

void text_python(struct buf *b, const char *s)
{
	uint32_t c;

	buf_putc(b, '\'');
	while (*s) {
		s += utf8_decode(s, &c);
		if (c == '\'' || c == '\\') {
			buf_putc(b, '\\');
			buf_putc(b, (char)c);
		} else if (c < 0x20 || c == 0x7f) {
			buf_printf(b, "\\x%02" PRIx32, c);
		} else if (c < 0x7f) {
			buf_putc(b, (char)c);
		} else if (c < 0x10000) {
			buf_printf(b, "\\u%04" PRIx32, c);
		} else {
			buf_printf(b, "\\U%08" PRIx32, c);
		}
	}
	buf_putc(b, '\'');
}

void text_collapsed(struct buf *b, const char *s)
{
	char bytes[UTF8_MAX];
	uint32_t c;

	while (*s) {
		s += utf8_decode(s, &c);
		if (c == ';')
			c = ':';
		else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029)
			c = UTF8_REPLACEMENT;
		buf_append(b, bytes, utf8_encode(c, bytes));
	}
}

void text_json_tally(struct buf *b, const struct tally *t)
{
	buf_printf(b,
		   "\"ticks\":%" PRIu64 ",\"python\":%" PRIu64 ",\"other\":%" PRIu64
		   ",\"truncated\":%" PRIu64 ",\"lost\":{",
		   t->ticks, t->python, t->other, t->truncated);
	for (unsigned int i = 0; i < PLOP_LOST_CAUSES; i++)
		buf_printf(b, "%s\"%s\":%" PRIu64, i ? "," : "", tally_lost_name(i), t->lost[i]);
	buf_putc(b, '}');
}

void text_json_states(struct buf *b, const uint64_t states[SAMPLE_STATES])
{
	const char *comma = "";

	buf_putc(b, '{');
	for (uint32_t i = 0; i < SAMPLE_STATES; i++) {
		if (!states[i])
			continue;
		buf_printf(b, "%s\"%s\":%" PRIu64, comma, sample_state_name(i), states[i]);
		comma = ",";
	}
	buf_putc(b, '}');
}

void text_json_labels(struct buf *b, const struct labels *l)
{
	buf_putc(b, '{');
	for (size_t i = 0; i < l->n; i++) {
		if (i)
			buf_putc(b, ',');
		text_json(b, l->items[i].key);
		buf_putc(b, ':');
		text_json(b, l->items[i].value);
	}
	buf_putc(b, '}');
}

void text_comment(struct buf *b, const struct profile *p)
{
	buf_printf(b,
		   "ticks=%" PRIu64 " python=%" PRIu64 " other=%" PRIu64 " truncated=%" PRIu64
		   " samples=%" PRIu64,
		   p->tally.ticks, p->tally.python, p->tally.other, p->tally.truncated,
		   p->samples_total);
	for (unsigned int i = 0; i < PLOP_LOST_CAUSES; i++)
		buf_printf(b, " lost.%s=%" PRIu64, tally_lost_name(i), p->tally.lost[i]);
}

const char *text_place(const struct dict_function *f)
{
	return *f->file ? f->file : f->module;
}

void text_json_where(struct buf *b, const struct dict_function *f)
{
	buf_puts(b, ",\"file\":");
	text_json(b, f->file);
	buf_printf(b, ",\"line\":%d,\"kind\":\"%s\",\"module\":", f->line,
		   frame_kind_name(f->kind));
	text_json(b, f->module);
}

void text_json_head(struct buf *b, const struct profile *p, uint64_t total,
		    const uint64_t states[SAMPLE_STATES])
{
	buf_puts(b, ",\"version\":1,\"start\":");
	text_json_seconds(b, p->start_ns);
	buf_puts(b, ",\"end\":");
	text_json_seconds(b, p->end_ns);
	buf_puts(b, ",\"duration_s\":");
	text_json_seconds(b, p->end_ns > p->start_ns ? p->end_ns - p->start_ns : 0);
	buf_printf(b, ",\"hz\":%" PRIu32 ",\"running\":%s,", p->hz, p->running ? "true" : "false");
	text_json_tally(b, &p->tally);
	/* Ticks, and what they and the time off CPU add up to in the profile's unit. */
	buf_printf(b, ",\"samples\":%" PRIu64 ",\"unit\":\"%s\",\"total\":%" PRIu64 ",\"states\":",
		   p->samples_total, profile_unit(p), total);
	text_json_states(b, states);
}
