/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/question.h"

void question_init(struct question *k, struct source *s, enum question_about about,
		   struct query *query)
{
	*k = (struct question){ .source = s, .about = about, .memory = QUESTION_MEMORY };
	k->query = *query;
	*query = (struct query){};
}

void question_clear(struct question *k)
{
	query_done(&k->query);
	free(k->error);
	buf_free(&k->windows);
	profile_free(k->profile);
	for (size_t i = 0; i < k->nadded; i++)
		profile_free(k->added[i]);
	buf_free(&k->answer);
}

void question_read(struct question *k)
{
	k->windows.limit = k->answer.limit;
	k->r = k->source->read(k->source, k);
}

void question_add(struct question *k)
{
	if (k->source->add)
		k->r = k->source->add(k->source, k);
}

static bool overlaps(const struct question *k, const struct profile *p)
{
	return p->end_ns > k->query.from_ns && p->start_ns < k->query.to_ns;
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

	if (!overlaps(k, window))
		return 0;
	if (k->nadded == ARRAY_SIZE(k->added))
		return -E2BIG;
	r = profile_snapshot(window, &k->added[k->nadded]);
	k->nadded += r == 0;
	return r;
}

/* Puts what the source added to what was read. */
static int join(struct question *k)
{
	int r = 0;

	for (size_t i = 0; i < k->nadded && r >= 0; i++)
		r = k->about == QUESTION_PROFILE ?
			    add_samples(k, k->added[i]) :
			    store_window_put(k->added[i], &k->query.selectors, &k->windows);
	if (r >= 0 && k->about == QUESTION_PROFILE && !k->profile->hz)
		k->profile->hz = k->hz;
	return r;
}

static int write_profile(struct question *k)
{
	int r;

	selectors_tally(&k->query.selectors, k->profile);
	r = query_group(&k->query, &k->profile);
	return r < 0 ? r : k->query.format->encode(k->profile, &k->answer);
}

int question_write(struct question *k)
{
	struct json_writer w = json_writer_on(&k->answer);
	int r = join(k);

	if (r < 0) {
		k->r = r;
		return r;
	}
	if (k->about == QUESTION_PROFILE)
		return write_profile(k);
	if (k->about == QUESTION_STORE) {
		k->write(k, &w);
	} else {
		json_put_object(&w, NULL);
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
	if (k->r == -E2BIG)
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
