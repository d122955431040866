/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/store_task.h"
#include "store/recordings.h"

static void task_run(void *ctx)
{
	struct store_task *t = ctx;
	struct windows *w = t->windows;

	t->result = store_watch_open(w, &t->report);
	if (t->result == 0) {
		store_keep(w->store, t->retention_ns, t->max_store);
		store_keep_recordings(w->store, t->recordings_ns);
		t->result = t->run(t, w->store);
		store_watch_failed(w, t->result, &t->report);
		/* there is as much as there may be by now, and more, or it is full */
		if (t->result == 0 || t->result == -ENOSPC)
			store_expire(w->store);
		store_rest(w->store);
	}
	store_watch_report(w, t->result, true, &t->report);
}

static void task_done(void *ctx)
{
	struct store_task *t = ctx;
	struct store_report report = t->report;

	t->windows->tasks--;
	store_watch_take(t->windows, &report);
	t->error = report.error;
	/* frees it */
	t->done(t);
	store_report_done(&report);
}

int store_task_submit(struct windows *w, struct store_task *t, bool idle)
{
	const struct config *c = w->config;
	int r;

	if (w->tasks >= (idle ? STORE_TASKS_MAX_IDLE : STORE_TASKS_MAX))
		return -EAGAIN;
	t->windows = w;
	t->retention_ns = c->retention_ns;
	t->max_store = c->max_store;
	t->recordings_ns = c->retention_recordings_ns;
	r = worker_submit(w->saver, task_run, task_done, t);
	w->tasks += r == 0;
	return r;
}
