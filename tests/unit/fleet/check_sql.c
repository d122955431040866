/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "fleet/sql_hosts.h"
#include "fleet/sql_requests.h"
#include "profile/selector_text.h"

#include <string.h>

static struct query q;
static struct fleet_part items[3];
static struct fleet_cover cover;

static void setup(void)
{
	selectors_over_hosts();
	cover = (struct fleet_cover){};
	q = (struct query){ .from_ns = 1795000030 * NSEC_PER_SEC,
			    .to_ns = 1795000600 * NSEC_PER_SEC + 1 };
}

static void teardown(void)
{
	query_done(&q);
}

static void choose(const char *text)
{
	ck_assert_int_eq(selectors_add(&q.selectors, text), 0);
}

static void group_by(const char *keys)
{
	free(q.group_by);
	q.group_by = strdup(keys);
	ck_assert_ptr_nonnull(q.group_by);
}

static char *rows(void)
{
	_cleanup_buf_ struct buf b = {};
	char *text;

	fleet_sql_stacks_of(&b, "plop", &q, &cover);
	text = buf_string(&b);
	ck_assert_ptr_nonnull(text);
	return text;
}

START_TEST(time_is_of_windows_that_overlap_it)
{
	_cleanup_free_ char *text = rows();
	_cleanup_buf_ struct buf b = {};

	ck_assert_ptr_nonnull(strstr(text, "FROM plop.samples FINAL WHERE (start >= "
					   "toDateTime(1795000001) AND start < "
					   "toDateTime(1795000601)) AND weight > 0 GROUP BY"));
	ck_assert_ptr_nonnull(strstr(text, "sum(samples * weight)"));
	ck_assert_ptr_nonnull(strstr(text, "LIMIT 20000"));
	fleet_sql_heads(&b, "plop", &q, 30);
	free(text);
	text = buf_string(&b);
	ck_assert_ptr_nonnull(
		strstr(text, "day >= toDate(20775) AND day <= toDate(20775) AND start >= "));
	/* before all time, and behind all that the store can say */
	q.from_ns = 0;
	q.to_ns = UINT64_MAX;
	free(text);
	text = rows();
	ck_assert_ptr_nonnull(strstr(text, "start >= toDateTime(0) AND start < toDateTime("
					   "4294967295)"));
}
END_TEST

START_TEST(texts_are_digits_alone)
{
	_cleanup_free_ char *text = NULL;

	choose("service=it's; DROP TABLE samples");
	choose("service=shop");
	choose("host=\\");
	choose("exe=/srv'/app/");
	text = rows();
	ck_assert_ptr_nonnull(strstr(text, " AND (service = unhex('"));
	ck_assert_ptr_nonnull(strstr(text, " OR service = unhex('"));
	ck_assert_ptr_nonnull(strstr(text, "OR startsWith(toString(exe), unhex('"));
	ck_assert_ptr_nonnull(strstr(text, "process_id GLOBAL IN (SELECT process_id FROM "
					   "plop.processes WHERE day >= "));
	ck_assert_ptr_null(strstr(text, "DROP"));
	ck_assert_ptr_null(strchr(text, '\\'));
	ck_assert_ptr_null(strchr(text, ';'));
	ck_assert_ptr_null(strstr(text, "srv"));
}
END_TEST

START_TEST(of_many_hosts_some_are_asked_for)
{
	const char *const hosts[] = { "a'", "b" };
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *text = NULL;

	choose("service=it's");
	fleet_sql_stacks_by_host(&b, "plop", &q, hosts, 2, 50);
	text = buf_string(&b);
	ck_assert_ptr_nonnull(
		strstr(text, " AND (service = unhex('69742773')) AND weight > 0 AND "
			     "(sipHash64(toString(host)) % 50 = 0 OR host IN (unhex('6127'), "
			     "unhex('62'))) GROUP BY host, "));
	ck_assert_ptr_nonnull(strstr(text, "LIMIT 400000"));
	buf_clear(&b);
	free(text);
	fleet_sql_stacks_by_host(&b, "plop", &q, NULL, 0, 1);
	text = buf_string(&b);
	ck_assert_ptr_nonnull(strstr(text, " AND weight > 0 GROUP BY host, "));
}
END_TEST

