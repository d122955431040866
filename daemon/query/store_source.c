/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/store_source.h"

#include "query/question.h"

static int read_profile(struct question *k, struct store_reader *reader)
{
	const struct query *q = &k->query;

	store_reader_limit(reader, k->memory);
	/*
	 * a call graph and a flame tree have [other] for what is light; in other formats all is
	 * there, or it is refused
	 */
	if (streq(q->format->name, "json") || streq(q->format->name, "tree")) {
		store_reader_prune(reader);
		store_reader_functions(reader);
	}
	return store_profile(reader, q->from_ns, q->to_ns, &q->selectors, &k->profile);
}

/* The windows of a side. */
struct side_read {
	struct question *question;
	int side;
};

static int read_window(const struct profile *window, void *ctx)
{
	struct side_read *s = ctx;

	return question_add_to_side(s->question, s->side, window);
}

static int read_sides(struct question *k, struct store_reader *reader)
{
	int r = 0;

	/* what is read of the windows goes at a third of that, and hardly adds to the two sides */
	store_reader_limit(reader, k->memory / 2);
	for (int i = 0; i < SIDES && r == 0; i++) {
		const struct query *q = question_side(k, i);

		r = store_each_window(reader, q->from_ns, q->to_ns, &q->selectors, read_window,
				      &(struct side_read){ k, i });
	}
	return r;
}

static int add_deploy(const struct profile_process *p, uint64_t start_ns, uint64_t end_ns,
		      void *ctx)
{
	return deploys_add(ctx, p, start_ns, end_ns);
}

int store_source_read(struct source *s, struct question *k)
{
	const struct store_source *source = (const struct store_source *)s;
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	const struct query *q = &k->query;
	int r;

	r = store_reader_open(source->state_dir, &reader, &k->error);
	if (r < 0)
		return r;
	store_reader_pass_over(reader, k->held, k->nheld);
	switch (k->about) {
	case QUESTION_STORE:
		return store_reader_facts(reader, &k->facts);
	case QUESTION_WINDOWS:
		return store_windows(reader, q->from_ns, q->to_ns, QUESTION_WINDOWS_MAX,
				     &q->selectors, &k->windows);
	case QUESTION_PROFILE:
		return read_profile(k, reader);
	case QUESTION_DEPLOYS:
		return store_each_process(reader, q->from_ns, q->to_ns, &q->selectors, add_deploy,
					  &k->deploys);
	case QUESTION_DIFF:
		return read_sides(k, reader);
	}
	return -EINVAL;
}
