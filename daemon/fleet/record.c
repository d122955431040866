/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/record.h"

#include <inttypes.h>
#include <sys/random.h>

#include "fleet/internal.h"
#include "fleet/sql_requests.h"
#include "util/clock.h"

/* Recordings on several hosts: who is asked, and what has arrived. */

#define REQUESTS "requests (day, request, made, from_s, to_s, hosts, selectors, who)"
#define HOUR_NS  (3600 * NSEC_PER_SEC)

static int refuse(struct fleet_read *f, int r, const char *why)
{
	f->question->error = strdup(why);
	return r;
}

/* A host that is asked: rows of fleet_sql_hosts_drawn() and of fleet_sql_request_sent(). */
struct asked {
	uint64_t id, windows, length_ns, covered_ns;
	char *name; /* owned */
};
struct asked_list {
	struct asked items[FLEET_REQUEST_HOSTS];
	uint32_t n;
};

static void asked_free(struct asked_list **l)
{
	for (uint32_t i = 0; *l && i < (*l)->n; i++)
		free((*l)->items[i].name);
	free(*l);
}

static int read_asked(struct fleet_read *f, struct buf *sql, bool sent, struct asked_list *to)
{
	_cleanup_buf_ struct buf answer = {};
	struct rows_reader rows;
	int r = fleet_ask(f, sql, &answer);

	if (r < 0)
		return r;
	rows = rows_of(&answer);
	while (rows_more(&rows) && to->n < FLEET_REQUEST_HOSTS) {
		struct asked *a = &to->items[to->n++];

		a->id = rows_u64(&rows);
		a->name = fleet_text(&rows);
		a->windows = sent ? rows_u64(&rows) : 0;
		a->length_ns = sent ? rows_u64(&rows) : 0;
		a->covered_ns = sent ? rows_u64(&rows) : 0;
	}
	return rows_bad(&rows) ? -EBADMSG : 0;
}

static void put_id(struct json_writer *w, const char *key, uint64_t id)
{
	char text[20];

	snprintf(text, sizeof(text), "%016" PRIx64, id);
	json_put_string(w, key, text);
}

static void put_time(struct json_writer *w, uint64_t id, const struct query *q)
{
	put_id(w, "request", id);
	json_put_seconds(w, "from", (int64_t)q->from_ns);
	json_put_seconds(w, "to", (int64_t)q->to_ns);
}

/* What is asked for is within the bounds of the store: one place for all who ask. */
static int check_wish(struct fleet_read *f, uint64_t now_s)
{
	_cleanup_buf_ struct buf sql = {};
	uint64_t made = 0;
	int r;

	fleet_sql_requests_made(&sql, f->db, now_s - 3600);
	r = fleet_ask_number(f, &sql, &made);
	if (r == 0 && made >= FLEET_REQUESTS_HOURLY)
		return refuse(f, -EBUSY,
			      "that store had 60 requests within an hour, the most that "
			      "there may be");
	return r;
}

static int write_request(struct fleet_read *f, uint64_t id, uint64_t now_s, const struct query *q,
			 const struct asked_list *hosts)
{
	const struct fleet_wish *wish = &f->source->wish;
	_cleanup_buf_ struct buf row = {};

	rows_put_u16(&row, (uint16_t)(now_s / 86400));
	rows_put_u64(&row, id);
	rows_put_u32(&row, (uint32_t)now_s);
	rows_put_u32(&row, (uint32_t)(q->from_ns / NSEC_PER_SEC));
	rows_put_u32(&row, (uint32_t)(q->to_ns / NSEC_PER_SEC));
	rows_put_array(&row, hosts->n);
	for (uint32_t i = 0; i < hosts->n; i++)
		rows_put_u64(&row, hosts->items[i].id);
	rows_put_string(&row, wish->selectors);
	rows_put_string(&row, wish->who);
	return row.error ? row.error :
			   clickhouse_insert(f->clickhouse, REQUESTS, &row, &f->source->trouble);
}

static int draw_hosts(struct fleet_read *f, uint64_t seed, struct asked_list *hosts,
		      uint64_t *ret_seen)
{
	_cleanup_buf_ struct buf sql = {};
	int r;

	fleet_sql_hosts_seen(&sql, f->db, &f->question->query);
	r = fleet_ask_number(f, &sql, ret_seen);
	if (r < 0)
		return r;
	fleet_sql_hosts_drawn(&sql, f->db, &f->question->query, seed, f->source->wish.hosts);
	r = read_asked(f, &sql, false, hosts);
	if (r == 0 && !hosts->n)
		return refuse(f, -ENOENT, "no host had samples of that within the last hour");
	return r;
}

