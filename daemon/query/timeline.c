/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/timeline.h"

#include "store/store.h"
#include "util/array.h"

void timeline_done(struct timeline *t)
{
	free(t->function);
	free(t->points);
	*t = (struct timeline){};
}

uint64_t timeline_unit(uint64_t length_ns)
{
	if (length_ns / (30 * NSEC_PER_SEC) <= TIMELINE_POINTS)
		return 0;
	return length_ns / STORE_UNIT_MINUTES <= TIMELINE_POINTS ? STORE_UNIT_MINUTES :
								   STORE_UNIT_HOURS;
}

static int number_of(const struct dict_function *f, void *ctx, uint32_t *ret)
{
	const struct timeline *t = ctx;

	*ret = t->function && streq(f->name, t->function) ? SUMS_NAMED : SUMS_OTHERS;
	return 0;
}

struct sums_of timeline_sums(struct timeline *t)
{
	/* no function is called "" */
	return (struct sums_of){ .number = number_of,
				 .name = t->function ? t->function : "",
				 .ctx = t };
}

int timeline_add(struct timeline *t, const struct sums *s)
{
	struct timeline_point p = {
		.start_ns = s->start_ns, .end_ns = s->end_ns, .hz = s->hz, .samples = s->samples
	};
	void *array = t->points;
	int r = array_reserve(&array, t->n, &t->room, sizeof(*t->points));

	if (r < 0)
		return r;
	t->points = array;
	if (s->n > SUMS_NAMED) {
		p.self = s->functions[SUMS_NAMED].self;
		p.total = s->functions[SUMS_NAMED].total;
	}
	t->points[t->n++] = p;
	return 0;
}

static double part(uint64_t of, uint64_t whole)
{
	return whole ? (double)of / (double)whole : 0;
}

static void put_point(struct json_writer *w, const struct timeline *t,
		      const struct timeline_point *p)
{
	double seconds = (double)(p->end_ns - p->start_ns) / NSEC_PER_SEC;

	json_put_object(w, NULL);
	json_put_seconds(w, "from", (int64_t)p->start_ns);
	json_put_seconds(w, "to", (int64_t)p->end_ns);
	json_put_uint(w, "samples", p->samples);
	if (p->hz && seconds > 0)
		json_put_real(w, "cpus", (double)p->samples / p->hz / seconds);
	else
		json_put_null(w, "cpus");
	if (t->function) {
		json_put_real(w, "self", part(p->self, p->samples));
		json_put_real(w, "total", part(p->total, p->samples));
	}
	json_put_end(w);
}

void timeline_put(const struct timeline *t, struct json_writer *w)
{
	json_put_string(w, "function", t->function);
	json_put_array(w, "points");
	for (uint32_t i = 0; i < t->n; i++)
		put_point(w, t, &t->points[i]);
	json_put_end(w);
}
