/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "query/steps.h"

static struct steps *s;

static void setup(void)
{
	s = steps_new(600 * NSEC_PER_SEC);
	ck_assert_ptr_nonnull(s);
}

static void teardown(void)
{
	steps_free(s);
}

static int add_head(uint64_t start_s, uint64_t length_s, uint64_t lost)
{
	const struct head h = {
		.start_ns = start_s * NSEC_PER_SEC,
		.end_ns = (start_s + length_s) * NSEC_PER_SEC,
		.stepped_ns = start_s == 1230 ? -2 * NSEC_PER_SEC : 0,
		.hz = 100,
		.samples = 10,
		.tally = { .ticks = 20 + lost,
			   .python = 10,
			   .other = 10,
			   .lost[PLOP_LOST_FAULT] = lost },
	};

	return steps_add_head(s, &h);
}

static int add_process(pid_t pid, const char *service, const char *comm, uint64_t start_s,
		       uint64_t samples)
{
	const struct profile_process p = {
		.info = { .pid = pid,
			  .start_time = 5.5,
			  .service = (char *)service,
			  .comm = (char *)comm },
		.python = (char *)"3.13.0",
		.samples = samples,
	};

	return steps_add_process(s, &p, start_s * NSEC_PER_SEC);
}

static char *put(bool owned)
{
	_cleanup_buf_ struct buf b = {};
	struct json_writer w = json_writer_on(&b);

	json_put_object(&w, NULL);
	ck_assert_int_eq(steps_put(s, owned, &w), 0);
	json_put_end(&w);
	ck_assert_int_eq(json_writer_done(&w), 0);
	return buf_string(&b);
}

#define LOST(fault)                                                          \
	"\"lost\":{\"fault\":" fault ",\"stacks_full\":0,\"frames_full\":0," \
	"\"unsupported\":0,\"corrupt\":0,\"drain\":0,\"threads\":0,\"rate\":0}"

/* Losses, gaps and clocks that were set are the windows'; rows have a number for each step. */
START_TEST(windows_are_told_by_steps)
{
	_cleanup_free_ char *all = NULL;

	ck_assert_int_eq(add_head(600, 30, 0), 0);
	ck_assert_int_eq(add_head(630, 30, 3), 0);
	ck_assert_int_eq(add_head(690, 30, 0), 0);
	ck_assert_int_eq(add_head(1230, 30, 1), 0);
	ck_assert_int_eq(add_process(7, "shop", "python", 600, 12), 0);
	/* called otherwise later */
	ck_assert_int_eq(add_process(7, "shop", "gunicorn", 1230, 3), 0);
	ck_assert_int_eq(add_process(8, "shop", "python", 1230, 4), 0);
	ck_assert_int_eq(add_process(9, "", "tool", 1230, 2), 0);
	ck_assert_int_eq(add_process(10, "", "idle", 1230, 0), 0);
	all = put(false);
	ck_assert_str_eq(
		all, "{\"step_s\":600.0,\"windows\":["
		     "{\"id\":null,\"start\":600.0,\"end\":720.0,\"clock_set_s\":0.0,\"hz\":100,"
		     "\"running\":false,\"ticks\":63,\"python\":30,\"other\":30," LOST(
			     "3") ",\"truncated\":0,\"samples\":30,\"covered_s\":90.0,"
				  "\"gaps\":[{\"from\":660.0,\"to\":690.0}],\"more_gaps\":0},"
				  "{\"id\":null,\"start\":1230.0,\"end\":1260.0,"
				  "\"clock_set_s\":-2.0,\"hz\":100,\"running\":false,"
				  "\"ticks\":21,\"python\":10,\"other\":10," LOST(
					  "1") ",\"truncated\":0,\"samples\":10,"
					       "\"covered_s\":30.0,"
					       "\"gaps\":[{\"from\":720.0,\"to\":1230.0}],"
					       "\"more_gaps\":0}],"
					       "\"services\":["
					       "{\"comm\":\"\",\"service\":\"shop\","
					       "\"samples\":[12,7]},"
					       "{\"comm\":\"tool\",\"service\":\"\","
					       "\"samples\":[0,2]}],"
					       "\"other_services\":null,\"processes\":["
					       "{\"pid\":7,\"start_time\":5.5,\"comm\":\"python\","
					       "\"service\":\"shop\",\"python\":\"3.13.0\","
					       "\"samples\":[12,3]},"
					       "{\"pid\":8,\"start_time\":5.5,\"comm\":\"python\","
					       "\"service\":\"shop\",\"python\":\"3.13.0\","
					       "\"samples\":[0,4]},"
					       "{\"pid\":9,\"start_time\":5.5,\"comm\":\"tool\","
					       "\"service\":\"\",\"python\":\"3.13.0\","
					       "\"samples\":[0,2]}],"
					       "\"other_processes\":null}");
}
END_TEST

