/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "gateway/rate.h"

#define NOW (1000 * NSEC_PER_SEC)

static unsigned int taken(struct rate *r, uint64_t who, unsigned int asked, uint64_t now_ns)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < asked; i++)
		n += rate_take(r, who, now_ns);
	return n;
}

START_TEST(at_once_and_then)
{
	static struct rate r = { .burst = 10, .second = 2 };

	ck_assert_uint_eq(taken(&r, 1, 100, NOW), 10);
	ck_assert_uint_eq(taken(&r, 1, 100, NOW + NSEC_PER_SEC), 2);
	ck_assert_uint_eq(taken(&r, 2, 100, NOW + NSEC_PER_SEC), 10);
	/* who is refused loses nothing by asking */
	for (int i = 1; i <= 10; i++)
		ck_assert_uint_eq(taken(&r, 1, 100, NOW + (uint64_t)(1 + i) * NSEC_PER_SEC), 2);
	ck_assert_uint_eq(taken(&r, 1, 100, NOW + 100 * NSEC_PER_SEC), 10);
	/* one number stands for no free place */
	ck_assert_uint_eq(taken(&r, 0, 100, NOW), 10);
}
END_TEST

/* However many there are, those who go on asking are still bounded. */
START_TEST(who_was_quiet_gives_way)
{
	static struct rate r = { .burst = 10, .second = 1 };

	ck_assert_uint_eq(taken(&r, 1, 10, NOW), 10);
	for (uint64_t who = 2; who < 10 * RATE_PLACES; who++) {
		ck_assert(rate_take(&r, who, NOW + who));
		ck_assert(!rate_take(&r, 1, NOW + who));
	}
}
END_TEST

/* A good token is no try: whoever shows others all the time is not held up. */
START_TEST(what_is_given_back)
{
	static struct rate r = { .burst = 10, .second = 1 };

	for (int i = 0; i < 100; i++) {
		ck_assert(rate_take(&r, 1, NOW));
		rate_give(&r, 1);
	}
	ck_assert_uint_eq(taken(&r, 1, 100, NOW), 10);
	/* whoever took nothing has nothing to give back */
	rate_give(&r, 2);
	ck_assert_uint_eq(taken(&r, 2, 100, NOW), 10);
}
END_TEST

CHECK_MAIN("gateway/rate", at_once_and_then, who_was_quiet_gives_way, what_is_given_back);
