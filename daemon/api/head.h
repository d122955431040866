/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/*
 * The gate before the HTTP parser: is this the head of a request that plop takes? libmicrohttpd answers what it cannot
 * parse with a page of HTML of its own; what passes here it can parse, so that every error is plop's JSON.
 */
struct head_problem {
	unsigned int status; /* 400, 414, 431, 501, 505 */
	const char *error;   /* static */
};

/*
 * data: the first size bytes that the client sent. 1: a whole, good head; 0: good so far, more is needed;
 * -EBADMSG: bad, and *ret says why. Pure.
 */
int head_check(const char *data, size_t size, struct head_problem *ret);

#define HEAD_MAX_TARGET  4096
#define HEAD_MAX_HEADERS 64
