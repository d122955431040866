/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "fleet/tidy.h"

#define NOW  UINT32_C(1795100000)
#define HOUR (NOW - 50000)

static const uint64_t second = NSEC_PER_SEC;

START_TEST(what_another_stands_for_is_dropped)
{
	struct tidy_generation of[] = {
		{ HOUR, NOW - 9000, (NOW - 9000) * second },
		{ HOUR, NOW - 700, (NOW - 700) * second },
		{ HOUR, NOW - 60, (NOW - 60) * second },
		{ HOUR + 3600, NOW - 40, (NOW - 40) * second },
	};
	const struct tidy_generations known = { .items = of, .n = ARRAY_SIZE(of) };

	ck_assert(tidy_drops_generation(&known, of[0].generation, NOW));
	/* someone may read it still */
	ck_assert(!tidy_drops_generation(&known, of[1].generation, NOW));
	ck_assert(!tidy_drops_generation(&known, of[2].generation, NOW));
	ck_assert(!tidy_drops_generation(&known, of[3].generation, NOW));
}
END_TEST

START_TEST(what_was_not_ended_is_dropped)
{
	const struct tidy_generations none = {};

	ck_assert(tidy_drops_generation(&none, (NOW - 3600) * second, NOW));
	ck_assert(!tidy_drops_generation(&none, (NOW - 3000) * second, NOW));
}
END_TEST

START_TEST(days_are_dropped_whole)
{
	/* 2026-11-19 12:53:20 */
	ck_assert(tidy_drops_day("2026-11-17", NOW, 86400));
	ck_assert(!tidy_drops_day("2026-11-18", NOW, 86400));
	ck_assert(!tidy_drops_day("2026-11-19", NOW, 86400));
	ck_assert(!tidy_drops_day("2026-11-19", NOW, UINT64_C(3650) * 86400));
	/* of the epoch itself nothing is known */
	ck_assert(!tidy_drops_day("all", NOW, 86400));
	ck_assert(!tidy_drops_day("2026-11-17 x", NOW, 86400));
	ck_assert(!tidy_drops_day("", NOW, 86400));
}
END_TEST

CHECK_MAIN("fleet/tidy", what_another_stands_for_is_dropped, what_was_not_ended_is_dropped,
	   days_are_dropped_whole);
