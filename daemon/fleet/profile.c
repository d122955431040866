/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/internal.h"

#include "util/array.h"

/* Profiles, made of what the store added up. */

/* A stack that its samples came without: those who send it say it once a day. */
#define UNKNOWN_STACK "[stack not in the store]"

/* So many stacks are asked for at once. */
#define STACKS_AT_ONCE 4000

int fleet_stacks_read(struct fleet_read *f, const struct query *q, const struct fleet_ids *ids,
		      struct dict *d, uint32_t *numbers)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	uint32_t at = 0, most = STACKS_AT_ONCE;
	int r = 0;

	memset(numbers, 0xff, ids->n * sizeof(*numbers));
	while (r == 0 && at < ids->n) {
		uint32_t n = MIN(most, ids->n - at);

		fleet_sql_stacks(&sql, f->db, q, ids->items + at, n);
		r = fleet_ask(f, &sql, &answer);
		/* deep ones: fewer of them */
		if (r == -E2BIG && most > 1) {
			most /= 2;
			r = 0;
			continue;
		}
		if (r == 0)
			r = fleet_stacks_decode(&answer, ids, d, numbers);
		at += n;
	}
	return r;
}

int fleet_add_service(struct profile *p, const char *service, const char *version, uint32_t *ret)
{
	struct process_info info = process_info_of(0);

	info.service = (char *)service;
	info.version = (char *)version;
	return profile_process(p, &info, "", ret);
}

/* What a profile is made of. */
struct making {
	struct fleet_read *read;
	const struct query *query;
	struct profile *profile;
	struct fleet_rows rows;
	struct fleet_ids stacks, ids; /* ids: of processes */
	uint32_t *numbers;            /* of stacks, by place */
	struct fleet_process *processes;
	struct fleet_carry carry;
	uint32_t *frames; /* of a stack that is grouped */
	uint32_t room;
};

static void making_done(struct making *m)
{
	for (uint32_t i = 0; m->processes && i < m->ids.n; i++)
		fleet_process_done(&m->processes[i]);
	free(m->processes);
	free(m->numbers);
	free(m->frames);
	fleet_rows_done(&m->rows);
	fleet_ids_done(&m->stacks);
	fleet_ids_done(&m->ids);
	profile_free(m->profile);
}

static int read_processes(struct making *m)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	uint32_t at = 0;
	int r = 0;

	m->processes = calloc((size_t)m->ids.n + 1, sizeof(*m->processes));
	if (!m->processes)
		return -ENOMEM;
	while (r == 0 && at < m->ids.n) {
		uint32_t n = MIN((uint32_t)STACKS_AT_ONCE, m->ids.n - at);

		fleet_sql_processes(&sql, m->read->db, m->query, m->ids.items + at, n);
		r = fleet_ask(m->read, &sql, &answer);
		if (r == 0)
			r = fleet_processes_decode(&answer, &m->ids, m->processes);
		at += n;
	}
	return r;
}

static int read_rows(struct making *m)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	int r;

	fleet_sql_stacks_of(&sql, m->read->db, m->query, &m->read->cover);
	r = fleet_ask(m->read, &sql, &answer);
	if (r == 0)
		r = fleet_rows_decode(&answer, &m->rows);
	for (uint32_t i = 0; r == 0 && i < m->rows.n; i++) {
		r = fleet_ids_add(&m->stacks, m->rows.items[i].stack);
		if (r == 0 && m->rows.items[i].process)
			r = fleet_ids_add(&m->ids, m->rows.items[i].process);
	}
	if (r < 0)
		return r;
	fleet_ids_sort(&m->stacks);
	fleet_ids_sort(&m->ids);
	m->numbers = calloc((size_t)m->stacks.n + 1, sizeof(*m->numbers));
	if (!m->numbers)
		return -ENOMEM;
	r = fleet_stacks_read(m->read, m->query, &m->stacks, m->profile->dict, m->numbers);
	return r == 0 ? read_processes(m) : r;
}

/* Whose a row is. */
static int process_of(struct making *m, const struct fleet_row *row, uint32_t *ret)
{
	uint32_t at = row->process ? fleet_ids_find(&m->ids, row->process) : FLEET_UNKNOWN;
	struct process_info info;

	if (at == FLEET_UNKNOWN || !m->processes[at].python)
		return fleet_add_service(m->profile, row->service, row->version, ret);
	info = m->processes[at].info;
	info.service = row->service;
	info.version = row->version;
	return profile_process(m->profile, &info, m->processes[at].python, ret);
}

/* What a row has for a key that stacks are grouped by. */
static const char *value_of(struct making *m, const struct fleet_row *row, const char *key,
			    uint32_t process, char number[static 16])
{
	const struct profile_sample sample = { .process = process, .state = row->state };

	if (streq(key, "host"))
		return row->host;
	if (streq(key, "region"))
		return row->region;
	return selector_value_of(key, m->profile, &sample, number);
}

static int push(struct making *m, uint32_t *depth, uint32_t frame)
{
	void *array = m->frames;
	int r = array_reserve(&array, *depth, &m->room, sizeof(*m->frames));

	if (r < 0)
		return r;
	m->frames = array;
	m->frames[(*depth)++] = frame;
	return 0;
}

