/* SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>
#include <unistd.h>

#include "query/question.h"

void question_init(struct question *k, struct source *s, enum question_about about,
		   struct query *query)
{
	*k = (struct question){ .source = s, .about = about, .memory = QUESTION_MEMORY };
	k->query = *query;
	*query = (struct query){};
	if (about == QUESTION_WINDOWS && k->query.step_ns)
		k->about = QUESTION_STEPS;
	if (about == QUESTION_SERIES)
		k->timeline.function = TAKE_PTR(k->query.function);
	k->values.key = TAKE_PTR(k->query.label);
	k->deploys.unversioned = about == QUESTION_SD;
}

void question_init_diff(struct question *k, struct source *s, struct query *base, struct query *new)
{
	question_init(k, s, QUESTION_DIFF, base);
	k->new_query = *new;
	*new = (struct query){};
}

bool question_reads_profile(const struct question *k)
{
	return k->about == QUESTION_PROFILE || k->about == QUESTION_LINES;
}

bool question_is_of_profile(const struct question *k)
{
	return k->about == QUESTION_PROFILE ||
	       (k->about == QUESTION_RECORDING && k->kept.with_profile);
}

bool question_is_of_recording(const struct question *k)
{
	return k->about == QUESTION_RECORDING ||
	       (k->about == QUESTION_DIFF && (k->query.recording || k->new_query.recording));
}

const struct query *question_side(const struct question *k, int side)
{
	return side == BASE_SIDE ? &k->query : &k->new_query;
}

int question_add_to_side(struct question *k, int side, const struct profile *window)
{
	struct diff_windows *w = k->sides[side];
	int r = window ? diff_windows_add(w, window) : diff_windows_close(w);

	return r == 0 && diff_windows_bytes(w) > k->memory / 2 ? -E2BIG : r;
}

int question_add_sums(struct question *k, int side, const struct sums *s)
{
	int r = diff_windows_add_sums(k->sides[side], s);

	return r == 0 && diff_windows_bytes(k->sides[side]) > k->memory / 2 ? -E2BIG : r;
}

int question_clear_side(struct question *k, int side)
{
	struct diff_windows *empty;
	int r = diff_windows_new(&empty);

	if (r < 0)
		return r;
	diff_windows_free(k->sides[side]);
	k->sides[side] = empty;
	return 0;
}

void question_clear(struct question *k)
{
	query_done(&k->query);
	query_done(&k->new_query);
	steps_free(k->steps);
	deploys_done(&k->deploys);
	timeline_done(&k->timeline);
	values_done(&k->values);
	kept_done(&k->kept);
	for (int i = 0; i < SIDES; i++)
		diff_windows_free(k->sides[i]);
	free(k->error);
	buf_free(&k->windows);
	profile_free(k->profile);
	for (size_t i = 0; i < k->nadded; i++)
		profile_free(k->added[i]);
	buf_free(&k->answer);
}

void question_read(struct question *k)
{
	k->windows.limit = k->kept.elements.limit = k->answer.limit;
	k->r = 0;
	for (int i = 0; i < SIDES && k->about == QUESTION_DIFF && k->r == 0; i++)
		k->r = diff_windows_new(&k->sides[i]);
	if (k->about == QUESTION_STEPS) {
		k->steps = steps_new(k->query.step_ns);
		k->r = k->steps ? 0 : -ENOMEM;
	}
	if (k->r == 0)
		k->r = k->source->read(k->source, k);
}

void question_add(struct question *k)
{
	if (k->source->add)
		k->r = k->source->add(k->source, k);
}

static bool overlaps(const struct query *q, const struct profile *p)
{
	return !q->recording && p->end_ns > q->from_ns && p->start_ns < q->to_ns;
}

/* On one side, or on both. */
static int add_to_sides(struct question *k, const struct profile *window)
{
	int r = 0;

	for (int i = 0; i < SIDES && r == 0; i++) {
		const struct query *q = question_side(k, i);
		_cleanup_(profile_freep) struct profile *selected = NULL;

		if (!overlaps(q, window))
			continue;
		r = profile_select(window, &q->selectors, &selected);
		if (r == 0)
			r = question_add_to_side(k, i, selected);
		if (r == 0)
			r = question_add_to_side(k, i, NULL);
	}
	return r;
}

