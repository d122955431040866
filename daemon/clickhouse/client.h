/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/buf.h"

/*
 * A server of ClickHouse, by its HTTP interface. The connection stays open. A call blocks until it
 * is answered or the time is up: it is for a thread that may, one at a time.
 */
struct clickhouse;

struct clickhouse_options {
	/* http[s]://HOST[:PORT][/DATABASE][?cluster=NAME]; the database is plop where none is named
	 */
	const char *url;
	const char *user;          /* NULL or "": default */
	const char *password_file; /* its first line; NULL or "": no password */
	const char *ca_file;       /* certificates that are trusted; NULL or "": the system's */
	unsigned int timeout_s;    /* for a call; 0: 30 */
};

/* -EINVAL and others: *ret_error is one sentence, owned by the caller. */
int clickhouse_new(const struct clickhouse_options *o, struct clickhouse **ret, char **ret_error);
void clickhouse_free(struct clickhouse *c);
DEFINE_FREEP(struct clickhouse, clickhouse_free)
/*
 * From any thread: a call that is under way ends within a second or so, and all later ones at once,
 * as AWAY.
 */
void clickhouse_stop(struct clickhouse *c);

const char *clickhouse_database(const struct clickhouse *c); /* a name of letters, digits and _ */
const char *clickhouse_cluster(const struct clickhouse *c);  /* likewise; "": there is none */
const char *clickhouse_place(const struct clickhouse *c);    /* "host:8123", for messages */

/*
 * It is of version 18 or 19, which want to be told that LowCardinality may be used. Later ones know
 * no such setting, and refuse it.
 */
void clickhouse_is_old(struct clickhouse *c);

/* Why a call failed, for who decides what to do then, and for a person. */
enum clickhouse_kind {
	CLICKHOUSE_AWAY,      /* not reached, or it is not known what became of the call */
	CLICKHOUSE_BUSY,      /* it has said that it could not now */
	CLICKHOUSE_TOO_LARGE, /* the body, or the answer */
	CLICKHOUSE_REFUSED,   /* user, password or certificate */
	CLICKHOUSE_SCHEMA,    /* a database, table or column is not there, or of a newer plop */
	CLICKHOUSE_BAD,       /* anything else: to say the same again helps nothing */
};
struct clickhouse_trouble {
	enum clickhouse_kind kind;
	unsigned int retry_after_s; /* that it has asked for; 0: it has not */
	bool newer;                 /* SCHEMA: of a newer plop */
	char sentence[512];         /* what failed, why, and what to try */
};

/*
 * What became of a call. -EAGAIN: AWAY or BUSY; -E2BIG; -EACCES; -ENOENT: SCHEMA; -EPROTO: BAD;
 * -ENOMEM.
 */
/*
 * Appends what the server answers; the format is in sql. Beyond to->limit it is TOO_LARGE. An
 * answer is whole, or the call has failed.
 */
int clickhouse_ask(struct clickhouse *c, const char *sql, struct buf *to,
		   struct clickhouse_trouble *ret_why);
/* into: "TABLE (COLUMN, COLUMN)", of the database. rows: RowBinary, rows.h. */
int clickhouse_insert(struct clickhouse *c, const char *into, const struct buf *rows,
		      struct clickhouse_trouble *ret_why);
/* The same, of another format. */
int clickhouse_insert_as(struct clickhouse *c, const char *into, const char *format,
			 const struct buf *rows, struct clickhouse_trouble *ret_why);
/* Bytes that were sent as bodies, compressed, since the beginning. */
uint64_t clickhouse_sent(const struct clickhouse *c);

/*
 * What an answer that is no success says: its status, its header Retry-After (0: none) and its
 * body. Pure.
 */
void clickhouse_judge(const char *place, unsigned int status, unsigned int retry_after_s,
		      const struct buf *body, struct clickhouse_trouble *ret);
