/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/buf.h"

/*
 * What who asks may do and see of what a trusted peer may: all for a user of the socket, less for
 * who shows a token of plopctl token, or is vouched for by a proxy. plop-gateway hands it on to
 * plopd with each request, in a header, by which one who is trusted can only lose.
 */
#define SCOPE_HEADER      "Plop-Scope"
#define SCOPE_SERVICE_MAX 256 /* bytes */
#define SCOPE_WHO_MAX     128

enum scope_may {
	SCOPE_ALL,    /* whatever the peer may */
	SCOPE_RECORD, /* look, and record */
	SCOPE_READ,   /* look */
	SCOPES,
};

struct scope {
	enum scope_may may;
	char service[SCOPE_SERVICE_MAX + 1]; /* of which alone; "": of all */
	char who[SCOPE_WHO_MAX + 1];         /* "token grafana", for logs; "": the peer itself */
};

/* What a scope must let for a request. What no route says is for no scope at all. */
enum scope_needs {
	NEEDS_ALL = 0,  /* there is no scope, or it takes nothing away */
	NEEDS_RECORD,   /* to record */
	NEEDS_READ_ALL, /* to look, whatever service it is of */
	NEEDS_READ,     /* to look: the handler leaves out what is of another service */
};

bool scope_lets(const struct scope *s, enum scope_needs needs);
/* "read", "record" or "all"; static. */
const char *scope_name(enum scope_may may);
/* -EINVAL: there is none of that name. */
int scope_find(const char *name, enum scope_may *ret);
/* Whether it can be the name of a service, or of who asks: UTF-8, all of it visible. */
bool scope_text_valid(const char *text, size_t max);
/* The header's value. */
void scope_put(const struct scope *s, struct buf *b);
/* ... and what it says. -EINVAL: it says something else. Pure. */
int scope_parse(const char *text, struct scope *ret);
