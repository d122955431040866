/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/head.h"

#include "store/schema.h"

enum unit {
	COUNT,
	IDENTITY,    /* a number; 0: none, JSON has null */
	NANOSECONDS, /* JSON has seconds */
	YES_OR_NO,   /* a bool; in memory only */
	CAUSES,      /* JSON has an object of all causes of loss, those too that no window has */
};

/* How the values of several windows become one. */
enum sum {
	SUM,
	LEAST,
	MOST,
	LAST, /* that of the last one */
	NONE, /* of one window alone */
};

static const struct column {
	const char *name; /* in the table windows; NULL: it is not stored */
	const char *json; /* NULL: it is not told */
	size_t at;        /* in struct head */
	enum unit unit;
	enum sum sum;
	int since;          /* the first schema version that has it */
	const char *before; /* what it is in older files, in SQL */
} columns[] = {
#define AT(member) offsetof(struct head, member)
	{ "id", "id", AT(id), IDENTITY, NONE, 1, NULL },
	{ "start_ns", "start", AT(start_ns), NANOSECONDS, LEAST, 1, NULL },
	{ "end_ns", "end", AT(end_ns), NANOSECONDS, MOST, 1, NULL },
	{ "stepped_ns", "clock_set_s", AT(stepped_ns), NANOSECONDS, NONE, 2, "0" },
	/* the newest rate is that of most that is asked for */
	{ "hz", "hz", AT(hz), COUNT, LAST, 1, NULL },
	{ NULL, "running", AT(running), YES_OR_NO, NONE, 1, NULL },
	{ "ticks", "ticks", AT(tally.ticks), COUNT, SUM, 1, NULL },
	{ "python", "python", AT(tally.python), COUNT, SUM, 1, NULL },
	{ "other", "other", AT(tally.other), COUNT, SUM, 1, NULL },
	{ NULL, "lost", AT(tally), CAUSES, NONE, 1, NULL },
	{ "lost_fault", NULL, AT(tally.lost[PLOP_LOST_FAULT]), COUNT, SUM, 1, NULL },
	{ "lost_stacks_full", NULL, AT(tally.lost[PLOP_LOST_STACKS_FULL]), COUNT, SUM, 1, NULL },
	{ "lost_frames_full", NULL, AT(tally.lost[PLOP_LOST_FRAMES_FULL]), COUNT, SUM, 1, NULL },
	{ "lost_unsupported", NULL, AT(tally.lost[PLOP_LOST_UNSUPPORTED]), COUNT, SUM, 1, NULL },
	{ "lost_corrupt", NULL, AT(tally.lost[PLOP_LOST_CORRUPT]), COUNT, SUM, 1, NULL },
	{ "lost_drain", NULL, AT(tally.lost[PLOP_LOST_DRAIN]), COUNT, SUM, 1, NULL },
	{ "lost_threads", NULL, AT(tally.lost[PLOP_LOST_THREADS]), COUNT, SUM, 2, "0" },
	{ "truncated", "truncated", AT(tally.truncated), COUNT, SUM, 1, NULL },
	{ "samples", "samples", AT(samples), COUNT, SUM, 1, NULL },
	{ "life_ns", NULL, AT(life_ns), NANOSECONDS, NONE, 2, "end_ns" },
	{ "dictionary", NULL, AT(dictionary), COUNT, NONE, SCHEMA_DICTIONARIES, "0" },
#undef AT
};

_Static_assert(PLOP_LOST_CAUSES == 8 && PLOP_LOST_RATE == 7,
	       "one column for each cause but the rate of a user, which bounds recordings alone: a "
	       "new one needs a migration");

/* Of a column that is a number: all of these have 64 bits. */
static int64_t *number(const struct column *c, struct head *h)
{
	return (int64_t *)((char *)h + c->at);
}

static int64_t number_of(const struct column *c, const struct head *h)
{
	return *(const int64_t *)((const char *)h + c->at);
}

