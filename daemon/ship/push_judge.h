/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "http/poster.h"
#include "ship/push.h"

/* What an answer says of a request. */
enum push_verdict {
	PUSH_TAKEN,   /* it is there */
	PUSH_LATER,   /* not now */
	PUSH_SMALLER, /* it is too large */
	PUSH_NEVER,   /* to say the same again helps nothing */
	PUSH_NOT_US,  /* token, user, password or tenant */
	PUSH_NO_SUCH, /* no such store is there */
};

/*
 * old: what is in it is over an hour old. Pyroscope says 422 of nearly all that goes wrong behind
 * /ingest. With the words invalid_argument it is about the profile; else it is asked again of what
 * is no older.
 * sentence: of what is no success, or was not taken for another reason; it is at least POSTER_WHY
 * bytes. Pure.
 */
#define PUSH_OLD_NS (3600 * NSEC_PER_SEC)
enum push_verdict push_judge(enum push_store store, const char *place,
			     const struct poster_answer *answer, bool old,
			     char sentence[static POSTER_WHY]);
/* What an answer of success to OTLP says of what was not taken; true: something was not. Pure. */
bool push_judge_partial(const char *place, const struct buf *body,
			char sentence[static POSTER_WHY]);
