/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "http/exchange.h"

/* Runs an exchange piece by piece, for a program that waits for other things as well. */
struct http_follower;
/* The exchange is begun and borrowed. -ENOMEM. */
int http_follower_new(struct http_exchange *e, const char *socket, struct http_follower **ret);
void http_follower_free(struct http_follower *f);
DEFINE_FREEP(struct http_follower, http_follower_free)

/* Takes what has come already. */
void http_follower_step(struct http_follower *f);
/* Waits for more of the answer, for input on one of the n fds, a signal, or timeout_ms. */
void http_follower_wait(struct http_follower *f, const int *fds, unsigned int n, int timeout_ms);
/* Whether it is over; then ret_result gets what became of it. */
bool http_follower_ended(const struct http_follower *f, int *ret_result);
