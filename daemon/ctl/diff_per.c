/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/diff_per.h"

#include "ctl/counter.h"
#include "ctl/ctl.h"
#include "http/url.h"
#include "util/clock.h"
#include "util/log.h"

/* Of what a service says of itself. */
#define TEXT_MAX   (16u << 20)
#define PATIENCE_S 10

static const char *const sides[] = { "base", "new" };

/* A counter at one time, in seconds since 1970. */
struct reading {
	struct counter counter;
	double time;
};

/* How much was counted, in how long. */
struct counted {
	double count, seconds;
};

/* The text of a file or URL, and its time. An exit status. */
static int fetch(const char *where, struct buf *to, double *ret_time)
{
	bool url = strncmp(where, "http://", 7) == 0 || strncmp(where, "https://", 8) == 0;
	uint64_t at = clock_ns(CLOCK_REALTIME);
	char why[HTTP_URL_WHY] = "";
	int r = url ? http_get(where, PATIENCE_S, to, why) : ctl_read_file(where, to, &at);

	if (r == 0) {
		*ret_time = (double)at / 1e9;
		return CTL_DONE;
	}
	log_error("diff: cannot read metrics of %s: %s", where, *why ? why : strerror(-r));
	return CTL_FAILED;
}

static int read_counter(const char *where, const char *counter, struct reading *ret)
{
	_cleanup_buf_ struct buf b = { .limit = TEXT_MAX };
	_cleanup_free_ char *text = NULL;
	char why[COUNTER_WHY];
	int r = fetch(where, &b, &ret->time);

	if (r != CTL_DONE)
		return r;
	text = buf_string(&b);
	if (!text) {
		log_error("diff: out of memory");
		return CTL_FAILED;
	}
	if (counter_find(text, counter, &ret->counter, why) == 0)
		return CTL_DONE;
	log_error("diff: --per: %s: %s", where, why);
	return CTL_FAILED;
}

/* What was counted between two times; the earlier one may be the process's start. */
static int between(const struct reading *from, const struct reading *to, const char *side,
		   struct counted *ret)
{
	*ret = (struct counted){ to->counter.value - from->counter.value, to->time - from->time };
	if (ret->count > 0 && ret->seconds > 0)
		return CTL_DONE;
	log_error("diff: --per: nothing of %s was counted on the %s side in %.0f s",
		  to->counter.name, side, ret->seconds);
	log_error("try: two readings of one process, metrics=FILE metrics=FILE");
	return CTL_FAILED;
}

static int count_side(const char *const metrics[DIFF_METRICS], const char *counter,
		      const char *side, struct reading *ret_last, struct counted *ret)
{
	struct reading first = {}, last = {};
	int r = read_counter(metrics[0], counter, &first);

	if (r == CTL_DONE && metrics[1])
		r = read_counter(metrics[1], counter, &last);
	if (r != CTL_DONE)
		return r;
	if (!metrics[1]) {
		last = first;
		first.counter.value = 0;
		first.time = last.counter.start;
	} else if (first.time > last.time) {
		struct reading later = first;

		first = last;
		last = later;
	}
	if (!first.time) {
		log_error("diff: --per: %s does not say process_start_time_seconds, so that one "
			  "reading does not tell how long it counted",
			  metrics[0]);
		log_error("try: two readings, metrics=FILE metrics=FILE");
		return CTL_FAILED;
	}
	*ret_last = last;
	return between(&first, &last, side, ret);
}

/* CPU seconds for each that was counted, of a side of the answer. An exit status. */
static int cost(const json_t *answer, const char *side, const struct counted *c, double *ret)
{
	const json_t *s = json_object_get(answer, side);
	double hz = json_number_at(s, "hz"), seconds = json_number_at(s, "seconds");

	if (!(hz > 0) || !(seconds > 0)) {
		log_error("diff: --per: it is not known how long the %s side is", side);
		return CTL_FAILED;
	}
	*ret = json_number_at(s, "samples") / hz / seconds / (c->count / c->seconds);
	return CTL_DONE;
}

static void put(json_t *answer, const char *name, const struct counted counted[2],
		const double costs[2])
{
	json_t *per = json_object(), *f;
	size_t i;

	json_object_set_new(per, "counter", json_string(name));
	for (i = 0; i < ARRAY_SIZE(sides); i++) {
		json_t *side = json_object();

		json_object_set_new(side, "count", json_real(counted[i].count));
		json_object_set_new(side, "seconds", json_real(counted[i].seconds));
		json_object_set_new(side, "cpu", json_real(costs[i]));
		json_object_set_new(per, sides[i], side);
	}
	json_object_set_new(answer, "per", per);
	json_array_foreach(json_object_get(answer, "functions"), i, f)
	{
		json_object_set_new(f, "base_per",
				    json_real(json_number_at(f, "base_self") * costs[0]));
		json_object_set_new(f, "new_per",
				    json_real(json_number_at(f, "new_self") * costs[1]));
	}
}

int diff_per_add(json_t *answer, const char *counter, const char *const metrics[2][DIFF_METRICS])
{
	struct counted counted[2];
	struct reading last = {};
	double costs[2];

	for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
		int r = count_side(metrics[i], counter, sides[i], &last, &counted[i]);

		if (r == CTL_DONE)
			r = cost(answer, sides[i], &counted[i], &costs[i]);
		if (r != CTL_DONE)
			return r;
	}
	put(answer, last.counter.name, counted, costs);
	return CTL_DONE;
}
