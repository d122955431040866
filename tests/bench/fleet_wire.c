/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a window takes on its way: compressed bodies and CPU time of the shipper's calls, for the
 * first window of a day, of which the store has no stack, and for later ones, alone and so many
 * together; and the same windows as one OTLP message each.
 */
#include "fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "made.h"
#include "ship/push.h"
#include "ship/target.h"
#include "store/store.h"
#include "util/clock.h"

struct wire {
	struct clickhouse *store;
	struct ship_host host;
	struct seen *seen;
	uint32_t together; /* windows of a batch */
	struct ship_rows batch;
	uint32_t n; /* windows so far */
	uint64_t in_batch;
	/* of the first window, and of all others */
	struct figures {
		uint64_t windows, rows, bytes, cpu_ns, otlp_bytes, otlp_cpu_ns, stacks;
	} first, later;
};

static void flush(struct wire *w, struct figures *f)
{
	uint64_t before = clickhouse_sent(w->store), cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct clickhouse_trouble why = {};

	if (!w->in_batch)
		return;
	if (target_clickhouse_insert(w->store, &w->batch, &why) < 0) {
		fprintf(stderr, "bench_fleet: %s\n", why.sentence);
		exit(EXIT_FAILURE);
	}
	f->cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	f->bytes += clickhouse_sent(w->store) - before;
	ship_rows_done(&w->batch);
	w->batch = (struct ship_rows){};
	w->in_batch = 0;
}

static void as_otlp(const struct profile *p, struct figures *f)
{
	const struct push_from from = { .host = "host-1", .region = "eu" };
	uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	_cleanup_(push_freep) struct push *all = NULL;
	struct push_request q = {};

	must(push_new(PUSH_OTLP, p, NULL, &from, &all), "otlp");
	for (uint32_t row = 0; row < push_rows(all); row += q.rows) {
		push_request_done(&q);
		must(push_request(all, row, PUSH_SAMPLES, &q), "otlp");
		f->otlp_bytes += q.body.size;
	}
	push_request_done(&q);
	f->otlp_cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
}

static int each(const struct profile *p, void *ctx)
{
	struct wire *w = ctx;
	struct figures *f = w->n ? &w->later : &w->first;
	struct store_place place = { .any = true, .writer = 1, .id = w->n };
	struct ship_weights weights = { .head = SHIP_MILLION };
	_cleanup_(ship_rows_done) struct ship_rows rows = {};
	uint64_t cpu_ns;

	if (!p || !p->nsamples)
		return 0;
	weights.processes = calloc(p->nprocesses, sizeof(uint64_t));
	must(weights.processes ? 0 : -ENOMEM, "weights");
	for (uint32_t i = 0; i < p->nprocesses; i++)
		weights.processes[i] = SHIP_MILLION;
	cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	seen_day(w->seen, (uint32_t)(p->start_ns / (86400 * NSEC_PER_SEC)));
	must(ship_encode(p, &w->host, &place, &weights, w->seen, &rows), "encode");
	must(ship_rows_add(&w->batch, &rows), "rows");
	for (uint32_t i = 0; i < rows.nids; i++)
		seen_add(w->seen, rows.ids[i]);
	f->cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	free(weights.processes);
	f->windows++;
	f->rows += rows.nsamples;
	f->stacks += rows.nids;
	w->in_batch++;
	if (w->in_batch == w->together || !w->n)
		flush(w, f);
	w->n++;
	as_otlp(p, f);
	return 0;
}

static void tell(const char *program, uint32_t together, const char *which, const struct figures *f)
{
	double n = (double)(f->windows ? f->windows : 1);

	printf("%s_%u_%s_windows %" PRIu64 "\n", program, together, which, f->windows);
	printf("%s_%u_%s_rows %.0f\n", program, together, which, (double)f->rows / n);
	printf("%s_%u_%s_stacks %.0f\n", program, together, which, (double)f->stacks / n);
	printf("%s_%u_%s_bytes %.0f\n", program, together, which, (double)f->bytes / n);
	printf("%s_%u_%s_cpu_ms %.2f\n", program, together, which, (double)f->cpu_ns / n / 1e6);
	printf("%s_%u_%s_otlp_bytes %.0f\n", program, together, which, (double)f->otlp_bytes / n);
	printf("%s_%u_%s_otlp_cpu_ms %.2f\n", program, together, which,
	       (double)f->otlp_cpu_ns / n / 1e6);
}

static void program_wire(struct wire *w, const char *dir, const char *program)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_(selectors_done) struct selectors s = {};

	reader = bench_fleet_open(dir, program, &s);
	seen_forget(w->seen);
	w->n = 0;
	w->first = w->later = (struct figures){};
	must(store_each_window(reader, 0, UINT64_MAX, &s, each, w), "read");
	flush(w, &w->later);
	tell(program, w->together, "first", &w->first);
	tell(program, w->together, "later", &w->later);
}

void bench_fleet_wire(const char *dir, const char *password_file, const char *url)
{
	static const uint32_t together[] = { 1, 4, 12 };
	struct wire w = { .host = { .id = 1, .name = "host-1", .region = "eu" } };

	w.seen = calloc(1, sizeof(*w.seen));
	must(w.seen ? 0 : -ENOMEM, "seen");
	w.store = bench_fleet_connect(url, password_file, &w.host.seed);
	for (uint32_t i = 0; i < ARRAY_SIZE(together); i++) {
		w.together = together[i];
		for (uint32_t p = 0; p < ARRAY_SIZE(bench_fleet_programs); p++)
			program_wire(&w, dir, bench_fleet_programs[p]);
	}
	clickhouse_free(w.store);
	free(w.seen);
}
