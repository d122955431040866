/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/steps.h"

#include "util/array.h"

struct steps *steps_new(uint64_t step_ns)
{
	struct steps *s = calloc(1, sizeof(*s));

	if (s)
		s->step_ns = step_ns;
	return s;
}

static void row_done(struct step_row *row)
{
	free(row->service);
	free(row->comm);
	free(row->python);
	free(row->cells);
}

static void rows_done(struct step_rows *rows)
{
	for (uint32_t i = 0; i < rows->n; i++)
		row_done(&rows->rows[i]);
	row_done(&rows->others);
	free(rows->rows);
	index_done(&rows->index);
}

void steps_free(struct steps *s)
{
	if (!s)
		return;
	rows_done(&s->services);
	rows_done(&s->processes);
	free(s);
}

/* What begins then. The last ones are asked for most. */
static int find_step(struct steps *s, uint64_t start_ns, uint32_t *ret)
{
	uint64_t number = start_ns / s->step_ns;

	for (uint32_t i = s->n; i-- > 0;) {
		if (s->list[i].number == number) {
			*ret = i;
			return 0;
		}
	}
	if (s->n == STEPS_MOST)
		return -E2BIG;
	s->list[s->n].number = number;
	*ret = s->n++;
	return 0;
}

static void add_gap(struct step *step, struct step_gap gap)
{
	uint32_t shortest = 0;

	if (step->ngaps < STEPS_GAPS) {
		step->gaps[step->ngaps++] = gap;
		return;
	}
	step->more_gaps++;
	for (uint32_t i = 1; i < STEPS_GAPS; i++) {
		const struct step_gap *g = &step->gaps[i], *least = &step->gaps[shortest];

		if (g->to_ns - g->from_ns < least->to_ns - least->from_ns)
			shortest = i;
	}
	if (gap.to_ns - gap.from_ns <= step->gaps[shortest].to_ns - step->gaps[shortest].from_ns)
		return;
	/* they stay in the order of time */
	memmove(&step->gaps[shortest], &step->gaps[shortest + 1],
		(STEPS_GAPS - 1 - shortest) * sizeof(step->gaps[0]));
	step->gaps[STEPS_GAPS - 1] = gap;
}

int steps_add_head(struct steps *s, const struct head *h)
{
	struct step *step;
	uint32_t i;
	int r = find_step(s, h->start_ns, &i);

	if (r < 0)
		return r;
	step = &s->list[i];
	if (s->end_ns && h->start_ns > s->end_ns + STEPS_GAP_MIN)
		add_gap(step, (struct step_gap){ s->end_ns, h->start_ns });
	s->end_ns = MAX(s->end_ns, h->end_ns);
	head_add(&step->head, h);
	step->head.stepped_ns += h->stepped_ns;
	step->head.running = step->head.running || h->running;
	step->covered_ns += h->end_ns - h->start_ns;
	return 0;
}

/* A process may be called otherwise later: it has the name that it had first. */
static bool is_of(const struct step_row *row, const struct profile_process *p, bool process)
{
	if (process)
		return row->pid == p->info.pid &&
		       memcmp(&row->start_time, &p->info.start_time, sizeof(row->start_time)) == 0;
	return streq(row->service, p->info.service) &&
	       (*row->service || streq(row->comm, p->info.comm));
}

static uint32_t hash_of(int64_t pid, double start_time, const char *service, const char *comm)
{
	uint64_t began;

	_Static_assert(sizeof(began) == sizeof(start_time), "a double has 64 bits");
	memcpy(&began, &start_time, sizeof(began));
	if (pid)
		return index_hash((uint64_t)pid, began);
	return index_hash(*service != '\0', *service ? index_hash_bytes(service, strlen(service)) :
						       index_hash_bytes(comm, strlen(comm)));
}

static int by_samples(const void *pa, const void *pb)
{
	const struct step_row *a = pa, *b = pb;
	int r;

	if (a->samples != b->samples)
		return a->samples < b->samples ? 1 : -1;
	r = strcmp(a->service, b->service);
	if (r == 0)
		r = strcmp(a->comm, b->comm);
	return r ? r : (a->pid > b->pid) - (a->pid < b->pid);
}

/* Of the heaviest so many stay, in this order, and the others are added up. */
static int keep_heaviest(struct step_rows *rows, uint32_t most)
{
	if (rows->n)
		qsort(rows->rows, rows->n, sizeof(*rows->rows), by_samples);
	index_done(&rows->index);
	if (rows->n > most && !rows->others.cells) {
		rows->others.cells = calloc(STEPS_MOST, sizeof(*rows->others.cells));
		if (!rows->others.cells)
			return -ENOMEM;
	}
	while (rows->n > most) {
		struct step_row *row = &rows->rows[--rows->n];

		for (uint32_t i = 0; i < STEPS_MOST; i++)
			rows->others.cells[i] += row->cells[i];
		rows->others.samples += row->samples;
		row_done(row);
	}
	return 0;
}

static int make_room(struct step_rows *rows)
{
	int r;

	if (rows->n < STEPS_KNOWN)
		return index_reserve(&rows->index, 1);
	r = keep_heaviest(rows, STEPS_KNOWN / 2);
	if (r == 0)
		r = index_reserve(&rows->index, STEPS_KNOWN / 2 + 1);
	for (uint32_t i = 0; r == 0 && i < rows->n; i++) {
		const struct step_row *k = &rows->rows[i];

		index_add(&rows->index, hash_of(k->pid, k->start_time, k->service, k->comm), i);
	}
	return r;
}

