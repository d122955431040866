/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/gateway.h"
#include "util/clock.h"

static void put_time(struct json_writer *w, const char *key, uint64_t ns)
{
	if (ns)
		json_put_seconds(w, key, (int64_t)ns);
	else
		json_put_null(w, key);
}

/* How old what the store lacks is, at most; 0: it has all, as far as is known. */
static uint64_t lag_of(const struct ship_facts *f)
{
	uint64_t now = clock_ns(CLOCK_REALTIME);

	return f->behind && f->last_end_ns && f->last_end_ns < now ? now - f->last_end_ns : 0;
}

static void put_facts(struct json_writer *w, const struct ship_facts *f)
{
	json_put_string(w, "host_id", *f->host_id ? f->host_id : NULL);
	json_put_uint(w, "windows", f->windows);
	json_put_uint(w, "rows", f->rows);
	json_put_uint(w, "samples", f->samples);
	json_put_uint(w, "bytes", f->bytes);
	json_put_seconds(w, "cpu_s", (int64_t)f->cpu_ns);
	json_put_uint(w, "passed_over", f->passed_over);
	json_put_uint(w, "refused", f->refused);
	json_put_string(w, "refusal", *f->refusal ? f->refusal : NULL);
	json_put_uint(w, "missed", f->missed);
	json_put_uint(w, "behind", f->behind);
	json_put_seconds(w, "lag_s", (int64_t)lag_of(f));
	put_time(w, "shipped_to", f->last_end_ns);
	put_time(w, "last_success", f->last_sent_ns);
	json_put_uint(w, "failures", f->failures);
	put_time(w, "retry", f->retry_ns);
	json_put_string(w, "error", *f->error ? f->error : NULL);
}

void gateway_fleet(const struct api_request *q, void *ctx)
{
	const struct gateway *g = ctx;
	struct ship_facts facts;
	struct buf body = {};
	struct json_writer w = json_writer_on(&body);

	json_put_object(&w, NULL);
	json_put_string(&w, "store", g->ship ? g->config->fleet_store : NULL);
	if (g->ship) {
		ship_look(g->ship, &facts);
		put_facts(&w, &facts);
	}
	json_put_end(&w);
	api_reply_writer(q->call, 200, &w);
}
