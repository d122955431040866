/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

/*
 * The viewer's tokens: random, made by plopd for those who may use its socket, checked by
 * plop-gateway through it. They live in memory only and end with plopd.
 */
#define TOKENS_MAX   64
#define TOKEN_LIFE_S 3600
#define TOKEN_HEX    32

struct tokens {
	struct {
		char hex[TOKEN_HEX + 1];
		uint64_t until; /* CLOCK_MONOTONIC, ns */
	} items[TOKENS_MAX];
};

/*
 * A fresh token; the oldest gives way when there are too many. now_ns: CLOCK_MONOTONIC. -EIO: no
 * random bytes.
 */
int tokens_new(struct tokens *t, uint64_t now_ns, char ret[static TOKEN_HEX + 1]);
/*
 * Seconds that the token is still good for; 0: it is not. Takes the same time whatever is wrong
 * with it.
 */
uint64_t tokens_check(const struct tokens *t, uint64_t now_ns, const char *token);
/* The token is good no more, whether it was or not. */
void tokens_revoke(struct tokens *t, const char *token);
