/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/* A plop-gateway at an http or https URL, and what each exchange with it needs. */
struct http_server {
	/*
	 * "https://host:7567", with the path that a proxy may have it below, and without a "/" at
	 * its end; owned, as all
	 */
	char *base;
	char *token;   /* NULL: none is shown */
	char *ca_file; /* certificates that its own is checked by; NULL: the system's */
};
/* -EINVAL: *ret_why says why it is no such URL, static; -ENOMEM. ret: owned by the caller. Pure. */
int http_server_parse(const char *url, char **ret_base, const char **ret_why);
/*
 * The token in the first line of a file. -EBADMSG: that is none, which could go into a header; or
 * why it cannot be read.
 */
int http_token_read(const char *path, char **ret);
void http_server_done(struct http_server *s);
