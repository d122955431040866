/* SPDX-License-Identifier: BSD-2-Clause */
#include "clickhouse/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "clickhouse/place.h"
#include "http/exchange.h"
#include "http/poster.h"

struct clickhouse {
	struct clickhouse_url url;
	struct poster *poster;
	bool old;
};

void clickhouse_stop(struct clickhouse *c)
{
	poster_stop(c->poster);
}

/* Who asks, by headers, so that it is in no log of addresses. */
static int set_user(struct clickhouse *c, const struct clickhouse_options *o, char **ret_error)
{
	_cleanup_free_ char *password = NULL, *user = NULL, *key = NULL;
	int r = 0;

	if (o->password_file && *o->password_file)
		r = poster_secret(o->password_file, &password);
	if (r < 0) {
		if (asprintf(ret_error, "cannot read password_file %s: %s", o->password_file,
			     r == -ENODATA ? "it is empty" : strerror(-r)) < 0)
			*ret_error = NULL;
		return r;
	}
	if (asprintf(&user, "X-ClickHouse-User: %s", o->user && *o->user ? o->user : "default") < 0)
		return -ENOMEM;
	/* a header whose value is empty is written with a semicolon */
	if (asprintf(&key, password && *password ? "X-ClickHouse-Key: %s" : "X-ClickHouse-Key;%s",
		     password ? password : "") < 0)
		return -ENOMEM;
	r = poster_header(c->poster, user);
	return r == 0 ? poster_header(c->poster, key) : r;
}

int clickhouse_new(const struct clickhouse_options *o, struct clickhouse **ret, char **ret_error)
{
	_cleanup_(clickhouse_freep) struct clickhouse *c = calloc(1, sizeof(*c));
	const char *why = NULL;
	int r;

	if (!c)
		return -ENOMEM;
	r = clickhouse_url_parse(o->url, &c->url, &why);
	if (r == -EINVAL &&
	    asprintf(ret_error, "%s is no address of a ClickHouse: %s", o->url, why) < 0)
		*ret_error = NULL;
	if (r == 0)
		r = poster_new(&(struct poster_options){ .place = c->url.place,
							 .ca_file = o->ca_file,
							 .timeout_s = o->timeout_s },
			       &c->poster);
	if (r == 0)
		r = set_user(c, o, ret_error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

void clickhouse_free(struct clickhouse *c)
{
	if (c->poster)
		poster_free(c->poster);
	clickhouse_url_done(&c->url);
	free(c);
}

const char *clickhouse_database(const struct clickhouse *c)
{
	return c->url.database;
}

const char *clickhouse_cluster(const struct clickhouse *c)
{
	return c->url.cluster;
}

const char *clickhouse_place(const struct clickhouse *c)
{
	return c->url.place;
}

void clickhouse_is_old(struct clickhouse *c)
{
	c->old = true;
}

uint64_t clickhouse_sent(const struct clickhouse *c)
{
	return poster_sent(c->poster);
}

static const int results[] = {
	[CLICKHOUSE_AWAY] = -EAGAIN,     [CLICKHOUSE_BUSY] = -EAGAIN,
	[CLICKHOUSE_TOO_LARGE] = -E2BIG, [CLICKHOUSE_REFUSED] = -EACCES,
	[CLICKHOUSE_SCHEMA] = -ENOENT,   [CLICKHOUSE_BAD] = -EPROTO,
};

static enum clickhouse_kind kind_of(int r)
{
	return r == -EACCES ? CLICKHOUSE_REFUSED :
	       r == -E2BIG  ? CLICKHOUSE_TOO_LARGE :
			      CLICKHOUSE_AWAY;
}

static int call(struct clickhouse *c, const struct poster_call *q,
		struct clickhouse_trouble *ret_why)
{
	_cleanup_(poster_answer_done) struct poster_answer a = {};
	int r = poster_post(c->poster, q, &a);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		*ret_why = (struct clickhouse_trouble){ .kind = kind_of(r) };
		memcpy(ret_why->sentence, a.why, sizeof(ret_why->sentence));
	} else if (a.status != 200) {
		clickhouse_judge(c->url.place, a.status, a.retry_after_s, &a.said, ret_why);
		r = results[ret_why->kind];
	}
	return r;
}

/*
 * The server has an answer whole before it begins to send it: what goes wrong in the midst of a
 * query would come behind the status of a success. On a cluster rows are there when it says so.
 */
#define SETTINGS "wait_end_of_query=1&enable_http_compression=1&insert_distributed_sync=1"

static char *address(const struct clickhouse *c, const char *into, const char *format)
{
	_cleanup_buf_ struct buf url = {};

	buf_printf(&url, "%s?" SETTINGS "%s", c->url.base,
		   c->old ? "&allow_experimental_low_cardinality_type=1" : "");
	if (into) {
		_cleanup_free_ char *sql = NULL;

		if (asprintf(&sql, "INSERT INTO %s.%s FORMAT %s", c->url.database, into, format) <
		    0)
			return NULL;
		buf_puts(&url, "&query=");
		http_escape(&url, sql);
	}
	return buf_string(&url);
}

int clickhouse_ask(struct clickhouse *c, const char *sql, struct buf *to,
		   struct clickhouse_trouble *ret_why)
{
	_cleanup_free_ char *url = address(c, NULL, NULL);
	const struct buf body = { .data = (char *)sql, .size = strlen(sql) };
	const struct poster_call q = { .url = url, .body = &body, .to = to };

	return url ? call(c, &q, ret_why) : -ENOMEM;
}

int clickhouse_insert(struct clickhouse *c, const char *into, const struct buf *rows,
		      struct clickhouse_trouble *ret_why)
{
	return clickhouse_insert_as(c, into, "RowBinary", rows, ret_why);
}

int clickhouse_insert_as(struct clickhouse *c, const char *into, const char *format,
			 const struct buf *rows, struct clickhouse_trouble *ret_why)
{
	_cleanup_buf_ struct buf body = {}, answer = { .limit = POSTER_SAID_MAX };
	_cleanup_free_ char *url = address(c, into, format);
	const struct poster_call q = { .url = url, .body = &body, .gzip = true, .to = &answer };
	int r = poster_gzip(rows, Z_DEFAULT_COMPRESSION, &body);

	if (r < 0 || !url)
		return r < 0 ? r : -ENOMEM;
	return call(c, &q, ret_why);
}
