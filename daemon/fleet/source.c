/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/source.h"

#include "clickhouse/schema.h"
#include "fleet/internal.h"
#include "fleet/memo.h"

/* Seconds that the store may take for one of the things that a question needs. */
#define ANSWER_S 25

struct fleet {
	struct clickhouse *clickhouse;
	struct fleet_memos memos;
	bool checked; /* its tables are there, and of this version */
};

int fleet_new(const struct clickhouse_options *o, struct fleet **ret, char **ret_error)
{
	_cleanup_(fleet_freep) struct fleet *f = calloc(1, sizeof(*f));
	int r = f ? clickhouse_new(o, &f->clickhouse, ret_error) : -ENOMEM;

	if (r == 0)
		*ret = TAKE_PTR(f);
	return r;
}

void fleet_free(struct fleet *f)
{
	if (!f)
		return;
	clickhouse_free(f->clickhouse);
	fleet_memos_done(&f->memos);
	free(f);
}

const char *fleet_place(const struct fleet *f)
{
	return clickhouse_place(f->clickhouse);
}

int fleet_ask(struct fleet_read *f, struct buf *sql, struct buf *answer)
{
	_cleanup_free_ char *text = NULL;

	buf_printf(sql, " SETTINGS max_execution_time = %d FORMAT RowBinary", ANSWER_S);
	text = buf_string(sql);
	buf_clear(answer);
	answer->limit = FLEET_ANSWER;
	return text ? clickhouse_ask(f->clickhouse, text, answer, &f->source->trouble) : -ENOMEM;
}

static int read_of_fleet(struct fleet_read *f)
{
	switch (f->source->about) {
	case FLEET_REGRESSIONS:
		return fleet_read_regressions(f, &f->source->fleet->memos);
	case FLEET_OUTLIERS:
		return fleet_read_outliers(f);
	case FLEET_HOSTS_OF:
		return fleet_read_hosts(f);
	case FLEET_PROCESSES_OF:
		return fleet_read_processes(f);
	case FLEET_RECORD:
		return fleet_make_request(f);
	case FLEET_RECORDED:
		return fleet_read_request(f);
	}
	return -EINVAL;
}

int fleet_ask_number(struct fleet_read *f, struct buf *sql, uint64_t *ret)
{
	_cleanup_buf_ struct buf answer = {};
	struct rows_reader rows;
	uint64_t number;
	int r = fleet_ask(f, sql, &answer);

	if (r < 0)
		return r;
	rows = rows_of(&answer);
	number = rows_u64(&rows);
	if (rows_bad(&rows))
		return -EBADMSG;
	*ret = number;
	return 0;
}

int fleet_tell(struct fleet_read *f, struct buf *sql)
{
	_cleanup_buf_ struct buf answer = { .limit = 4096 };
	_cleanup_free_ char *text = buf_string(sql);

	buf_clear(sql);
	return text ? clickhouse_ask(f->clickhouse, text, &answer, &f->source->trouble) : -ENOMEM;
}

/* Whether a question is of sums over windows. */
static bool of_sums(enum question_about about)
{
	return about != QUESTION_STORE && about != QUESTION_DIFF && about != QUESTION_RECORDINGS &&
	       about != QUESTION_OF_SOURCE;
}

/* Whether hours that are added up can tell it: by stack, or by service and half minute. */
static bool of_hours(const struct question *k)
{
	const struct query *q = &k->query;

	if (!fleet_sql_adds_up(q))
		return false;
	switch (k->about) {
	case QUESTION_PROFILE:
	case QUESTION_LINES:
		return true;
	case QUESTION_LABELS:
		return !fleet_sql_of_states(q) &&
		       (streq(k->values.key, "service") || streq(k->values.key, "version") ||
			streq(k->values.key, "region"));
	case QUESTION_STEPS:
		return !fleet_sql_of_states(q) && q->step_ns % (FLEET_WINDOW_S * NSEC_PER_SEC) == 0;
	case QUESTION_SERIES:
		return k->timeline.function ? timeline_unit(q->to_ns - q->from_ns) :
					      !fleet_sql_of_states(q);
	default:
		return !fleet_sql_of_states(q);
	}
}

