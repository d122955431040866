/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/* Bytes of why it failed. */
#define HTTP_POST_WHY 320

/*
 * Posts JSON to an http or https URL, and waits for the answer, whose body is not kept; it follows
 * no redirection. For a worker. 0: it was answered with a status of 200 to 299. Else a negative
 * errno, and why it failed.
 */
int http_post(const char *url, const char *body, unsigned int timeout_s,
	      char why[static HTTP_POST_WHY]);
