/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/counts.h"

#include "util/array.h"

void counts_done(struct counts *c)
{
	free(c->rows);
	*c = (struct counts){};
}

static int compare(const void *pa, const void *pb)
{
	const struct count *a = pa, *b = pb;

	if (a->process != b->process)
		return a->process > b->process ? 1 : -1;
	if (a->thread != b->thread)
		return a->thread > b->thread ? 1 : -1;
	if (a->state != b->state)
		return a->state > b->state ? 1 : -1;
	return (a->node > b->node) - (a->node < b->node);
}

void counts_sort(struct counts *c)
{
	uint32_t kept = 0;

	if (c->n)
		qsort(c->rows, c->n, sizeof(*c->rows), compare);
	for (uint32_t i = 0; i < c->n; i++) {
		if (kept && compare(&c->rows[kept - 1], &c->rows[i]) == 0)
			c->rows[kept - 1].n += c->rows[i].n;
		else
			c->rows[kept++] = c->rows[i];
	}
	c->n = kept;
}

int counts_add(struct counts *c, const struct count *row)
{
	void *array = c->rows;
	int r = array_reserve(&array, c->n, &c->room, sizeof(*c->rows));

	if (r < 0)
		return r;
	c->rows = array;
	c->rows[c->n++] = *row;
	return 0;
}

int counts_merge(struct counts *c, const struct counts *from)
{
	struct counts all = { .room = c->n + from->n };
	uint32_t a = 0, b = 0;

	if (!from->n)
		return 0;
	all.rows = malloc((size_t)all.room * sizeof(*all.rows));
	if (!all.rows)
		return -ENOMEM;
	while (a < c->n || b < from->n) {
		int order = a == c->n    ? 1 :
			    b == from->n ? -1 :
					   compare(&c->rows[a], &from->rows[b]);

		all.rows[all.n] = order <= 0 ? c->rows[a++] : from->rows[b++];
		if (order == 0)
			all.rows[all.n].n += from->rows[b++].n;
		all.n++;
	}
	counts_done(c);
	*c = all;
	return 0;
}

/* The rows of one process; returns how many groups, and their sum by ret. */
static uint32_t put_groups(struct buf *parts, const struct count *rows, uint32_t n, uint64_t *ret)
{
	uint32_t end, groups = 0, thread = 0;

	*ret = 0;
	for (uint32_t i = 0; i < n; i = end, groups++) {
		uint32_t before = 0;

		for (end = i; end < n && rows[end].thread == rows[i].thread &&
			      rows[end].state == rows[i].state;)
			end++;
		packed_put_signed(&parts[COUNTS_GROUPS], (int64_t)rows[i].thread - thread);
		packed_put(&parts[COUNTS_GROUPS], rows[i].state);
		packed_put(&parts[COUNTS_GROUPS], end - i);
		thread = rows[i].thread;
		for (uint32_t k = i; k < end; k++) {
			packed_put(&parts[COUNTS_NODES], rows[k].node - before);
			packed_put(&parts[COUNTS_COUNTS], rows[k].n);
			before = rows[k].node;
			*ret += rows[k].n;
		}
	}
	return groups;
}

void counts_put(const struct counts *c, struct sections *to,
		void (*on_process)(void *ctx, const struct count *rows, uint32_t n, size_t bytes),
		void *ctx)
{
	struct buf *processes = &to->parts[COUNTS_PROCESSES];
	const struct count *rows = c->rows;
	uint32_t end, before = 0;

	for (uint32_t i = 0; i < c->n; i = end) {
		size_t size = sections_size(to);
		uint32_t groups;
		uint64_t sum;

		for (end = i; end < c->n && rows[end].process == rows[i].process;)
			end++;
		groups = put_groups(to->parts, rows + i, end - i, &sum);
		packed_put_signed(processes, (int64_t)rows[i].process - before);
		packed_put(processes, groups);
		packed_put(processes, sum);
		before = rows[i].process;
		if (on_process)
			on_process(ctx, rows + i, end - i, sections_size(to) - size);
	}
}
