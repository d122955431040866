/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "ship/batch.h"

#define S       NSEC_PER_SEC
#define NOW_S   UINT64_C(1000)
#define TODAY_S UINT64_C(1790000000)

/* Whether a batch of so many goes that has waited, and whose first window ended, so long ago. */
static bool due(const struct ship_pace *pace, uint64_t windows, bool more, uint64_t in_it_s,
		int64_t old_s)
{
	const struct ship_batch b = { .windows = windows,
				      .since_ns = (NOW_S - in_it_s) * S,
				      .end_ns = (uint64_t)((int64_t)TODAY_S - old_s) * S };

	return ship_batch_due(&b, pace, more, NOW_S * S, TODAY_S * S);
}

START_TEST(windows_wait_for_others)
{
	const struct ship_pace pace = { .delay_ns = 300 * S, .most = SHIP_BATCH_MOST };

	ck_assert(!due(&pace, 0, false, 1000, 1000));
	ck_assert(!due(&pace, 3, false, 299, 299));
	ck_assert(due(&pace, 3, false, 300, 299));
	/* one that a gateway of before had waited with */
	ck_assert(due(&pace, 3, false, 1, 301));
	/* those behind it come into it first */
	ck_assert(!due(&pace, 3, true, 1, 100000));
	ck_assert(due(&pace, SHIP_BATCH_MOST, true, 1, 100000));
	ck_assert(due(&pace, 3, true, 300, 100000));
	/* the clock was set back: by its own time in the batch */
	ck_assert(!due(&pace, 3, false, 299, -100000));
	ck_assert(due(&pace, 3, false, 300, -100000));
}
END_TEST

START_TEST(each_goes_at_once_without_a_delay)
{
	const struct ship_pace pace = { .most = SHIP_BATCH_MOST, .part = 12345678901 };

	ck_assert(due(&pace, 1, false, 0, 0));
	ck_assert(due(&pace, 1, false, 0, -5));
	/* behind an outage they go together there, too */
	ck_assert(!due(&pace, 1, true, 29, 100));
	ck_assert(due(&pace, 1, true, 30, 100));
}
END_TEST

START_TEST(hosts_do_not_go_at_once)
{
	struct ship_pace pace = { .delay_ns = 400 * S, .part = 99 * S, .most = SHIP_BATCH_MOST };

	ck_assert(!due(&pace, 1, false, 300, 300));
	ck_assert(due(&pace, 1, false, 301, 301));
	pace.part = 100 * S + 1;
	ck_assert(!due(&pace, 1, false, 399, 399));
}
END_TEST

START_TEST(what_is_urgent_or_full_does_not_wait)
{
	const struct ship_pace pace = { .delay_ns = 300 * S, .most = SHIP_BATCH_MOST };
	struct ship_batch b = { .windows = 1, .since_ns = NOW_S * S, .end_ns = TODAY_S * S };

	ck_assert(!ship_batch_due(&b, &pace, false, NOW_S * S, TODAY_S * S));
	b.urgent = true;
	ck_assert(ship_batch_due(&b, &pace, false, NOW_S * S, TODAY_S * S));
	ck_assert(!ship_batch_due(&b, &pace, true, NOW_S * S, TODAY_S * S));
	b.full = true;
	ck_assert(ship_batch_due(&b, &pace, true, NOW_S * S, TODAY_S * S));
}
END_TEST

CHECK_MAIN("ship/batch", windows_wait_for_others, each_goes_at_once_without_a_delay,
	   hosts_do_not_go_at_once, what_is_urgent_or_full_does_not_wait);
