/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "proc/parse.h"

#define FIELDS                                                                    \
	" S 1 42 42 0 -1 4194560 100 0 0 0 37 5 0 0 20 0 7 0 123456 8912896 512 " \
	"18446744073709551615 1 1\n"

static int parse(const char *text, struct proc_stat *s)
{
	return proc_stat_parse(text, strlen(text), s);
}

START_TEST(reads_the_fields)
{
	struct proc_stat s;

	ck_assert_int_eq(parse("42 (python3)" FIELDS, &s), 0);
	ck_assert_int_eq(s.pid, 42);
	ck_assert_uint_eq(s.comm_size, 7);
	ck_assert_mem_eq(s.comm, "python3", 7);
	ck_assert_int_eq(s.state, 'S');
	ck_assert_uint_eq(s.flags, 4194560);
	ck_assert_uint_eq(s.utime, 37);
	ck_assert_uint_eq(s.stime, 5);
	ck_assert_uint_eq(s.threads, 7);
	ck_assert_uint_eq(s.start_ticks, 123456);
}
END_TEST

START_TEST(survives_a_hostile_comm)
{
	static const char *const comms[] = { ") R 1 (", "a) Z 9 9", "(((",    ")))",
					     "",        "\n\n",     "x (y) z" };

	for (size_t i = 0; i < ARRAY_SIZE(comms); i++) {
		struct proc_stat s;
		char text[256];

		snprintf(text, sizeof(text), "42 (%s)%s", comms[i], FIELDS);
		ck_assert_int_eq(parse(text, &s), 0);
		ck_assert_uint_eq(s.comm_size, strlen(comms[i]));
		ck_assert_mem_eq(s.comm, comms[i], s.comm_size);
		ck_assert_int_eq(s.state, 'S');
		ck_assert_uint_eq(s.start_ticks, 123456);
	}
}
END_TEST

START_TEST(refuses_what_is_no_stat_line)
{
	static const char *const bad[] = {
		"",
		"42",
		"42 (",
		"42 (x",
		"42 (x)",
		"42 (x) S 1 2",
		"x (y) S",
		"99999999999 (x)" FIELDS,
		"-1 (x)" FIELDS,
		"42 (x) S 1 42 42 0 -1 0 1 0 0 0 no 5 0 0 20 0 7 0 123456\n",
		"42 (x) S 1 42 42 0 -1 0 1 0 0 0 37 5 0 0 20 0 7 0 99999999999999999999999\n",
	};
	struct proc_stat s = { .pid = -7 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(parse(bad[i], &s) == -EBADMSG, "accepted: %s", bad[i]);
		ck_assert_int_eq(s.pid, -7);
	}
}
END_TEST

/*
 * No prefix is read beyond its end (the sanitizer watches), and only a long enough one is accepted.
 */
START_TEST(stops_at_the_end_of_every_prefix)
{
	static const char text[] = "42 (python3)" FIELDS;
	size_t enough = (size_t)(strstr(text, "123456") - text) + 1;

	for (size_t n = 0; n < sizeof(text); n++) {
		_cleanup_free_ char *copy = malloc(n ? n : 1);
		struct proc_stat s;

		memcpy(copy, text, n);
		ck_assert_int_eq(proc_stat_parse(copy, n, &s), n >= enough ? 0 : -EBADMSG);
	}
}
END_TEST

START_TEST(whose_it_is)
{
	static const char *const nobody[] = { "\nUid:\t0\t7\t7\t7\n", "\nUid:\t7\t0\t7\t7\n",
					      "\nUid:\t7\t7\t0\t7\n", "\nUid:\t7\t7\t7\t0\n",
					      "\nUid:\t7\t7\t7\t77\n" };
	static const char *const bad[] = { "",
					   "Uid:\t7\t7\t7\t7\n",
					   "\nUid:",
					   "\nUid:\t7\t7\t7\n",
					   "\nUid:\t7\t7\t7\t\nGid:\t7\n",
					   "\nUid:\t-7\t-7\t-7\t-7\n",
					   "\nUid:\tx\t7\t7\t7\n",
					   "\nUid:\t4294967296\t0\t0\t0\n",
					   "\nUid:\t99999999999999999999999\t0\t0\t0\n" };
	uid_t uid;

	ck_assert_int_eq(proc_status_uid("Name:\tx\nUid:\t1000\t1000\t1000\t1000\nGid:\t0\n", &uid),
			 0);
	ck_assert_uint_eq(uid, 1000);
	ck_assert_int_eq(proc_status_uid("\nUid:\t0\t0\t0\t0", &uid), 0);
	ck_assert_uint_eq(uid, 0);
	for (size_t i = 0; i < ARRAY_SIZE(nobody); i++) {
		uid = 5;
		ck_assert_int_eq(proc_status_uid(nobody[i], &uid), 0);
		ck_assert_uint_eq(uid, (uid_t)-1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uid = 5;
		ck_assert_msg(proc_status_uid(bad[i], &uid) == -EBADMSG, "accepted: %s", bad[i]);
		ck_assert_uint_eq(uid, 5);
	}
}
END_TEST

CHECK_MAIN("proc/stat", reads_the_fields, survives_a_hostile_comm, refuses_what_is_no_stat_line,
	   stops_at_the_end_of_every_prefix, whose_it_is);
