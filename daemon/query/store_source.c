/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/store_source.h"

#include "query/question.h"

static int read_profile(struct question *k, struct store_reader *reader)
{
	const struct query *q = &k->query;

	store_reader_limit(reader, k->memory);
	/* what is drawn has [other] for what is light; in other formats all is there, or refused */
	if (q->format->pruned) {
		store_reader_prune(reader);
		store_reader_functions(reader);
		if (!q->group_by && !streq(q->format->name, "json"))
			store_reader_processes_alike(reader);
		else if (!q->group_by)
			store_reader_threads_alike(reader);
	}
	return store_profile(reader, q->from_ns, q->to_ns, &q->selectors, &k->profile);
}

/* Stacks with the lines that ran, of each process; the lightest branches go where they are many. */
static int read_lines(struct question *k, struct store_reader *reader)
{
	const struct query *q = &k->query;

	store_reader_limit(reader, k->memory);
	store_reader_prune(reader);
	store_reader_threads_alike(reader);
	return store_profile(reader, q->from_ns, q->to_ns, &q->selectors, &k->profile);
}

/*
 * A side is read in units of ten minutes: a hundredth of the windows' number, and as good, as what
 * is counted is how much units differ. Where fewer than these have samples it is read by windows.
 */
#define UNITS_LEAST 48

struct span {
	uint64_t from_ns, to_ns;
};

/* The units of a side, or its windows. */
struct side_read {
	struct question *question;
	int side;
	struct span with_samples[UNITS_LEAST]; /* the first ones */
	unsigned int n;                        /* how many have samples */
};

static int read_unit(const struct sums *sums, void *ctx)
{
	struct side_read *s = ctx;

	if (sums->samples) {
		if (s->n < UNITS_LEAST)
			s->with_samples[s->n] = (struct span){ sums->start_ns, sums->end_ns };
		s->n++;
	}
	return question_add_sums(s->question, s->side, sums);
}

static int read_span(struct side_read *s, struct store_reader *reader, const struct span *span,
		     uint64_t unit_ns)
{
	struct sums_of of = diff_windows_sums(s->question->sides[s->side]);

	store_reader_unit(reader, unit_ns);
	return store_each_sums(reader, span->from_ns, span->to_ns,
			       &question_side(s->question, s->side)->selectors, &of, read_unit, s);
}

/* Reads the windows of the few units that have samples, in place of these. */
static int read_finer(const struct side_read *units, struct store_reader *reader)
{
	struct side_read s = { units->question, units->side, {}, 0 };
	const struct query *q = question_side(s.question, s.side);
	int r = question_clear_side(s.question, s.side);

	for (unsigned int i = 0; r == 0 && i < units->n; i++) {
		struct span span = units->with_samples[i];

		/* those that follow one another at once */
		for (; i + 1 < units->n && units->with_samples[i + 1].from_ns <= span.to_ns; i++)
			span.to_ns = MAX(span.to_ns, units->with_samples[i + 1].to_ns);
		span.from_ns = MAX(span.from_ns, q->from_ns);
		span.to_ns = MIN(span.to_ns, q->to_ns);
		r = read_span(&s, reader, &span, 0);
	}
	return r;
}

/* A recording is one window: nothing that it has says how much it differs from time to time. */
static int read_recording(struct question *k, int side, struct store_reader *reader)
{
	const struct query *q = question_side(k, side);
	_cleanup_(profile_freep) struct profile *all = NULL, *selected = NULL;
	_cleanup_buf_ struct buf facts = {};
	int r = store_read_recording(reader, q->recording, &k->kept.see, &facts, &all);

	if (r == 0)
		r = profile_select(all, &q->selectors, &selected);
	if (r < 0)
		return r;
	k->sides[side]->whole = true;
	r = question_add_to_side(k, side, selected);
	return r == 0 ? question_add_to_side(k, side, NULL) : r;
}

static int read_side(struct question *k, int side, struct store_reader *reader)
{
	struct side_read s = { k, side, {}, 0 };
	const struct query *q = question_side(k, side);
	struct span all = { q->from_ns, q->to_ns };
	bool units = (all.to_ns - all.from_ns) / STORE_UNIT_MINUTES >= UNITS_LEAST;
	int r;

	if (q->recording)
		return read_recording(k, side, reader);
	r = read_span(&s, reader, &all, units ? STORE_UNIT_MINUTES : 0);
	return r == 0 && units && s.n < UNITS_LEAST ? read_finer(&s, reader) : r;
}

static int read_sides(struct question *k, struct store_reader *reader)
{
	int r = 0;

	for (int i = 0; i < SIDES && r == 0; i++)
		r = read_side(k, i, reader);
	return r;
}

static int add_deploy(const struct profile_process *p, uint64_t start_ns, uint64_t end_ns,
		      void *ctx)
{
	return deploys_add(ctx, p, start_ns, end_ns);
}

/* One look for when versions were seen first, or last, nearer than it is known. */
struct nearer {
	struct deploys *deploys;
	struct deploys_span span;
};

