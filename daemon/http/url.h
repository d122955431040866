/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/buf.h"

/*
 * Exchanges with an http or https URL, waited for: for a worker, or a command. No redirection is
 * followed. 0: it was answered with a status of 200 to 299. Else a negative errno, and why it
 * failed.
 */
#define HTTP_URL_WHY 320 /* bytes of why it failed */

/* Posts JSON. The body of the answer is not kept. */
int http_post(const char *url, const char *body, unsigned int timeout_s,
	      char why[static HTTP_URL_WHY]);
/* Gets what is there, which is added to to; -EFBIG: more than its limit. */
int http_get(const char *url, unsigned int timeout_s, struct buf *to,
	     char why[static HTTP_URL_WHY]);
/* The same, with a token in the header Authorization. */
int http_get_as(const char *url, const char *token, unsigned int timeout_s, struct buf *to,
		char why[static HTTP_URL_WHY]);
