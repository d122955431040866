/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/live_source.h"

#include "query/question.h"

static int live_submit(struct source *s, struct question *k, void (*run)(void *ctx),
		       void (*done)(void *ctx), void *ctx)
{
	struct live_source *l = (struct live_source *)s;

	return windows_ask(l->windows, run, done, ctx, &l->held);
}

static int live_read(struct source *s, struct question *k)
{
	struct live_source *l = (struct live_source *)s;
	int r;

	k->held = l->held.starts;
	k->nheld = l->held.n;
	(void)store_file(l->store.state_dir, &l->file);
	r = store_source_read(s, k);
	if (r != -ENOENT)
		return r;
	/* nothing was saved yet */
	if (question_is_of_recording(k))
		return r;
	return question_reads_profile(k) ? profile_new(k->query.from_ns, 0, &k->profile) : 0;
}

static int add_window(const struct profile *window, void *ctx)
{
	return question_add_window(ctx, window);
}

static int live_add(struct source *s, struct question *k)
{
	struct live_source *l = (struct live_source *)s;

	k->hz = l->hz;
	if (k->about == QUESTION_RECORDINGS || k->about == QUESTION_RECORDING)
		return 0;
	return windows_each_held(l->windows, &l->held, add_window, k);
}

static void live_end(struct source *s, struct question *k)
{
	struct live_source *l = (struct live_source *)s;

	windows_answered(l->windows);
	if (k->r == -EBADMSG)
		store_watch_distrust(l->windows, &l->file);
}

static bool live_refuse(const struct source *s, const struct question *k, struct refusal *ret)
{
	if (k->r != -EBADMSG)
		return false;
	refusal_say(ret, 503, "ask again in a moment; plopctl status says what became of it",
		    "plop.db is damaged: it is being set aside, and windows go on in a new file");
	return true;
}

void live_source_init(struct live_source *s, struct windows *windows, const struct config *config)
{
	*s = (struct live_source){
		.store = { .source = { .worker = windows->query,
				       .hint = "see plopd's log",
				       .submit = live_submit,
				       .read = live_read,
				       .add = live_add,
				       .end = live_end,
				       .refuse = live_refuse },
			   .state_dir = config->state_dir },
		.windows = windows,
		.hz = (uint32_t)config->hz,
	};
}
