/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

/*
 * The gate before the HTTP parser: is this the head of a request that plop takes? libmicrohttpd
 * answers what it cannot parse with a page of HTML of its own; what passes here it can parse, so
 * that every error is plop's JSON.
 */
struct head_problem {
	unsigned int status; /* 400, 413, 414, 431, 501, 505 */
	const char *error;   /* static */
};

/* What a whole, good head says of what follows it. */
struct head {
	size_t size;  /* of the head, the empty line included */
	bool chunked; /* a body in chunks follows (RFC 9112, section 7.1) */
	bool expects; /* the client waits for "100 Continue" before it sends the body */
};

/*
 * data: the first size bytes that the client sent. 1: a whole, good head, and *ret_head tells of
 * it; 0: good so far, more is needed; -EBADMSG: bad, and *ret says why. Pure.
 */
int head_check(const char *data, size_t size, struct head *ret_head, struct head_problem *ret);

/*
 * The same for a body in chunks: data is what came behind the head. libmicrohttpd knows no chunk
 * extensions and answers a chunk that it cannot parse by a page of its own, so these bodies are
 * looked at as a whole before it gets them. 413: more than API_MAX_BODY bytes, or so many small
 * chunks that HEAD_MAX_CHUNKED bytes do not hold them.
 */
int chunked_check(const char *data, size_t size, struct head_problem *ret);

/* One header line without its CR LF: 0, or -EBADMSG and *ret says why. */
int head_field(const char *s, size_t n, struct head_problem *ret);

#define HEAD_MAX_TARGET  4096
#define HEAD_MAX_HEADERS 64
#define HEAD_MAX_CHUNKED \
	(128 * 1024) /* bytes of a body in chunks, with the chunks' heads and the trailers */
