/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <systemd/sd-event.h>

#include "util/macro.h"

/*
 * One thread behind a bounded queue, for work that would hold up the loop (SQLite, ELF files). A
 * job's run() is called on the worker, then its done() on the loop thread; between submit and done
 * the job's ctx belongs to the worker.
 */
struct worker;

/* max: jobs that may wait. name: of the thread, static, at most 15 characters. */
int worker_new(sd_event *loop, const char *name, unsigned int max, struct worker **ret);
/* -EAGAIN: the queue is full; nothing was taken. done may be NULL. */
int worker_submit(struct worker *w, void (*run)(void *ctx), void (*done)(void *ctx), void *ctx);
/* The same for what goes on from a job that had its place: there is always room. */
int worker_continue(struct worker *w, void (*run)(void *ctx), void (*done)(void *ctx), void *ctx);
/* Waits until all jobs have run, calls their done(), and ends the thread. */
void worker_free(struct worker *w);
/* CPU time of its thread, in ns. */
uint64_t worker_cpu_ns(const struct worker *w);
DEFINE_FREEP(struct worker, worker_free)