START_TEST(states_are_numbers)
{
	_cleanup_free_ char *text = NULL;

	choose("gil=held");
	choose("state=running");
	choose("state=sleeping");
	text = rows();
	ck_assert_ptr_nonnull(strstr(text, " AND (state IN (0, 1, 2) OR state IN (4))"));
	ck_assert_ptr_nonnull(strstr(text, " AND (state IN (1))"));
}
END_TEST

START_TEST(rows_are_as_fine_as_they_must_be)
{
	_cleanup_free_ char *text = rows();

	ck_assert(!fleet_sql_of_processes(&q));
	ck_assert_ptr_nonnull(strstr(text,
				     "SELECT service, version, '', '', toUInt64(0), stack_id, "
				     "state, sum(part)"));
	group_by("region,service");
	free(text);
	text = rows();
	ck_assert_ptr_nonnull(strstr(text, "GROUP BY service, version, region, stack_id, state"));
	group_by("comm");
	free(text);
	text = rows();
	ck_assert(fleet_sql_of_processes(&q));
	ck_assert_ptr_nonnull(
		strstr(text, "GROUP BY service, version, host, region, process_id, "));
}
END_TEST

START_TEST(what_the_store_does_not_have_is_refused)
{
	const char *why = NULL;

	choose("region=eu");
	group_by("host,pid,version");
	ck_assert_int_eq(fleet_sql_check(&q, &why), 0);
	group_by("host,thread");
	ck_assert_int_eq(fleet_sql_check(&q, &why), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "no threads"));
	group_by("host");
	choose("label.run=7");
	ck_assert_int_eq(fleet_sql_check(&q, &why), -EINVAL);
}
END_TEST

/* 12:00 to 15:30; of the first hour a part, of the last one as well. */
static void add_hours(void)
{
	for (uint32_t i = 0; i < 2; i++)
		items[i] = (struct fleet_part){ 1795003200 + i * FLEET_HOUR_S,
						1795006800 + i * FLEET_HOUR_S, 7 + i };
	cover = (struct fleet_cover){ .items = items, .n = 2 };
	q.from_ns = 1795000030 * NSEC_PER_SEC;
	q.to_ns = 1795012200 * NSEC_PER_SEC;
}

START_TEST(what_is_added_up_is_not_read_again)
{
	_cleanup_free_ char *text = NULL;

	add_hours();
	text = rows();
	ck_assert_ptr_nonnull(strstr(text, "FROM plop.samples FINAL WHERE (start >= "
					   "toDateTime(1795000001) AND start < "
					   "toDateTime(1795003200) OR start >= "
					   "toDateTime(1795010400) AND start < "
					   "toDateTime(1795012200)) AND weight > 0 GROUP BY"));
	ck_assert_ptr_nonnull(strstr(text, "UNION ALL SELECT service, version, stack_id, state, "
					   "sum(weighted) AS part FROM plop.hours WHERE generation "
					   "IN (7,8) GROUP BY"));
	/* with nothing between them, and nothing around */
	free(text);
	q.from_ns = (1795003200 + FLEET_WINDOW_S - 1) * NSEC_PER_SEC;
	q.to_ns = 1795010400 * NSEC_PER_SEC;
	text = rows();
	ck_assert_ptr_null(strstr(text, "FINAL"));
	ck_assert_ptr_null(strstr(text, "UNION"));
	/* one in the midst that is not */
	free(text);
	cover.n = 1;
	items[0] = items[1];
	text = rows();
	ck_assert_ptr_nonnull(strstr(text, "(start >= toDateTime(1795003200) AND start < "
					   "toDateTime(1795006800)) AND weight > 0 GROUP BY"));
}
END_TEST

/* A time of which each row is there once, before an hour that is added up. */
START_TEST(what_is_there_once_is_read_as_it_is)
{
	_cleanup_free_ char *text = NULL;

	add_hours();
	items[2] = items[0];
	items[0] = (struct fleet_part){ 1795000001, 1795002000, 0 };
	items[1] = items[2];
	items[2] = (struct fleet_part){ 1795010400, 1795012200, 0 };
	cover.n = 3;
	text = rows();
	ck_assert_ptr_nonnull(strstr(text, "FROM plop.samples FINAL WHERE (start >= "
					   "toDateTime(1795002000) AND start < "
					   "toDateTime(1795003200) OR start >= "
					   "toDateTime(1795006800) AND start < "
					   "toDateTime(1795010400)) AND weight > 0 GROUP BY"));
	ck_assert_ptr_nonnull(strstr(text, "FROM plop.samples WHERE (start >= "
					   "toDateTime(1795000001) AND start < "
					   "toDateTime(1795002000) OR start >= "
					   "toDateTime(1795010400) AND start < "
					   "toDateTime(1795012200)) AND weight > 0 GROUP BY"));
	ck_assert_ptr_nonnull(strstr(text, "FROM plop.hours WHERE generation IN (7) GROUP BY"));
	/* and where no window is, nothing is looked through */
	items[0].generation = FLEET_NOTHING;
	items[0].to = 1795003200;
	items[2] = (struct fleet_part){ 1795006800, 1795012200, FLEET_NOTHING };
	free(text);
	text = rows();
	ck_assert_ptr_null(strstr(text, "samples"));
	ck_assert_ptr_nonnull(strstr(text, "FROM plop.hours WHERE generation IN (7) GROUP BY"));
}
END_TEST

