/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "api/scope.h"
#include "util/macro.h"

/* What a secret is good for, and how long. */
struct session_terms {
	uint64_t until_ns; /* CLOCK_BOOTTIME; 0: unused */
	struct scope scope;
	bool named; /* it is, or is made from, a token of plopctl token */
};

/*
 * Secrets with an end: the sessions that cookies name, and the tokens that plopd has vouched for.
 * Bounded: the oldest goes.
 */
#define SESSIONS_MAX     128
#define SESSION_TEXT_MAX 257

struct sessions {
	struct session {
		char secret[SESSION_TEXT_MAX];
		char token[SESSION_TEXT_MAX]; /* that it was made from; "": none */
		uint64_t number;              /* another one for each, from SESSION_FIRST on */
		struct session_terms terms;
	} items[SESSIONS_MAX];
};
/* Numbers below are for what is no session: the token of plop.conf. */
#define SESSION_FIRST 16

/* token: what it was made from, or NULL. */
void sessions_add(struct sessions *s, const char *secret, const char *token,
		  const struct session_terms *terms);
/*
 * The session's number, 0: there is none. Looks at every item whatever it finds, so that the time
 * tells nothing. ret: its terms, may be NULL.
 */
uint64_t sessions_find(const struct sessions *s, const char *secret, uint64_t now_ns,
		       struct session_terms *ret);
/*
 * Ends the session; token (SESSION_TEXT_MAX bytes, may be NULL) gets what it was made from. Its
 * number, 0: there is none.
 */
uint64_t sessions_end(struct sessions *s, const char *secret, uint64_t now_ns, char *token);
/* 256 random bits in hex; size at least SESSION_HEX + 1. Negative errno: the kernel has none. */
int session_random(char *buffer, size_t size);
#define SESSION_HEX 64
