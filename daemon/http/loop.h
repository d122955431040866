/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <systemd/sd-event.h>

#include "http/exchange.h"

/* Many exchanges at once inside an event loop (libcurl's multi interface). */
struct http_loop;
int http_loop_new(sd_event *loop, struct http_loop **ret);
/* The exchanges must have been removed. */
void http_loop_free(struct http_loop *l);
DEFINE_FREEP(struct http_loop, http_loop_free)

/*
 * Begins an exchange that is set up and has its socket. done: r as http_exchange_result(); the
 * exchange is to be removed and ended then, in done() or later. -ENOMEM.
 */
int http_loop_add(struct http_loop *l, struct http_exchange *e,
		  void (*done)(struct http_exchange *e, int r));
void http_loop_remove(struct http_loop *l, struct http_exchange *e);
