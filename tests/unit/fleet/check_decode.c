/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "fleet/decode.h"
#include "fleet/sql.h"

static struct buf answer;

static void setup(void)
{
	answer = (struct buf){};
}

static void teardown(void)
{
	buf_free(&answer);
}

static void put_row(const char *service, uint8_t state, uint64_t weight)
{
	rows_put_string(&answer, service);
	rows_put_string(&answer, "1");
	rows_put_string(&answer, "web1");
	rows_put_string(&answer, "");
	rows_put_u64(&answer, 0);
	rows_put_u64(&answer, 7);
	rows_put_u8(&answer, state);
	rows_put_u64(&answer, weight);
}

START_TEST(rows_are_read)
{
	_cleanup_(fleet_rows_done) struct fleet_rows rows = {};

	put_row("sh\xffop", SAMPLE_GIL_HELD, 2500000);
	put_row("mail", SAMPLE_PLAIN, 1);
	ck_assert_int_eq(fleet_rows_decode(&answer, &rows), 0);
	ck_assert_uint_eq(rows.n, 2);
	ck_assert_str_eq(rows.items[0].service, "sh\xef\xbf\xbdop");
	ck_assert_str_eq(rows.items[0].host, "web1");
	ck_assert_uint_eq(rows.items[0].weight, 2500000);
	ck_assert_uint_eq(rows.items[1].stack, 7);
}
END_TEST

START_TEST(what_is_cut_or_unknown_is_refused)
{
	_cleanup_(fleet_rows_done) struct fleet_rows rows = {};
	size_t size;

	put_row("shop", SAMPLE_PLAIN, 1);
	size = answer.size;
	for (answer.size = 1; answer.size < size; answer.size++)
		ck_assert_int_eq(fleet_rows_decode(&answer, &rows), -EBADMSG);
	buf_clear(&answer);
	put_row("shop", SAMPLE_STATES, 1);
	ck_assert_int_eq(fleet_rows_decode(&answer, &rows), -EBADMSG);
	ck_assert_uint_eq(rows.n, 0);
}
END_TEST

static void put_host_row(const char *host, uint64_t stack)
{
	rows_put_string(&answer, host);
	rows_put_u64(&answer, stack);
	rows_put_u64(&answer, 5000000);
	rows_put_u64(&answer, 2);
}

START_TEST(rows_of_hosts_are_read)
{
	_cleanup_(fleet_host_rows_done) struct fleet_host_rows rows = {};
	_cleanup_(fleet_ids_done) struct fleet_ids ids = {};
	size_t size;

	put_host_row("web1", 7);
	put_host_row("web1", 9);
	put_host_row("w\xff", 7);
	ck_assert_int_eq(fleet_host_rows_decode(&answer, &rows, &ids), 0);
	ck_assert_uint_eq(rows.n, 3);
	ck_assert_uint_eq(rows.nhosts, 2);
	ck_assert_uint_eq(ids.n, 3);
	ck_assert_str_eq(rows.hosts[1], "w\xef\xbf\xbd");
	ck_assert_uint_eq(rows.rows[1].host, 0);
	ck_assert_uint_eq(rows.rows[2].host, 1);
	ck_assert_uint_eq(rows.rows[2].samples, 2);
	fleet_host_rows_done(&rows);
	size = answer.size;
	for (answer.size = size - 1; answer.size > size - 20; answer.size--)
		ck_assert_int_eq(fleet_host_rows_decode(&answer, &rows, &ids), -EBADMSG);
	ck_assert_uint_eq(rows.n, 0);
}
END_TEST

static int add_up(const char *host, uint32_t begin, const uint64_t values[3], void *ctx)
{
	ck_assert_str_eq(host, "web1");
	*(uint64_t *)ctx += begin + values[0] + values[1] + values[2];
	return 0;
}

