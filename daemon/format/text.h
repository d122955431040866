/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "util/buf.h"

/* s as a JSON string with its quotes; what is not UTF-8 becomes U+FFFD. */
void text_json(struct buf *b, const char *s);
/* Nanoseconds since 1970 as JSON seconds, without rounding: 1700000000.25. Free of the locale. */
void text_json_seconds(struct buf *b, uint64_t ns);
/* The same for a double, to the microsecond; 0 for what is no sensible time. */
void text_json_double(struct buf *b, double seconds);
/* s as a Python 3 string literal, pure ASCII, that evaluates to s. */
void text_python(struct buf *b, const char *s);
/*
 * s as part of a collapsed line: ";" becomes ":", control characters and line ends of any kind
 * U+FFFD.
 */
void text_collapsed(struct buf *b, const char *s);
/* "ticks":n,"python":n,"other":n,"truncated":n,"lost":{CAUSE:n} */
void text_json_tally(struct buf *b, const struct tally *t);

/*
 * "ticks=n python=n other=n truncated=n samples=n lost.CAUSE=n ...", for formats with room for a
 * line to be read by people.
 */
void text_comment(struct buf *b, const struct profile *p);

/* {"gil held":30,...}: what the samples of each state weigh, where that is not 0. */
void text_json_states(struct buf *b, const uint64_t states[SAMPLE_STATES]);

/*
 * ,"version":1,"start":..."states":{...}: what a profile is of, and what it adds up to: its
 * samples, and total in its unit, by state.
 */
void text_json_head(struct buf *b, const struct profile *p, uint64_t total,
		    const uint64_t states[SAMPLE_STATES]);

/* ,"file":...,"line":...,"kind":...,"module":...: where a function is, and what. */
void text_json_where(struct buf *b, const struct dict_function *f);

/* {"KEY":"VALUE",...} */
void text_json_labels(struct buf *b, const struct labels *l);

/*
 * Where a function lies, for formats that have one place for it: its file, else its module; "": not
 * known, or it is synthetic.
 */
const char *text_place(const struct dict_function *f);
