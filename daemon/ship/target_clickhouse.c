/* SPDX-License-Identifier: BSD-2-Clause */
#include "clickhouse/schema.h"
#include "ship/target.h"
#include "util/clock.h"
#include "util/log.h"

/* Bytes of rows that are kept, at most, but for one window. */
#define KEPT_BYTES (2u << 20)

struct to_clickhouse {
	struct ship_target target;
	struct clickhouse *store;
	uint64_t seed;         /* of its ids */
	struct seen seen;      /* what it was sent by this connection, or is kept */
	struct ship_rows kept; /* until flush() */
};

static void forget(struct to_clickhouse *c)
{
	ship_rows_done(&c->kept);
	c->kept = (struct ship_rows){};
	seen_forget(&c->seen);
}

static void done(struct ship_target *t)
{
	struct to_clickhouse *c = (struct to_clickhouse *)t;

	if (c->store)
		clickhouse_free(c->store);
	ship_rows_done(&c->kept);
	free(c);
}

static int trouble(int r, const struct clickhouse_trouble *why, struct ship_trouble *ret)
{
	if (r < 0) {
		*ret = (struct ship_trouble){
			.away = why->kind == CLICKHOUSE_AWAY,
			.retry_after_s = why->retry_after_s,
		};
		memcpy(ret->sentence, why->sentence, sizeof(ret->sentence));
	}
	return r;
}

static int check(struct ship_target *t, struct ship_trouble *ret_why)
{
	struct to_clickhouse *c = (struct to_clickhouse *)t;
	struct clickhouse_trouble why = {};

	return trouble(clickhouse_schema_check(c->store, &c->seed, &why), &why, ret_why);
}

static int insert(struct clickhouse *store, const struct native_table *t, const struct buf *rows,
		  struct clickhouse_trouble *ret_why)
{
	_cleanup_buf_ struct buf into = {}, body = {};
	_cleanup_free_ char *text = NULL;
	int r;

	if (!rows->size)
		return 0;
	native_into(t, &into);
	text = buf_string(&into);
	r = text ? native_of(t, rows, &body) : -ENOMEM;
	return r < 0 ? r : clickhouse_insert_as(store, text, "Native", &body, ret_why);
}

int target_clickhouse_insert(struct clickhouse *store, const struct ship_rows *rows,
			     struct clickhouse_trouble *ret_why)
{
	int r = insert(store, &ship_stacks, &rows->stacks, ret_why);

	if (r == 0)
		r = insert(store, &ship_processes, &rows->processes, ret_why);
	if (r == 0)
		r = insert(store, &ship_samples, &rows->samples, ret_why);
	return r < 0 ? r : insert(store, &ship_windows, &rows->head, ret_why);
}

static int flush(struct ship_target *t, struct ship_part *ret, struct ship_trouble *ret_why)
{
	struct to_clickhouse *c = (struct to_clickhouse *)t;
	struct clickhouse_trouble why = {};
	int r = target_clickhouse_insert(c->store, &c->kept, &why);

	*ret = (struct ship_part){ .rows = c->kept.nsamples, .samples = c->kept.count };
	if (r < 0)
		forget(c);
	ship_rows_done(&c->kept);
	c->kept = (struct ship_rows){};
	return trouble(r, &why, ret_why);
}

static int send_window(struct ship_target *t, const struct ship_window *w, uint32_t *ret_rows,
		       struct ship_trouble *ret_why)
{
	struct to_clickhouse *c = (struct to_clickhouse *)t;
	_cleanup_(ship_rows_done) struct ship_rows rows = {};
	struct ship_host host = *w->host;
	int r;

	host.seed = c->seed;
	seen_day(&c->seen, (uint32_t)(w->profile->start_ns / (86400 * NSEC_PER_SEC)));
	r = ship_encode(w->profile, &host, w->place, w->weights, &c->seen, &rows);
	if (r == 0)
		r = ship_rows_add(&c->kept, &rows);
	*ret_rows = rows.nsamples;
	if (r < 0) {
		forget(c);
		return r;
	}
	for (uint32_t i = 0; i < rows.nids; i++)
		seen_add(&c->seen, rows.ids[i]);
	return c->kept.stacks.size + c->kept.samples.size > KEPT_BYTES;
}

static void ask(struct ship_target *t, struct services *services)
{
	struct to_clickhouse *c = (struct to_clickhouse *)t;
	_cleanup_buf_ struct buf sql = {}, answer = { .limit = 1u << 20 };
	struct clickhouse_trouble why = {};
	_cleanup_free_ char *text = NULL;

	services_question(services, clickhouse_database(c->store),
			  clock_ns(CLOCK_REALTIME) / NSEC_PER_SEC, &sql);
	text = buf_string(&sql);
	if (!text || clickhouse_ask(c->store, text, &answer, &why) < 0 ||
	    !services_answer(services, &answer))
		log_debug("the store does not say what it has of this host's services: %s",
			  why.sentence);
}

static int look_for_requests(struct ship_target *t, uint64_t host_id, struct requests *requests,
			     struct ship_trouble *ret_why)
{
	struct to_clickhouse *c = (struct to_clickhouse *)t;
	_cleanup_buf_ struct buf sql = {}, answer = { .limit = 1u << 16 };
	struct clickhouse_trouble why = {};
	_cleanup_free_ char *text = NULL;
	int r;

	requests_question(clickhouse_database(c->store), host_id,
			  clock_ns(CLOCK_REALTIME) / NSEC_PER_SEC, &sql);
	text = buf_string(&sql);
	r = text ? clickhouse_ask(c->store, text, &answer, &why) : -ENOMEM;
	if (r == 0 && !requests_answer(requests, &answer))
		log_debug("what the store says of requests is none");
	return trouble(r, &why, ret_why);
}

static uint64_t bytes_sent(const struct ship_target *t)
{
	return clickhouse_sent(((const struct to_clickhouse *)t)->store);
}

static void stop(struct ship_target *t)
{
	clickhouse_stop(((struct to_clickhouse *)t)->store);
}

int target_clickhouse_new(const struct config *c, struct ship_target **ret, char **ret_error)
{
	static const struct ship_target_ops ops = {
		.check = check,
		.send = send_window,
		.flush = flush,
		.ask = ask,
		.requests = look_for_requests,
		.sent = bytes_sent,
		.stop = stop,
		.free = done,
	};
	const struct clickhouse_options o = {
		.url = c->fleet_store + strlen(CONFIG_CLICKHOUSE),
		.user = c->fleet_user,
		.password_file = c->fleet_password_file,
		.ca_file = c->fleet_ca_file,
	};
	struct to_clickhouse *to = calloc(1, sizeof(*to));
	int r;

	if (!to)
		return -ENOMEM;
	to->target.ops = &ops;
	r = clickhouse_new(&o, &to->store, ret_error);
	if (r == 0)
		*ret = &to->target;
	else
		done(&to->target);
	return r;
}
