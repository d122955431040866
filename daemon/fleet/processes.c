/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/internal.h"
#include "fleet/sql_hosts.h"

/* The processes that a fleet's hosts had, the busiest: what the store knows of each. */

static void put_process(struct json_writer *w, const struct fleet_row *row,
			const struct fleet_process *p)
{
	const struct process_info *i = &p->info;

	json_put_object(w, NULL);
	json_put_string(w, "host", row->host);
	json_put_string(w, "region", row->region);
	json_put_uint(w, "pid", (uint64_t)i->pid);
	json_put_real(w, "start_time", i->start_time);
	json_put_uint(w, "uid", i->uid);
	json_put_string(w, "python", p->python);
	json_put_string(w, "comm", i->comm);
	json_put_string(w, "exe", i->exe);
	json_put_string(w, "cmdline", i->cmdline);
	json_put_string(w, "cgroup", i->cgroup);
	json_put_string(w, "unit", i->unit);
	json_put_string(w, "container", i->container);
	json_put_string(w, "service", row->service);
	json_put_string(w, "version", row->version);
	json_put_uint(w, "samples", row->weight / FLEET_UNIT);
	json_put_end(w);
}

static int read_known(struct fleet_read *f, const struct fleet_ids *ids,
		      struct fleet_process *processes)
{
	_cleanup_buf_ struct buf sql = {}, answer = {};
	int r;

	if (!ids->n)
		return 0;
	fleet_sql_processes(&sql, f->db, &f->question->query, ids->items, ids->n);
	r = fleet_ask(f, &sql, &answer);
	return r == 0 ? fleet_processes_decode(&answer, ids, processes) : r;
}

int fleet_read_processes(struct fleet_read *f)
{
	struct json_writer w = json_writer_on(&f->question->answer);
	_cleanup_(fleet_rows_done) struct fleet_rows rows = {};
	_cleanup_(fleet_ids_done) struct fleet_ids ids = {};
	_cleanup_free_ struct fleet_process *processes = NULL;
	_cleanup_buf_ struct buf sql = {}, answer = {};
	int r;

	fleet_sql_busiest_processes(&sql, f->db, &f->question->query);
	r = fleet_ask(f, &sql, &answer);
	if (r == 0)
		r = fleet_rows_decode(&answer, &rows);
	for (uint32_t i = 0; r == 0 && i < rows.n; i++)
		r = fleet_ids_add(&ids, rows.items[i].process);
	if (r < 0)
		return r;
	fleet_ids_sort(&ids);
	processes = calloc((size_t)ids.n + 1, sizeof(*processes));
	r = processes ? read_known(f, &ids, processes) : -ENOMEM;
	json_put_array(&w, NULL);
	for (uint32_t i = 0; r == 0 && i < rows.n; i++) {
		const struct fleet_row *row = &rows.items[i];
		const struct fleet_process *p = &processes[fleet_ids_find(&ids, row->process)];

		/* one that the store does not know yet will come */
		if (p->python)
			put_process(&w, row, p);
	}
	json_put_end(&w);
	for (uint32_t i = 0; processes && i < ids.n; i++)
		fleet_process_done(&processes[i]);
	return r < 0 ? r : json_writer_done(&w);
}
