/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/record.h"

/* How many functions, and how long a line may be where the terminal is wider. */
#define FUNCTIONS 5
#define WIDEST    120

static int by_self(const void *a, const void *b)
{
	double x = json_number_at(*(json_t *const *)a, "self"),
	       y = json_number_at(*(json_t *const *)b, "self");

	return (x < y) - (x > y);
}

static void write_line(const json_t *node, double total, unsigned int columns, struct buf *out)
{
	const char *file = json_string_at(node, "file"), *place = json_place_at(node);
	int line = (int)json_number_at(node, "line");
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *text = NULL;
	char cell[4 * WIDEST + 8];

	buf_puts(&b, json_string_at(node, "function"));
	if (*file)
		buf_printf(&b, " (%s:%d)", file, line);
	else if (*place)
		buf_printf(&b, " (%s)", place);
	text = buf_string(&b);
	buf_printf(out, "%6.1f %%  %s\n", 100 * json_number_at(node, "self") / total,
		   text ? text_cell(text, columns, false, cell, sizeof(cell)) : "");
}

void hottest_text(const json_t *graph, unsigned int n, unsigned int columns, struct buf *out)
{
	const json_t *nodes = json_object_get(graph, "nodes");
	size_t size = json_array_size(nodes), shown = 0;
	json_t **sorted = calloc(size + 1, sizeof(json_t *));
	double total = json_number_at(graph, "total");

	columns = MIN(columns, (unsigned int)WIDEST);
	columns = columns > 20 ? columns - 10 : 10;
	for (size_t i = 0; sorted && i < size; i++)
		sorted[i] = json_array_get(nodes, i);
	if (sorted)
		qsort(sorted, size, sizeof(json_t *), by_self);
	for (size_t i = 0; sorted && i < size && shown < n && total > 0; i++) {
		if (json_number_at(sorted[i], "self") <= 0)
			break;
		write_line(sorted[i], total, columns, out);
		shown++;
	}
	free(sorted);
}

void hottest_show(const struct recording *rec)
{
	unsigned int columns = text_columns(STDERR_FILENO);
	_cleanup_free_ char *path = NULL;
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_buf_ struct buf b = {};
	json_t *graph = NULL;

	if (columns == 0)
		return;
	path = record_result_path(rec, "json", NULL);
	/* it is beside what was asked for: if it cannot be had, nothing is said */
	if (path && ctl_exchange(rec->ctl, "GET", path, NULL, 30, &a) == 0 && a.status == 200)
		graph = json_loadb(a.body.data, a.body.size, 0, NULL);
	hottest_text(graph, FUNCTIONS, columns, &b);
	json_decref(graph);
	if (b.size > 0 && !b.error)
		dprintf(STDERR_FILENO, "\nThe hottest functions, by their own time:\n%.*s\n",
			(int)b.size, b.data);
}