START_TEST(cells_are_read)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < 2; i++) {
		rows_put_string(&answer, "web1");
		rows_put_u32(&answer, 1000);
		for (uint64_t value = 0; value < 3; value++)
			rows_put_u64(&answer, value + i);
	}
	ck_assert_int_eq(fleet_cells_decode(&answer, add_up, &sum), 0);
	ck_assert_uint_eq(sum, 2009);
	answer.size--;
	ck_assert_int_eq(fleet_cells_decode(&answer, add_up, &sum), -EBADMSG);
}
END_TEST

/* Of so many frames; lines: how many of these it has. */
static void put_stack(uint64_t id, size_t frames, size_t lines)
{
	rows_put_u64(&answer, id);
	rows_put_array(&answer, frames);
	for (size_t i = 0; i < frames; i++)
		rows_put_string(&answer, i ? "work" : "<module>");
	rows_put_array(&answer, frames);
	for (size_t i = 0; i < frames; i++)
		rows_put_string(&answer, "/srv/app.py");
	for (int column = 0; column < 2; column++) {
		rows_put_array(&answer, lines);
		for (size_t i = 0; i < lines; i++)
			rows_put_u32(&answer, (uint32_t)i + 1);
	}
	rows_put_array(&answer, frames);
	for (size_t i = 0; i < frames; i++)
		rows_put_u8(&answer, PLOP_FRAME_PYTHON);
	rows_put_array(&answer, frames);
	for (size_t i = 0; i < frames; i++)
		rows_put_string(&answer, "");
}

static int decode_stacks(struct dict *d, uint32_t numbers[2])
{
	uint64_t known[] = { 5, 9 };
	const struct fleet_ids ids = { known, 2, 2 };

	numbers[0] = numbers[1] = FLEET_UNKNOWN;
	return fleet_stacks_decode(&answer, &ids, d, numbers);
}

START_TEST(stacks_are_found_by_id)
{
	_cleanup_(dict_freep) struct dict *d = NULL;
	uint32_t numbers[2];

	ck_assert_int_eq(dict_new(&d), 0);
	put_stack(9, 2, 2);
	put_stack(1000, 1, 1); /* nobody asked for it */
	put_stack(5, 0, 0);    /* no stack */
	ck_assert_int_eq(decode_stacks(d, numbers), 0);
	ck_assert_uint_eq(numbers[0], FLEET_UNKNOWN);
	ck_assert_uint_eq(dict_get_stack(d, numbers[1])->depth, 2);
	buf_clear(&answer);
	put_stack(9, 2, 1); /* lines are missing */
	ck_assert_int_eq(decode_stacks(d, numbers), -EBADMSG);
	buf_clear(&answer);
	put_stack(9, 5000, 5000);
	ck_assert_int_eq(decode_stacks(d, numbers), -EBADMSG);
}
END_TEST

START_TEST(what_is_left_is_carried)
{
	struct fleet_carry carry = { FLEET_UNIT / 2 };
	uint64_t sum = 0;

	for (int i = 0; i < 300; i++)
		sum += fleet_samples(&carry, 3333333);
	ck_assert_uint_eq(sum, 1000);
	ck_assert_uint_eq(fleet_samples(&carry, UINT64_MAX), UINT64_MAX / FLEET_UNIT + 1);
}
END_TEST

START_TEST(ids_are_each_there_once)
{
	_cleanup_(fleet_ids_done) struct fleet_ids ids = {};
	const uint64_t some[] = { 9, UINT64_MAX, 0, 9, 3 };

	for (size_t i = 0; i < ARRAY_SIZE(some); i++)
		ck_assert_int_eq(fleet_ids_add(&ids, some[i]), 0);
	fleet_ids_sort(&ids);
	ck_assert_uint_eq(ids.n, 4);
	ck_assert_uint_eq(fleet_ids_find(&ids, 9), 2);
	ck_assert_uint_eq(fleet_ids_find(&ids, 4), FLEET_UNKNOWN);
}
END_TEST

CHECK_MAIN_WITH("fleet/decode", setup, teardown, rows_are_read, what_is_cut_or_unknown_is_refused,
		rows_of_hosts_are_read, cells_are_read, stacks_are_found_by_id,
		what_is_left_is_carried, ids_are_each_there_once);