static int add_samples(struct question *k, const struct profile *window)
{
	_cleanup_(profile_freep) struct profile *selected = NULL;
	int r = profile_select(window, &k->query.selectors, &selected);

	if (r < 0)
		return r;
	/* without a rate nothing was read, and the time asked for stands in place of a window's */
	if (!k->profile->hz) {
		k->profile->start_ns = selected->start_ns;
		k->profile->end_ns = selected->end_ns;
	}
	r = profile_merge(k->profile, selected);
	return r == 0 && profile_bytes(k->profile) > k->memory ? -E2BIG : r;
}

int question_add_window(struct question *k, const struct profile *window)
{
	int r;

	if (!overlaps(&k->query, window) &&
	    !(k->about == QUESTION_DIFF && overlaps(&k->new_query, window)))
		return 0;
	if (k->nadded == ARRAY_SIZE(k->added))
		return -E2BIG;
	r = profile_snapshot(window, &k->added[k->nadded]);
	k->nadded += r == 0;
	return r;
}

int question_add_step(struct question *k, const struct profile_process *p, uint64_t start_ns)
{
	return selectors_see(&k->query.selectors, p->info.uid, p->info.service) ?
		       steps_add_process(k->steps, p, start_ns) :
		       0;
}

static int add_step(struct question *k, const struct profile *window)
{
	struct head h;
	int r;

	head_of_profile(window, &h);
	r = steps_add_head(k->steps, &h);
	for (uint32_t i = 0; i < window->nprocesses && r == 0; i++)
		r = question_add_step(k, &window->processes[i], window->start_ns);
	return r;
}

static int add_deploys(struct question *k, const struct profile *window)
{
	int r = 0;

	for (uint32_t i = 0; i < window->nprocesses && r == 0; i++) {
		const struct profile_process *p = &window->processes[i];

		if (selectors_match_process(&k->query.selectors, p))
			r = deploys_add(&k->deploys, p, window->start_ns, window->end_ns);
	}
	return r;
}

static int add_values(struct question *k, const struct profile *window)
{
	int r = 0;

	for (uint32_t i = 0; i < window->nprocesses && r == 0; i++) {
		const struct profile_process *p = &window->processes[i];

		if (selectors_match_process(&k->query.selectors, p))
			r = values_add(&k->values, p);
	}
	return r;
}

static int add_point(struct question *k, const struct profile *window)
{
	_cleanup_(profile_freep) struct profile *selected = NULL;
	_cleanup_(sums_done) struct sums sums = {};
	const struct sums_of of = timeline_sums(&k->timeline);
	int r = profile_select(window, &k->query.selectors, &selected);

	if (r == 0)
		r = sums_add(&sums, selected, &of);
	return r < 0 ? r : timeline_add(&k->timeline, &sums);
}

static int add(struct question *k, const struct profile *window)
{
	switch (k->about) {
	case QUESTION_PROFILE:
	case QUESTION_LINES:
		return add_samples(k, window);
	case QUESTION_DIFF:
		return add_to_sides(k, window);
	case QUESTION_STEPS:
		return add_step(k, window);
	case QUESTION_DEPLOYS:
	case QUESTION_SD:
		return add_deploys(k, window);
	case QUESTION_SERIES:
		return add_point(k, window);
	case QUESTION_LABELS:
		return add_values(k, window);
	default:
		return store_window_put(window, &k->query.selectors, &k->windows);
	}
}