/* Who may see some processes only is told what these had, and nothing of the host. */
START_TEST(others_are_not_told)
{
	_cleanup_free_ char *own = NULL;

	ck_assert_int_eq(add_head(600, 30, 3), 0);
	ck_assert_int_eq(add_process(7, "shop", "python", 600, 4), 0);
	own = put(true);
	ck_assert_ptr_nonnull(strstr(own, "\"ticks\":4,\"python\":4,\"other\":0," LOST("0")));
	ck_assert_ptr_nonnull(strstr(own, "\"samples\":4,\"covered_s\":30.0"));
}
END_TEST

/* In whatever order they come, as where the clock was set back. */
START_TEST(steps_are_told_in_their_order)
{
	_cleanup_free_ char *all = NULL;
	const char *second;

	ck_assert_int_eq(add_head(1200, 30, 0), 0);
	ck_assert_int_eq(add_head(600, 30, 0), 0);
	ck_assert_int_eq(add_process(7, "shop", "python", 1200, 5), 0);
	all = put(false);
	second = strstr(all, "\"start\":1200.0");
	ck_assert_ptr_nonnull(second);
	ck_assert(strstr(all, "\"start\":600.0") < second);
	ck_assert_ptr_nonnull(strstr(all, "\"samples\":[0,5]"));
	ck_assert_ptr_null(strstr(all, "\"from\""));
}
END_TEST

/* Of many gaps the longest are told. */
START_TEST(gaps_are_bounded)
{
	_cleanup_free_ char *all = NULL;

	for (uint64_t i = 0; i < 12; i++)
		ck_assert_int_eq(add_head(600 + 40 * i, i == 5 ? 10 : 39 - i, 0), 0);
	all = put(false);
	ck_assert_ptr_nonnull(strstr(all, "\"more_gaps\":3}"));
	/* the first are the shortest, but for one that is longer */
	ck_assert_ptr_null(strstr(all, "{\"from\":639.0"));
	ck_assert_ptr_null(strstr(all, "{\"from\":678.0"));
	ck_assert_ptr_nonnull(strstr(all, "{\"from\":810.0,\"to\":840.0}"));
	ck_assert_ptr_nonnull(strstr(all, "{\"from\":1029.0,\"to\":1040.0}"));
}
END_TEST

START_TEST(there_are_bounds)
{
	_cleanup_free_ char *all = NULL;
	char name[16];
	size_t told = 0;

	for (uint64_t i = 0; i < STEPS_MOST; i++)
		ck_assert_int_eq(add_head(600 * i, 30, 0), 0);
	ck_assert_int_eq(add_head(600 * STEPS_MOST, 30, 0), -E2BIG);
	ck_assert_int_eq(add_process(1, "shop", "x", 600 * STEPS_MOST, 1), -E2BIG);
	/* a heavy one among light ones, which go to the others: nothing is lost */
	for (int i = 1; i <= 3 * STEPS_KNOWN; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		ck_assert_int_eq(add_process(i, name, "x", 600 * (uint64_t)(i % 7), 2), 0);
		ck_assert_int_eq(add_process(5, "s5", "x", 0, 1), 0);
	}
	ck_assert_uint_le(s->services.n, STEPS_KNOWN);
	all = put(false);
	for (const char *at = all; (at = strstr(at, "\"pid\":")); at++)
		told++;
	ck_assert_uint_eq(told, STEPS_TOLD);
	ck_assert_str_eq(s->services.rows[0].service, "s5");
	ck_assert_uint_eq(s->processes.rows[0].samples, 3 * STEPS_KNOWN + 2);
	for (int i = 0; i < 2; i++) {
		const struct step_rows *rows = i ? &s->services : &s->processes;
		uint64_t sum = rows->others.samples;

		for (uint32_t k = 0; k < rows->n; k++)
			sum += rows->rows[k].samples;
		ck_assert_uint_eq(sum, 9 * STEPS_KNOWN);
	}
	ck_assert_ptr_null(strstr(all, "\"other_services\":null"));
}
END_TEST

CHECK_MAIN_WITH("query/steps", setup, teardown, windows_are_told_by_steps, others_are_not_told,
		steps_are_told_in_their_order, gaps_are_bounded, there_are_bounds);