static int read_about(struct fleet_read *f)
{
	switch (f->question->about) {
	case QUESTION_STORE:
		return fleet_read_facts(f);
	case QUESTION_WINDOWS:
		return fleet_read_windows(f);
	case QUESTION_STEPS:
		return fleet_read_steps(f);
	case QUESTION_PROFILE:
	case QUESTION_LINES:
		return fleet_read_profile(f);
	case QUESTION_DEPLOYS:
		return fleet_read_deploys(f);
	case QUESTION_SERIES:
		return fleet_read_series(f);
	case QUESTION_LABELS:
		return fleet_read_labels(f);
	case QUESTION_DIFF:
		return fleet_read_sides(f);
	case QUESTION_RECORDINGS:
		return 0; /* it has none */
	case QUESTION_OF_SOURCE:
		return read_of_fleet(f);
	case QUESTION_RECORDING:
	case QUESTION_SD:
		break;
	}
	return -EINVAL;
}

/* What is asked for that the store does not have. */
static int check(struct question *k)
{
	const char *why;
	int r = fleet_sql_check(&k->query, &why);

	if (r == 0 && k->about == QUESTION_DIFF)
		r = fleet_sql_check(&k->new_query, &why);
	if (r < 0)
		k->error = strdup(why);
	return r;
}

int fleet_source_read(struct source *s, struct question *k)
{
	struct fleet_source *source = (struct fleet_source *)s;
	struct fleet *fleet = source->fleet;
	struct fleet_read f = {
		.clickhouse = fleet->clickhouse,
		.db = clickhouse_database(fleet->clickhouse),
		.source = source,
		.question = k,
	};
	int r = check(k);
	uint64_t seed;

	if (r < 0)
		return r;
	if (!fleet->checked) {
		r = clickhouse_schema_check(fleet->clickhouse, &seed, &source->trouble);
		fleet->checked = r == 0;
	}
	if (r == 0 && of_sums(k->about) && !k->query.request)
		r = fleet_cover_read(&f, &k->query, of_hours(k), &f.cover);
	if (r == 0)
		r = read_about(&f);
	fleet_cover_done(&f.cover);
	/* its tables may have gone meanwhile, or be of a newer plop */
	fleet->checked = fleet->checked && r == 0;
	if (r < 0 && *source->trouble.sentence)
		k->error = strdup(source->trouble.sentence);
	return k->about == QUESTION_STORE && k->error ? 0 : r;
}

/* The store's own words for that it took too long, or too much memory: both versions say them. */
static bool is_too_much(const struct fleet_source *s)
{
	return strstr(s->trouble.sentence, "Code: 159") || strstr(s->trouble.sentence, "Code: 241");
}

bool fleet_source_refuse(const struct source *s, const struct question *k, struct refusal *ret)
{
	const struct fleet_source *source = (const struct fleet_source *)s;

	if (k->r == -EBUSY && k->error)
		refusal_say(ret, 429, "again later, or look at one of those", "%s", k->error);
	else if (k->r == -ENOENT && k->error && !*source->trouble.sentence)
		refusal_say(ret, 404,
			    "other selectors; plopctl labels service --server URL lists "
			    "services",
			    "%s", k->error);
	else if (k->r == -EINVAL && k->error)
		refusal_say(ret, 400,
			    source->about == FLEET_HOSTS_OF && k->about == QUESTION_OF_SOURCE ?
				    "or for a shorter time" :
				    "ask plop-gateway of that host",
			    "%s", k->error);
	else if (k->r == -EBADMSG)
		refusal_say(ret, 502, "are its tables plop's?",
			    "what the store at %s answers is not what it was asked for",
			    fleet_place(source->fleet));
	else if (k->error && (source->trouble.kind == CLICKHOUSE_TOO_LARGE || is_too_much(source)))
		refusal_say(ret, 413, "ask for a shorter time, for one service, or for one host",
			    "that is more than the store at %s can answer within %d s and %u MB",
			    fleet_place(source->fleet), ANSWER_S, FLEET_ANSWER >> 20);
	else if (k->error)
		refusal_say(ret, 503, "see [fleet] in plop.conf, and the store's own log", "%s",
			    k->error);
	else
		return false;
	return true;
}