/* Puts what the source added to what was read. */
static int join(struct question *k)
{
	int r = 0;

	for (size_t i = 0; i < k->nadded && r >= 0; i++)
		r = add(k, k->added[i]);
	if (r >= 0 && question_reads_profile(k) && !k->profile->hz)
		k->profile->hz = k->hz;
	return r;
}

static int write_steps(struct question *k)
{
	struct json_writer w = json_writer_on(&k->answer);
	int r;

	json_put_object(&w, NULL);
	r = steps_put(k->steps, k->query.selectors.owned, &w);
	if (r < 0)
		return r;
	json_put_end(&w);
	r = json_writer_done(&w);
	buf_putc(&k->answer, '\n');
	return r;
}

static int write_profile(struct question *k)
{
	int r;

	selectors_tally(&k->query.selectors, k->profile);
	r = query_group(&k->query, &k->profile);
	return r < 0 ? r : k->query.format->encode(k->profile, &k->answer);
}

static int write_lines(struct question *k)
{
	int r;

	selectors_tally(&k->query.selectors, k->profile);
	r = query_encode(&k->query, k->profile, &k->answer);
	buf_putc(&k->answer, '\n');
	return r;
}

/* What is left of a recording: it was recorded for whom it is told. */
static int write_recording(struct question *k)
{
	struct profile *view;
	int r;

	if (!k->kept.with_profile) {
		buf_append(&k->answer, k->kept.facts.data, k->kept.facts.size);
		buf_putc(&k->answer, '\n');
		return k->answer.error;
	}
	r = query_view(&k->query, k->profile, &view);
	if (r < 0)
		return r;
	profile_free(k->profile);
	k->profile = view;
	return query_encode(&k->query, k->profile, &k->answer);
}

static int write_diff(struct question *k)
{
	const struct diff_windows *const sides[SIDES] = { k->sides[BASE_SIDE], k->sides[NEW_SIDE] };
	struct json_writer w = json_writer_on(&k->answer);
	_cleanup_(diff_freep) struct diff *d = NULL;
	struct compare_options options = compare_defaults;
	int r;

	if (question_is_of_recording(k))
		options.alone = DIFF_ALONE;
	r = diff_new(sides, &options, &d);
	if (r < 0)
		return r;
	json_put_object(&w, NULL);
	diff_put(d, &w);
	json_put_end(&w);
	return json_writer_done(&w);
}

static void write_sd(struct question *k, struct json_writer *w)
{
	char host[HOST_NAME_MAX + 1] = "";

	/* one that is cut has an end all the same */
	(void)gethostname(host, sizeof(host) - 1);
	sd_put(&k->deploys, k->query.address, host, w);
}

int question_write(struct question *k)
{
	struct json_writer w = json_writer_on(&k->answer);
	int r;

	if (k->about == QUESTION_OF_SOURCE) {
		buf_putc(&k->answer, '\n');
		return k->answer.error;
	}
	r = join(k);
	if (r == 0 && k->about == QUESTION_DIFF)
		r = write_diff(k);
	if (r < 0) {
		k->r = r;
		return r;
	}
	if (k->about == QUESTION_DIFF)
		return 0;
	if (k->about == QUESTION_PROFILE)
		return write_profile(k);
	if (k->about == QUESTION_RECORDING)
		return write_recording(k);
	if (k->about == QUESTION_LINES)
		return write_lines(k);
	if (k->about == QUESTION_STEPS)
		return write_steps(k);
	if (k->about == QUESTION_STORE) {
		k->write(k, &w);
	} else if (k->about == QUESTION_SD) {
		write_sd(k, &w);
	} else {
		json_put_object(&w, NULL);
		if (k->about == QUESTION_DEPLOYS)
			deploys_put(&k->deploys, &w, "deploys");
		else if (k->about == QUESTION_SERIES)
			timeline_put(&k->timeline, &w);
		else if (k->about == QUESTION_LABELS)
			values_put(&k->values, &w);
		else if (k->about == QUESTION_RECORDINGS)
			kept_put(&k->kept, &w);
		else
			json_put_elements(&w, "windows", &k->windows);
		json_put_end(&w);
	}
	r = json_writer_done(&w);
	buf_putc(&k->answer, '\n');
	return r;
}