int fleet_make_request(struct fleet_read *f)
{
	struct json_writer w = json_writer_on(&f->question->answer);
	const struct fleet_wish *wish = &f->source->wish;
	_cleanup_(asked_free) struct asked_list *hosts = calloc(1, sizeof(*hosts));
	uint64_t now_ns = clock_ns(CLOCK_REALTIME), random[2], seen = 0;
	struct query *q = &f->question->query, time = {};
	int r;

	if (!hosts || getrandom(random, sizeof(random), 0) != sizeof(random))
		return -ENOMEM;
	/* whom it is about was seen within the last hour */
	q->from_ns = now_ns - HOUR_NS;
	q->to_ns = now_ns;
	time.from_ns = (now_ns / NSEC_PER_SEC + wish->wait_s) * NSEC_PER_SEC;
	time.to_ns = time.from_ns + wish->seconds * NSEC_PER_SEC;
	r = check_wish(f, now_ns / NSEC_PER_SEC);
	if (r == 0)
		r = draw_hosts(f, random[1], hosts, &seen);
	if (r == 0)
		r = write_request(f, random[0], now_ns / NSEC_PER_SEC, &time, hosts);
	if (r < 0)
		return r;
	json_put_object(&w, NULL);
	put_time(&w, random[0], &time);
	json_put_uint(&w, "seen", seen);
	json_put_array(&w, "hosts");
	for (uint32_t i = 0; i < hosts->n; i++)
		json_put_string(&w, NULL, hosts->items[i].name);
	json_put_end(&w);
	json_put_end(&w);
	return json_writer_done(&w);
}

int fleet_request_time(struct fleet_read *f, char **ret_selectors, uint64_t *ret_hosts)
{
	struct query *q = &f->question->query;
	_cleanup_buf_ struct buf sql = {}, answer = {};
	_cleanup_free_ char *selectors = NULL;
	struct rows_reader rows;
	uint32_t from, to;
	int r;

	fleet_sql_request(&sql, f->db, q);
	r = fleet_ask(f, &sql, &answer);
	if (r < 0)
		return r;
	if (!answer.size)
		return refuse(f, -ENOENT, "the store has no such request");
	rows = rows_of(&answer);
	from = rows_u32(&rows);
	to = rows_u32(&rows);
	selectors = fleet_text(&rows);
	*ret_hosts = rows_array(&rows);
	if (rows_bad(&rows) || from >= to || *ret_hosts > FLEET_REQUEST_HOSTS)
		return -EBADMSG;
	q->from_ns = from * NSEC_PER_SEC;
	q->to_ns = to * NSEC_PER_SEC;
	if (ret_selectors)
		*ret_selectors = TAKE_PTR(selectors);
	return 0;
}

static void put_sent(struct json_writer *w, const struct query *q, const struct asked *a)
{
	/* windows touch, and one of a host's is about as long as another */
	bool all = a->windows &&
		   a->covered_ns + a->length_ns / a->windows / 2 > q->to_ns - q->from_ns;

	json_put_object(w, NULL);
	json_put_string(w, "host", a->name);
	put_id(w, "host_id", a->id);
	json_put_uint(w, "windows", a->windows);
	json_put_bool(w, "sent", all);
	json_put_end(w);
}

int fleet_read_request(struct fleet_read *f)
{
	struct json_writer w = json_writer_on(&f->question->answer);
	_cleanup_(asked_free) struct asked_list *hosts = calloc(1, sizeof(*hosts));
	const struct query *q = &f->question->query;
	_cleanup_free_ char *selectors = NULL;
	_cleanup_buf_ struct buf sql = {};
	uint64_t n = 0;
	int r = hosts ? fleet_request_time(f, &selectors, &n) : -ENOMEM;

	if (r < 0)
		return r;
	fleet_sql_request_sent(&sql, f->db, q);
	r = read_asked(f, &sql, true, hosts);
	if (r < 0)
		return r;
	json_put_object(&w, NULL);
	put_time(&w, q->request, q);
	json_put_string(&w, "selectors", selectors);
	json_put_uint(&w, "asked", n);
	json_put_array(&w, "hosts");
	for (uint32_t i = 0; i < hosts->n; i++)
		put_sent(&w, q, &hosts->items[i]);
	json_put_end(&w);
	json_put_end(&w);
	return json_writer_done(&w);
}
