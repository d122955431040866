/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/scope.h"
#include "util/json.h"
#include "util/sha256.h"

/*
 * Tokens that somebody makes by plopctl token, for a program or a person: each has a name, a scope
 * and an end. What is kept of its secret is a hash: the secret has 192 random bits, so nobody finds
 * it out by guessing, however fast.
 */
#define NAMED_TOKENS_MAX  256
#define TOKEN_NAME_MAX    64 /* bytes: letters, digits, and "._-" */
#define TOKEN_SECRET_MAX  64
#define TOKEN_NAME_PREFIX "token " /* of scope.who */

struct named_token {
	char name[TOKEN_NAME_MAX + 1];
	struct scope scope;
	uint8_t hash[SHA256_SIZE];
	uint64_t made_ns, until_ns; /* CLOCK_REALTIME; until 0: it does not end */
	uint64_t used_ns;           /* asked for last, of this plopd; 0: it was not */
};

struct named_tokens {
	struct named_token items[NAMED_TOKENS_MAX];
	size_t n;
};

bool token_name_valid(const char *name);
/*
 * Makes one of name, scope, made_ns and until_ns, and says its secret, which nobody can say again.
 * Those that have ended give way. -EEXIST: one has the name; -E2BIG; -EIO: no random bytes.
 */
int named_tokens_add(struct named_tokens *t, const struct named_token *token,
		     char ret_secret[static TOKEN_SECRET_MAX]);
/* The one of a secret, if it is good now; NULL: there is none. */
struct named_token *named_tokens_find(struct named_tokens *t, const char *secret, uint64_t now_ns);
/* -ENOENT: there is none of that name. */
int named_tokens_drop(struct named_tokens *t, const char *name);
/* Forgets those that have ended; how many did. */
unsigned int named_tokens_expire(struct named_tokens *t, uint64_t now_ns);
/* {"tokens": [...]}; kept: for the file, with hashes, and not for people. */
void named_tokens_put(const struct named_tokens *t, bool kept, struct json_writer *w);
/* What was kept. -EBADMSG: it is something else, and there are none. */
int named_tokens_parse(struct named_tokens *t, const char *text, size_t size);