START_TEST(sums_tell_what_they_were_made_by)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *text = NULL;

	add_hours();
	ck_assert(fleet_sql_adds_up(&q));
	fleet_sql_services(&b, "plop", &q, FLEET_WINDOW_S, &cover);
	fleet_sql_series(&b, "plop", &q, FLEET_HOUR_S, "f", &cover);
	text = buf_string(&b);
	ck_assert_ptr_nonnull(strstr(text, "FROM plop.services WHERE generation IN (7,8)"));
	ck_assert_ptr_nonnull(strstr(text, "FROM plop.hours WHERE generation IN (7,8)"));
	ck_assert(!fleet_sql_of_states(&q));
	choose("gil=held");
	ck_assert(fleet_sql_of_states(&q) && fleet_sql_adds_up(&q));
	choose("host=web1");
	ck_assert(!fleet_sql_adds_up(&q));
	group_by("pid");
	ck_assert(!fleet_sql_adds_up(&q));
}
END_TEST

/* Of its hosts and of windows that overlap its time, each sample for itself. */
START_TEST(a_request_is_read_without_weights)
{
	_cleanup_buf_ struct buf heads = {}, sent = {};
	_cleanup_free_ char *text = NULL, *head = NULL, *state = NULL;

	q.request = 7;
	text = rows();
	ck_assert_ptr_nonnull(
		strstr(text, ", samples, toUInt64(1000000) AS weight FROM plop.samples FINAL "
			     "WHERE start >= toDateTime(1795000001) AND start < "
			     "toDateTime(1795000601) AND window GLOBAL IN (SELECT window FROM "
			     "plop.windows WHERE "));
	ck_assert_ptr_nonnull(
		strstr(text, "AND start_ns < 1795000600000000001 AND end_ns > 1795000030000000000 "
			     "AND host_id GLOBAL IN (SELECT arrayJoin(hosts) FROM plop.requests "
			     "WHERE request = toUInt64(7)))) WHERE "));
	ck_assert(!fleet_sql_adds_up(&q));
	fleet_sql_heads(&heads, "plop", &q, 0);
	head = buf_string(&heads);
	ck_assert_ptr_nonnull(strstr(head, "toUInt64(1000000) AS weight FROM plop.windows FINAL"));
	fleet_sql_request_sent(&sent, "plop", &q);
	state = buf_string(&sent);
	ck_assert_ptr_nonnull(strstr(state, "start > toDateTime(1794992830)"));
}
END_TEST

START_TEST(hosts_are_drawn_by_a_seed)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *text = NULL;

	choose("service=it's");
	fleet_sql_hosts_drawn(&b, "plop", &q, UINT64_MAX, 20);
	text = buf_string(&b);
	ck_assert_ptr_nonnull(strstr(text, "unhex('69742773')"));
	ck_assert_ptr_nonnull(strstr(text, "GROUP BY host_id ORDER BY sipHash64(bitXor(host_id, "
					   "toUInt64(18446744073709551615))), host_id LIMIT 20"));
}
END_TEST

CHECK_MAIN_WITH("fleet/sql", setup, teardown, time_is_of_windows_that_overlap_it,
		texts_are_digits_alone, of_many_hosts_some_are_asked_for, states_are_numbers,
		rows_are_as_fine_as_they_must_be, what_the_store_does_not_have_is_refused,
		what_is_added_up_is_not_read_again, what_is_there_once_is_read_as_it_is,
		sums_tell_what_they_were_made_by, a_request_is_read_without_weights,
		hosts_are_drawn_by_a_seed);