/* The stack of a row with a frame "KEY=VALUE" for each key before it, as profile_group() has it. */
static int group(struct making *m, const struct fleet_row *row, uint32_t process, uint32_t *stack)
{
	_cleanup_free_ char *keys = strdup(m->query->group_by);
	struct dict *d = m->profile->dict;
	uint32_t depth = 0, frame;
	char *next = keys, number[16];
	int r = keys ? 0 : -ENOMEM;

	while (r == 0 && next) {
		const char *key = strsep(&next, ",");
		_cleanup_free_ char *name = NULL;

		if (asprintf(&name, "%s=%s", key, value_of(m, row, key, process, number)) < 0) {
			name = NULL;
			return -ENOMEM;
		}
		r = dict_synthetic(d, name, &frame);
		if (r == 0)
			r = push(m, &depth, frame);
	}
	for (uint32_t i = 0; r == 0 && i < dict_get_stack(d, *stack)->depth; i++)
		r = push(m, &depth, dict_get_stack(d, *stack)->frames[i]);
	return r < 0 ? r : dict_stack(d, m->frames, depth, stack);
}

int fleet_unknown_stack(struct dict *d, uint32_t *ret)
{
	uint32_t frame;
	int r = dict_synthetic(d, UNKNOWN_STACK, &frame);

	return r < 0 ? r : dict_stack(d, &frame, 1, ret);
}

static int add_row(struct making *m, const struct fleet_row *row)
{
	uint64_t samples = fleet_samples(&m->carry, row->weight);
	uint32_t stack = m->numbers[fleet_ids_find(&m->stacks, row->stack)], process;
	int r = process_of(m, row, &process);

	if (r == 0 && stack == FLEET_UNKNOWN)
		r = fleet_unknown_stack(m->profile->dict, &stack);
	if (r == 0 && m->query->group_by)
		r = group(m, row, process, &stack);
	if (r < 0 || !samples)
		return r;
	return profile_add_state(m->profile, process, 0, stack, (enum sample_state)row->state,
				 samples, 0);
}

/* What the rows have of a service's version, of all that there is. */
static uint64_t told(const struct making *m, const struct fleet_row *total)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < m->rows.n; i++)
		if (streq(m->rows.items[i].service, total->service) &&
		    streq(m->rows.items[i].version, total->version))
			sum += m->rows.items[i].weight;
	return sum;
}

/* Beyond the heaviest: all else is one stack. */
static int add_others(struct making *m)
{
	_cleanup_(fleet_rows_done) struct fleet_rows totals = {};
	_cleanup_buf_ struct buf sql = {}, answer = {};
	int r;

	if (m->rows.n < FLEET_ROWS)
		return 0;
	fleet_sql_totals(&sql, m->read->db, m->query, &m->read->cover);
	r = fleet_ask(m->read, &sql, &answer);
	if (r == 0)
		r = fleet_rows_decode(&answer, &totals);
	for (uint32_t i = 0; r == 0 && i < totals.n; i++) {
		const struct fleet_row *t = &totals.items[i];
		uint64_t of_rows = told(m, t), samples;
		uint32_t process;

		samples = fleet_samples(&m->carry, t->weight > of_rows ? t->weight - of_rows : 0);
		r = fleet_add_service(m->profile, t->service, t->version, &process);
		if (r == 0 && samples)
			r = profile_add_beyond(m->profile, process, PROFILE_OTHER, samples);
	}
	return r;
}

int fleet_begin_profile(struct fleet_read *f, const struct query *q, struct profile **ret,
			uint64_t *ret_length_ns)
{
	_cleanup_(fleet_heads_done) struct fleet_heads heads = {};
	int r = fleet_heads_read(f, q, 0, &heads);

	if (r < 0)
		return r;
	r = profile_new(q->from_ns, 0, ret);
	if (r < 0)
		return r;
	(*ret)->end_ns = q->to_ns;
	if (heads.n && heads.items[0].head.end_ns) {
		head_to_profile(&heads.items[0].head, *ret);
		*ret_length_ns = heads.items[0].length_ns;
	}
	return 0;
}

int fleet_read_profile(struct fleet_read *f)
{
	struct question *k = f->question;
	_cleanup_(making_done) struct making m = { .read = f,
						   .query = &k->query,
						   .carry = { FLEET_UNIT / 2 } };
	uint64_t length_ns = 0, hosts;
	int r = k->query.request ? fleet_request_time(f, NULL, &hosts) : 0;

	if (r == 0)
		r = fleet_begin_profile(f, &k->query, &m.profile, &length_ns);
	if (r == 0)
		r = read_rows(&m);
	for (uint32_t i = 0; r == 0 && i < m.rows.n; i++)
		r = add_row(&m, &m.rows.items[i]);
	if (r == 0)
		r = add_others(&m);
	if (r == 0 && profile_content(m.profile) > k->memory) {
		if (k->about == QUESTION_PROFILE && !k->query.format->pruned)
			return -E2BIG;
		r = profile_prune(&m.profile, k->memory);
	}
	if (r < 0)
		return r;
	/* it is grouped already: by hosts, too, which no process of a profile has */
	free(k->query.group_by);
	k->query.group_by = NULL;
	k->profile = TAKE_PTR(m.profile);
	return 0;
}
