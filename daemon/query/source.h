/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/worker.h"

struct question;
struct refusal;

/*
 * Where windows come from. plop.db is one (store_source.h); plopd's is that one and the windows in
 * its memory. A program fills in what a source does; questions (question.h) go through it in the
 * order of these functions. All but read() are called on the loop thread.
 */
struct source {
	struct worker *worker; /* the thread that reads and writes answers; borrowed */
	const char *hint;      /* what to do when something failed that has no words of its own */
	/* Has run(ctx) called on the worker and then done(ctx) here. NULL: worker_submit() does. */
	int (*submit)(struct source *s, struct question *k, void (*run)(void *ctx),
		      void (*done)(void *ctx), void *ctx);
	/* On the worker: fills in what the question is about. */
	int (*read)(struct source *s, struct question *k);
	/* Adds what is not read on the worker: question_add_window(). NULL: that was all. */
	int (*add)(struct source *s, struct question *k);
	/*
	 * The source is done with a question that was submitted, whatever came of it. May be NULL.
	 */
	void (*end)(struct source *s, struct question *k);
	/* Says why k->r < 0; false: question_refuse() has words for that. NULL: it has for all. */
	bool (*refuse)(const struct source *s, const struct question *k, struct refusal *ret);
};
