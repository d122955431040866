/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "ctl/ctl.h"

/* The events of GET /v1/stream, without blocking. */
struct top_stream;
int top_stream_new(const struct ctl *ctl, const char *path, struct top_stream **ret);
void top_stream_free(struct top_stream *s);
DEFINE_FREEP(struct top_stream, top_stream_free)

/* Waits for an event, for input on one of the n fds, a signal, or timeout_ms. */
void top_stream_wait(struct top_stream *s, const int *fds, unsigned int n, int timeout_ms);
/* The newest event that came, to json_decref(); NULL: none. */
json_t *top_stream_take(struct top_stream *s);
/* 0, or why the stream ended: a negative errno. */
int top_stream_ended(const struct top_stream *s);
