/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "cycle/time_of_day.h"

START_TEST(steps_and_jitter)
{
	const uint64_t s = NSEC_PER_SEC;
	struct time_of_day w = { .real = 1000 * s, .mono = 50 * s, .boot = 70 * s };

	ck_assert_uint_eq(time_of_day_at(&w, 53 * NSEC_PER_SEC), 1003 * NSEC_PER_SEC);
	ck_assert_uint_eq(time_of_day_at(&w, 49 * NSEC_PER_SEC), 999 * NSEC_PER_SEC);
	ck_assert_int_eq(
		time_of_day_step(&w, &(struct time_of_day){ 1003 * s + 1000, 53 * s, 73 * s }), 0);
	ck_assert_int_eq(
		time_of_day_step(&w, &(struct time_of_day){ 1003 * s - 1000, 53 * s, 73 * s }), 0);
	ck_assert_int_eq(time_of_day_step(&w, &(struct time_of_day){ 1004 * s, 53 * s, 73 * s }),
			 (int64_t)s);
	ck_assert_int_eq(time_of_day_step(&w, &(struct time_of_day){ 2 * s, 53 * s, 73 * s }),
			 -1001 * (int64_t)s);
	/* a machine that slept has not had its clock set */
	ck_assert_int_eq(time_of_day_step(&w, &(struct time_of_day){ 1063 * s, 53 * s, 133 * s }),
			 0);
	ck_assert_uint_eq(time_of_day_slept(&w, &(struct time_of_day){ 1063 * s, 53 * s, 133 * s }),
			  60 * s);
	ck_assert_uint_eq(time_of_day_slept(&w, &(struct time_of_day){ 1003 * s, 53 * s, 73 * s }),
			  0);
	/* before 1970 there is nothing */
	w.real = NSEC_PER_SEC;
	ck_assert_uint_eq(time_of_day_at(&w, 0), 0);
}
END_TEST

/* The next readings of the clock, one after the other, in milliseconds of both. */
static unsigned int readings[64], reading;

static uint64_t delayed_clock(clockid_t id)
{
	uint64_t ms = id == CLOCK_BOOTTIME ? 7000 : readings[reading++];

	return (id == CLOCK_REALTIME ? 5000 + ms : ms) * NSEC_PER_MSEC;
}

/* Somebody else ran between the reading of the one clock and of the other: that is no moment. */
START_TEST(readings_of_one_moment)
{
	static const unsigned int some[] = { 1, 1, 900, 1000, 1800, 1800, 2000, 2001, 2002 };
	struct time_of_day w;

	memcpy(readings, some, sizeof(some));
	reading = 0;
	w = time_of_day_read(delayed_clock);
	ck_assert_uint_eq(reading, 9);
	ck_assert_uint_eq(w.mono, 2000 * NSEC_PER_MSEC);
	ck_assert_uint_eq(w.real, 7001 * NSEC_PER_MSEC);
	/* a machine on which it never is */
	for (unsigned int i = 0; i < 64; i++)
		readings[i] = 100 * i;
	reading = 0;
	w = time_of_day_read(delayed_clock);
	ck_assert_uint_eq(reading, 3 * TIME_OF_DAY_READS_MAX);
	ck_assert_uint_eq(w.mono, 100 * (3 * TIME_OF_DAY_READS_MAX - 3) * NSEC_PER_MSEC);
}
END_TEST

CHECK_MAIN("time_of_day", steps_and_jitter, readings_of_one_moment);
