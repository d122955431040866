/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

#include "util/macro.h"

/* What a request's headers say, as pure functions. */

/*
 * May a browser have meant this server by Host? Loopback names and addresses, the address that is
 * listened on, and, where that is all addresses, any address that is written as numbers and this
 * host's name. A foreign name that a hostile DNS server has pointed here is none of them. host: the
 * header's value, with or without port.
 */
bool check_host(const char *host, const char *listen_host, const char *own_name);

/* Origin is absent (NULL), or the very place that Host names, or own ("https://ops.example"). */
bool check_origin(const char *origin, const char *host, const char *own);

/*
 * The last address of a header X-Forwarded-For, which is the client's where the proxy has put it
 * there; IPv6's may have brackets, and each a port. false: it is none.
 */
bool check_forwarded(const char *header, struct in6_addr *ret);

/*
 * The value of the next cookie of that name into buffer, and *header moves behind it; false: there
 * is none any more. One that does not fit is passed over. header: "a=1; b=2". A browser sends all
 * of a name: those of longer paths first, and those that another port of the same host has set as
 * well (RFC 6265, sections 5.4 and 8.5).
 */
bool check_cookie(const char **header, const char *name, char *buffer, size_t size);

/* Equal, in a time that does not depend on where they differ (only on the length of given). */
bool check_secret(const char *given, const char *secret);

/* Something that plopd could have minted: 4 to 256 characters of base64url or hex. */
bool check_token_form(const char *token);

/*
 * The token of a form's body (application/x-www-form-urlencoded) into token: the field "token",
 * without white space around it, or of an address in that field its parameter "token". false: there
 * is none, or what there is does not fit.
 */
bool check_form(const char *body, char *token, size_t size);
#define CHECK_FORM_MAX 3072 /* bytes of the body */
