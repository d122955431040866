/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/memo.h"

#include "window/store_task.h"

struct memo_save {
	struct store_task task; /* first */
	enum store_memo which;
	struct buf text;
	windows_memo_fn done;
	void *ctx;
};

/* On the saver's thread. */
static int memo_run(struct store_task *t, struct store *s)
{
	const struct memo_save *v = (const struct memo_save *)t;

	return store_put_memo(s, v->which, v->text.data ? v->text.data : "", v->text.size);
}

static void memo_done(struct store_task *t)
{
	struct memo_save *v = (struct memo_save *)t;

	v->done(t->result, v->ctx);
	buf_free(&v->text);
	free(v);
}

int windows_save_memo(struct windows *w, enum store_memo which, struct buf *text,
		      windows_memo_fn done, void *ctx)
{
	struct memo_save *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	*v = (struct memo_save){ .task = { .run = memo_run, .done = memo_done },
				 .which = which,
				 .text = *text,
				 .done = done,
				 .ctx = ctx };
	r = store_task_submit(w, &v->task, false);
	if (r < 0) {
		free(v);
		return r;
	}
	*text = (struct buf){};
	return 0;
}