static int new_row(const struct profile_process *p, bool process, struct step_row *ret)
{
	struct step_row row = { .service = strdup(p->info.service),
				.comm = strdup(process || !*p->info.service ? p->info.comm : ""),
				.python = strdup(process ? p->python : ""),
				.cells = calloc(STEPS_MOST, sizeof(*row.cells)) };

	if (!row.service || !row.comm || !row.python || !row.cells) {
		row_done(&row);
		return -ENOMEM;
	}
	row.pid = process ? p->info.pid : 0;
	row.start_time = process ? p->info.start_time : 0;
	*ret = row;
	return 0;
}

static int find_row(struct step_rows *rows, const struct profile_process *p, bool process,
		    struct step_row **ret)
{
	uint32_t hash = hash_of(process ? p->info.pid : 0, p->info.start_time, p->info.service,
				p->info.comm);
	void *array = rows->rows;
	uint32_t i;
	int r;

	for (uint32_t at = index_start(&rows->index, hash);
	     index_next(&rows->index, hash, &at, &i);) {
		*ret = &rows->rows[i];
		if (is_of(*ret, p, process))
			return 0;
	}
	r = make_room(rows);
	if (r == 0)
		r = array_reserve(&array, rows->n, &rows->room, sizeof(*rows->rows));
	if (r < 0)
		return r;
	rows->rows = array;
	*ret = &rows->rows[rows->n];
	r = new_row(p, process, *ret);
	if (r == 0)
		index_add(&rows->index, hash, rows->n++);
	return r;
}

int steps_add_process(struct steps *s, const struct profile_process *p, uint64_t start_ns)
{
	struct step_rows *const all[] = { &s->services, &s->processes };
	size_t n = p->info.pid ? ARRAY_SIZE(all) : 1;
	uint32_t at;
	int r = p->samples ? find_step(s, start_ns, &at) : 0;

	if (!p->samples || r < 0)
		return r;
	s->list[at].seen += p->samples;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct step_row *row;

		r = find_row(all[i], p, all[i] == &s->processes, &row);
		if (r < 0)
			return r;
		row->samples += p->samples;
		row->cells[at] += p->samples;
	}
	return 0;
}

static int by_number(const void *pa, const void *pb)
{
	const struct step *const *a = pa, *const *b = pb;

	return ((*a)->number > (*b)->number) - ((*a)->number < (*b)->number);
}

static void put_step(struct json_writer *w, const struct step *step, bool owned)
{
	struct head head = step->head;

	if (owned)
		head_reduce(&head, step->seen);
	json_put_object(w, NULL);
	head_put(w, &head);
	json_put_seconds(w, "covered_s", (int64_t)step->covered_ns);
	json_put_array(w, "gaps");
	for (uint32_t i = 0; i < step->ngaps; i++) {
		json_put_object(w, NULL);
		json_put_seconds(w, "from", (int64_t)step->gaps[i].from_ns);
		json_put_seconds(w, "to", (int64_t)step->gaps[i].to_ns);
		json_put_end(w);
	}
	json_put_end(w);
	json_put_uint(w, "more_gaps", step->more_gaps);
	json_put_end(w);
}

/* Of the steps in the order of time. */
struct step_order {
	const struct step *steps[STEPS_MOST];
	const struct steps *of;
};

static void put_cells(struct json_writer *w, const char *key, const struct step_order *order,
		      const uint64_t *cells)
{
	json_put_array(w, key);
	for (uint32_t i = 0; i < order->of->n; i++)
		json_put_uint(w, NULL, cells[order->steps[i] - order->of->list]);
	json_put_end(w);
}

static void put_rows(struct json_writer *w, const char *key, const struct step_order *order,
		     const struct step_rows *rows)
{
	json_put_array(w, key);
	for (uint32_t i = 0; i < rows->n; i++) {
		const struct step_row *row = &rows->rows[i];

		json_put_object(w, NULL);
		if (row->pid) {
			json_put_int(w, "pid", row->pid);
			json_put_real(w, "start_time", row->start_time);
		}
		json_put_string(w, "comm", row->comm);
		json_put_string(w, "service", row->service);
		if (row->pid)
			json_put_string(w, "python", row->python);
		put_cells(w, "samples", order, row->cells);
		json_put_end(w);
	}
	json_put_end(w);
}

static void put_others(struct json_writer *w, const char *key, const struct step_order *order,
		       const struct step_rows *rows)
{
	if (rows->others.cells)
		put_cells(w, key, order, rows->others.cells);
	else
		json_put_null(w, key);
}

int steps_put(struct steps *s, bool owned, struct json_writer *w)
{
	struct step_order order = { .of = s };
	int r = keep_heaviest(&s->services, STEPS_TOLD);

	if (r == 0)
		r = keep_heaviest(&s->processes, STEPS_TOLD);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < s->n; i++)
		order.steps[i] = &s->list[i];
	if (s->n)
		qsort(order.steps, s->n, sizeof(order.steps[0]), by_number);
	json_put_seconds(w, "step_s", (int64_t)s->step_ns);
	json_put_array(w, "windows");
	for (uint32_t i = 0; i < s->n; i++)
		put_step(w, order.steps[i], owned);
	json_put_end(w);
	put_rows(w, "services", &order, &s->services);
	put_others(w, "other_services", &order, &s->services);
	put_rows(w, "processes", &order, &s->processes);
	put_others(w, "other_processes", &order, &s->processes);
	return 0;
}