char *head_select(int version, const char *more, const char *from)
{
	_cleanup_buf_ struct buf b = {};
	const char *between = "SELECT ";

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		const struct column *c = &columns[i];

		if (!c->name)
			continue;
		buf_printf(&b, "%s%s", between, version < c->since ? c->before : c->name);
		between = ", ";
	}
	buf_printf(&b, "%s FROM %s", more, from);
	return buf_string(&b);
}

char *head_insert(const char *table, const char *more, unsigned int nmore)
{
	_cleanup_buf_ struct buf names = {}, values = {}, b = {};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (!columns[i].name)
			continue;
		n++;
		buf_printf(&names, "%s%s", n > 1 ? ", " : "", columns[i].name);
		buf_printf(&values, "%s?%zu", n > 1 ? "," : "", n);
	}
	for (unsigned int i = 1; i <= nmore; i++)
		buf_printf(&values, ",?%zu", n + i);
	if (names.error || values.error)
		return NULL;
	buf_printf(&b, "INSERT INTO %s(%.*s%s) VALUES(%.*s)", table, (int)names.size, names.data,
		   more, (int)values.size, values.data);
	return buf_string(&b);
}

int head_read(sqlite3_stmt *st, struct head *ret)
{
	struct head h = {};
	int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (columns[i].name)
			*number(&columns[i], &h) = sqlite3_column_int64(st, n++);
	}
	*ret = h;
	return n;
}

int head_bind(sqlite3_stmt *st, const struct head *h)
{
	int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (columns[i].name)
			sqlite3_bind_int64(st, ++n, number_of(&columns[i], h));
	}
	return n + 1;
}

/* Times are since 1970, and counts are not negative. */
static void add(const struct column *c, int64_t *to, int64_t from, bool first)
{
	switch (c->sum) {
	case SUM:
		*to = (int64_t)((uint64_t)*to + (uint64_t)from);
		break;
	case LEAST:
		*to = first || from < *to ? from : *to;
		break;
	case MOST:
		*to = first || from > *to ? from : *to;
		break;
	case LAST:
		*to = from;
		break;
	case NONE:
		break;
	}
}

void head_add(struct head *to, const struct head *from)
{
	/* no window ends when time began */
	bool first = to->end_ns == 0;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (columns[i].name)
			add(&columns[i], number(&columns[i], to), number_of(&columns[i], from),
			    first);
	}
}

void head_reduce(struct head *h, uint64_t samples)
{
	h->tally = (struct tally){ .ticks = samples, .python = samples };
	h->samples = samples;
}

static void put(struct json_writer *w, const struct column *c, const struct head *h)
{
	switch (c->unit) {
	case COUNT:
		json_put_uint(w, c->json, (uint64_t)number_of(c, h));
		break;
	case IDENTITY:
		if (number_of(c, h))
			json_put_int(w, c->json, number_of(c, h));
		else
			json_put_null(w, c->json);
		break;
	case NANOSECONDS:
		json_put_seconds(w, c->json, number_of(c, h));
		break;
	case YES_OR_NO:
		json_put_bool(w, c->json, *(const bool *)((const char *)h + c->at));
		break;
	case CAUSES:
		tally_put_lost(w, c->json, &h->tally);
		break;
	}
}

void head_put(struct json_writer *w, const struct head *h)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (columns[i].json)
			put(w, &columns[i], h);
	}
}

void head_of_profile(const struct profile *p, struct head *ret)
{
	*ret = (struct head){
		.start_ns = p->start_ns,
		.end_ns = p->end_ns,
		.stepped_ns = p->stepped_ns,
		.hz = p->hz,
		.samples = p->samples_total,
		.running = p->running,
		.tally = p->tally,
	};
}

void head_to_profile(const struct head *h, struct profile *p)
{
	p->start_ns = h->start_ns;
	p->end_ns = h->end_ns;
	p->stepped_ns = h->stepped_ns;
	p->hz = (uint32_t)h->hz;
	p->tally = h->tally;
}
