/* SPDX-License-Identifier: BSD-2-Clause */
#include "clickhouse/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/poster.h"

/*
 * Codes of ClickHouse's errors (src/Common/ErrorCodes.cpp), which both 18.16 and 26.9 put before
 * what they say: "Code: 60, e.displayText() = ..." and "Code: 60. DB::Exception: ...".
 */
static const struct {
	unsigned int code;
	enum clickhouse_kind kind;
} codes[] = {
	{ 16, CLICKHOUSE_SCHEMA },   /* no such column in a table */
	{ 47, CLICKHOUSE_SCHEMA },   /* unknown identifier */
	{ 60, CLICKHOUSE_SCHEMA },   /* unknown table */
	{ 81, CLICKHOUSE_SCHEMA },   /* unknown database */
	{ 164, CLICKHOUSE_REFUSED }, /* read only */
	{ 192, CLICKHOUSE_REFUSED }, /* unknown user */
	{ 193, CLICKHOUSE_REFUSED }, /* wrong password */
	{ 194, CLICKHOUSE_REFUSED }, /* password required */
	{ 195, CLICKHOUSE_REFUSED }, /* address not allowed */
	{ 291, CLICKHOUSE_REFUSED }, /* database access denied */
	{ 497, CLICKHOUSE_REFUSED }, /* access denied */
	{ 516, CLICKHOUSE_REFUSED }, /* authentication failed */
	{ 33, CLICKHOUSE_BAD },      /* cannot read all data */
	{ 62, CLICKHOUSE_BAD },      /* syntax error */
	{ 117, CLICKHOUSE_BAD },     /* incorrect data */
};

static bool starts(const char *text, size_t size, const char *word)
{
	return size >= strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

/* The code of an error; 0: it says none. */
static unsigned int code_of(const struct buf *body)
{
	static const char word[] = "Code: ";

	if (!body->size || !starts(body->data, body->size, word))
		return 0;
	/* ends: at the buffer's end, or at what is no digit */
	unsigned int code = 0;

	for (size_t i = strlen(word); i < body->size && code < 100000; i++) {
		if (body->data[i] < '0' || body->data[i] > '9')
			break;
		code = code * 10 + (unsigned int)(body->data[i] - '0');
	}
	return code;
}

static enum clickhouse_kind kind_of(unsigned int status, unsigned int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i].code == code)
			return codes[i].kind;
	if (status == 401 || status == 403)
		return CLICKHOUSE_REFUSED;
	if (status == 413)
		return CLICKHOUSE_TOO_LARGE;
	return status == 408 || status == 429 || status >= 500 ? CLICKHOUSE_BUSY : CLICKHOUSE_BAD;
}

void clickhouse_judge(const char *place, unsigned int status, unsigned int retry_after_s,
		      const struct buf *body, struct clickhouse_trouble *ret)
{
	static const char *const hints[] = {
		[CLICKHOUSE_AWAY] = "",
		[CLICKHOUSE_BUSY] = "it is asked again later",
		[CLICKHOUSE_TOO_LARGE] = "raise its limit, or ship smaller windows",
		[CLICKHOUSE_REFUSED] = "look at user and password_file in [fleet] of plop.conf",
		[CLICKHOUSE_SCHEMA] = "plop-gateway --init-store makes its tables",
		[CLICKHOUSE_BAD] = "is it a ClickHouse?",
	};
	char line[256];

	poster_first_line(body, line, sizeof(line));
	*ret = (struct clickhouse_trouble){
		.kind = kind_of(status, code_of(body)),
		.retry_after_s = retry_after_s,
	};
	snprintf(ret->sentence, sizeof(ret->sentence), "the store at %.100s says no (%u%s%s): %s",
		 place, status, *line ? ": " : "", line, hints[ret->kind]);
}