static int look_nearer(const struct profile_process *p, uint64_t start_ns, uint64_t end_ns,
		       void *ctx)
{
	struct nearer *n = ctx;

	deploys_nearer(n->deploys, &n->span, p, start_ns, end_ns);
	return n->span.n ? 0 : STORE_ENOUGH;
}

/* Windows are that long, where nobody wants them longer. */
#define WINDOW_NS (30 * NSEC_PER_SEC)

/* In what of such a length says it. */
static int read_nearer(struct question *k, struct store_reader *reader, enum deploys_end end,
		       uint64_t unit_ns)
{
	struct nearer n = { .deploys = &k->deploys };
	uint64_t after = 0;
	int r = 0;

	store_reader_unit(reader, unit_ns);
	while (r == 0 && deploys_rough(&k->deploys, end, MAX(unit_ns, WINDOW_NS), after, &n.span)) {
		after = n.span.start_ns;
		r = store_each_process(reader, n.span.start_ns, n.span.end_ns, &k->query.selectors,
				       end == DEPLOYS_LAST, look_nearer, &n);
	}
	return r;
}

/*
 * By the coarsest roll-ups, which have all sums; and then by finer ones, and windows, within those
 * of them that begin or end a version.
 */
static int read_deploys(struct question *k, struct store_reader *reader)
{
	static const uint64_t units[] = { STORE_UNIT_MINUTES, 0 };
	const struct query *q = &k->query;
	int r;

	store_reader_unit(reader, STORE_UNIT_HOURS);
	r = store_each_process(reader, q->from_ns, q->to_ns, &q->selectors, false, add_deploy,
			       &k->deploys);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(units); i++) {
		r = read_nearer(k, reader, DEPLOYS_FIRST, units[i]);
		if (r == 0)
			r = read_nearer(k, reader, DEPLOYS_LAST, units[i]);
	}
	return r;
}

static int add_point(const struct sums *sums, void *ctx)
{
	return timeline_add(ctx, sums);
}

static int read_series(struct question *k, struct store_reader *reader)
{
	const struct sums_of of = timeline_sums(&k->timeline);
	const struct query *q = &k->query;
	struct store_facts facts;
	uint64_t from;
	int r = store_reader_facts(reader, &facts);

	if (r < 0)
		return r;
	/* all that there is may be less than is asked for */
	from = MAX(q->from_ns, facts.oldest_ns);
	store_reader_unit(reader, timeline_unit(q->to_ns > from ? q->to_ns - from : 0));
	return store_each_sums(reader, q->from_ns, q->to_ns, &q->selectors, &of, add_point,
			       &k->timeline);
}

static int add_step_head(const struct head *h, void *ctx)
{
	return steps_add_head(ctx, h);
}

static int add_step_process(const struct profile_process *p, uint64_t start_ns, uint64_t end_ns,
			    void *ctx)
{
	return question_add_step(ctx, p, start_ns);
}

/*
 * Heads are small: they are those of windows, which tell where there were none. Processes are those
 * of the longest roll-ups that have one step each.
 */
static int read_steps(struct question *k, struct store_reader *reader)
{
	const struct query *q = &k->query;
	uint64_t unit = 0;
	int r = store_each_head(reader, q->from_ns, q->to_ns, add_step_head, k->steps);

	if (q->step_ns % STORE_UNIT_MINUTES == 0)
		unit = q->step_ns % STORE_UNIT_HOURS ? STORE_UNIT_MINUTES : STORE_UNIT_HOURS;
	store_reader_unit(reader, unit);
	if (r == 0)
		r = store_each_process(reader, q->from_ns, q->to_ns, NULL, false, add_step_process,
				       k);
	return r;
}

static int add_value(const struct profile_process *p, uint64_t start_ns, uint64_t end_ns, void *ctx)
{
	return values_add(ctx, p);
}

static int read_labels(struct question *k, struct store_reader *reader)
{
	const struct query *q = &k->query;

	store_reader_unit(reader, STORE_UNIT_HOURS);
	return store_each_process(reader, q->from_ns, q->to_ns, &q->selectors, false, add_value,
				  &k->values);
}

static int read_sd(struct question *k, struct store_reader *reader)
{
	const struct query *q = &k->query;

	store_reader_unit(reader, STORE_UNIT_HOURS);
	return store_each_process(reader, q->from_ns, q->to_ns, &q->selectors, false, add_deploy,
				  &k->deploys);
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
	case QUESTION_STEPS:
		return read_steps(k, reader);
	case QUESTION_PROFILE:
		return read_profile(k, reader);
	case QUESTION_LINES:
		return read_lines(k, reader);
	case QUESTION_DEPLOYS:
		return read_deploys(k, reader);
	case QUESTION_DIFF:
		return read_sides(k, reader);
	case QUESTION_SERIES:
		return read_series(k, reader);
	case QUESTION_LABELS:
		return read_labels(k, reader);
	case QUESTION_SD:
		return read_sd(k, reader);
	case QUESTION_RECORDINGS:
		return kept_read_all(&k->kept, reader, q);
	case QUESTION_RECORDING:
		return kept_read_one(&k->kept, reader, &k->profile);
	case QUESTION_OF_SOURCE:
		break;
	}
	return -EINVAL;
}