void question_refuse(const struct question *k, struct refusal *ret)
{
	if (k->source->refuse && k->source->refuse(k->source, k, ret))
		return;
	if (k->r == -ENOENT && question_is_of_recording(k))
		refusal_say(
			ret, 404,
			"one that has a name is kept, and plopctl recordings lists them; results "
			"of others are kept for five minutes",
			"there is no such recording");
	else if (k->r == -EFBIG && k->about == QUESTION_RECORDINGS)
		refusal_say(ret, 413, "choose by name, or by label.NAME",
			    "the list of these recordings is larger than %zu MiB",
			    k->answer.limit >> 20);
	else if (k->r == -E2BIG && k->about == QUESTION_DIFF)
		refusal_say(ret, 413, "compare shorter times, or one service",
			    "the different functions of one side take more than %zu MB",
			    k->memory / 2 >> 20);
	else if (k->r == -E2BIG && (k->about == QUESTION_DEPLOYS || k->about == QUESTION_SD))
		refusal_say(ret, 413, "ask for a shorter time, or for one service",
			    "there are more than %d versions in that time", DEPLOYS_MOST);
	else if (k->r == -E2BIG && k->about == QUESTION_LABELS)
		refusal_say(ret, 413, "ask for a shorter time, or for one service",
			    "there are more than %d values in that time", VALUES_MOST);
	else if (k->r == -E2BIG && k->about == QUESTION_STEPS)
		refusal_say(ret, 413, "ask for a longer step, or for a shorter time",
			    "there are windows in more than %d steps of %" PRIu64 " s of that time",
			    STEPS_MOST, k->query.step_ns / NSEC_PER_SEC);
	else if (k->r == -E2BIG)
		refusal_say(ret, 413,
			    "ask for a shorter time, for fewer processes, or for format json",
			    "the different stacks of this answer take more than %zu MB",
			    k->memory >> 20);
	else if (k->r == -EFBIG)
		refusal_say(ret, 413, "ask for a shorter time",
			    "the list of these windows is larger than %zu MiB",
			    k->answer.limit >> 20);
	else if (k->r == -ETIME)
		refusal_say(ret, 413, "ask for a shorter time, or for fewer processes",
			    "reading plop.db for this answer takes more than %u s",
			    (unsigned int)(STORE_READ_NS / NSEC_PER_SEC));
	else
		refusal_say(ret, 500, k->source->hint, "%s%s",
			    k->error ? "" : "failed to read plop.db: ",
			    k->error ? k->error : strerror(-k->r));
}

void store_status_put(struct json_writer *w, const char *key, const struct store_status *s)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/plop.db", s->state_dir) < 0)
		path = NULL;
	json_put_object(w, key);
	json_put_string(w, "path", path);
	json_put_uint(w, "bytes", s->facts->bytes);
	json_put_uint(w, "wal_bytes", s->facts->wal_bytes);
	json_put_uint(w, "windows", s->facts->windows);
	json_put_uint(w, "recordings", s->facts->recordings);
	json_put_uint(w, "recordings_bytes", s->facts->recordings_bytes);
	if (s->live) {
		json_put_uint(w, "unsaved", s->unsaved);
		json_put_uint(w, "dropped", s->facts->dropped);
	} else {
		json_put_null(w, "unsaved");
		json_put_null(w, "dropped");
	}
	if (s->facts->oldest_ns)
		json_put_seconds(w, "oldest", (int64_t)s->facts->oldest_ns);
	else
		json_put_null(w, "oldest");
	json_put_string(w, "error", s->error);
	json_put_end(w);
}
