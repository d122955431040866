/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <systemd/sd-event.h>

#include "util/macro.h"

/*
 * One thread for what would hold the loop up (SQLite, encoding). A job belongs to the worker's side between
 * worker_submit() and its done(), which is called in the loop.
 */
struct worker;
struct worker_job {
	struct worker_job *next;
	void (*run)(struct worker_job *job);  /* in the thread */
	void (*done)(struct worker_job *job); /* in the loop */
};

int worker_new(sd_event *loop, struct worker **ret);
/* Waits for the job that runs; done() is called for all that is left. */
void worker_free(struct worker *w);
DEFINE_FREEP(struct worker, worker_free)

#define WORKER_QUEUE 8
/* -EBUSY: WORKER_QUEUE jobs are waiting. */
int worker_submit(struct worker *w, struct worker_job *job);
