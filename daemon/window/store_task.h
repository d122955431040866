/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "window/windows.h"

/*
 * What else is written to the store, by whoever embeds this: on the saver's thread, which alone
 * writes. A task belongs to that thread between store_task_submit() and done().
 */
struct store_task {
	int (*run)(struct store_task *t, struct store *s); /* on the saver's thread */
	void (*done)(struct store_task *t);                /* on the loop: frees it */
	int result;        /* what run() returned, or why it was not called */
	const char *error; /* why it failed, for a person; borrowed, in done(); may be NULL */
	/* private */
	struct windows *windows;
	struct store_report report;
	uint64_t retention_ns, max_store, recordings_ns;
};

/*
 * Tasks that may wait, and of these such as nobody loses anything by: a window has its place
 * always.
 */
#define STORE_TASKS_MAX      16
#define STORE_TASKS_MAX_IDLE 8

/* -EAGAIN: too many wait; idle: it can be asked for again. */
int store_task_submit(struct windows *w, struct store_task *t, bool idle);
