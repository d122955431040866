/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "target/effort.h"

#define ROOT 0
#define ONE  61001
#define TWO  61002

static struct shares shares;
static struct cycle cycle;
static struct effort effort;
static struct examiner_account account;
static uint64_t now;

static uint64_t clock_here(clockid_t id)
{
	return now;
}

static void setup(void)
{
	now = 1000 * NSEC_PER_SEC;
	shares = (struct shares){};
	cycle_init(&cycle, NULL, clock_here, NULL, NULL);
	effort_init(&effort, &shares, &cycle);
	account = effort_account(&effort);
}

static void teardown(void)
{
	shares_done(&shares);
}

static enum examiner_credit credit(uid_t user)
{
	return account.credit(account.ctx, user);
}

START_TEST(a_user_has_what_came_in)
{
	uint64_t reserve = (uint64_t)effort.reserve;

	ck_assert_uint_eq(reserve, (uint64_t)(EFFORT_RESERVE_S * effort.rate));
	ck_assert_int_eq(credit(ONE), EXAMINER_CREDIT_EASY);
	account.spent(account.ctx, ONE, reserve / 2 + 1);
	ck_assert_int_eq(credit(ONE), EXAMINER_CREDIT_TIGHT);
	ck_assert(effort_is_left(&effort, ONE));
	/* what was asked may take more than was left */
	account.spent(account.ctx, ONE, reserve);
	ck_assert_int_eq(credit(ONE), EXAMINER_CREDIT_NONE);
	ck_assert(!effort_is_left(&effort, ONE));
	/* nobody else is held to it */
	ck_assert_int_eq(credit(TWO), EXAMINER_CREDIT_EASY);
	ck_assert_uint_eq(shares.spent_ns, reserve / 2 + 1 + reserve);
}
END_TEST

START_TEST(it_comes_back)
{
	uint64_t reserve = (uint64_t)effort.reserve, back;

	account.spent(account.ctx, ONE, reserve + (uint64_t)effort.rate);
	back = effort_back_ns(&effort, ONE);
	/* a second's worth is missing */
	ck_assert_uint_ge(back, now + NSEC_PER_SEC - 1000);
	ck_assert_uint_le(back, now + NSEC_PER_SEC + 1000);
	now += NSEC_PER_SEC * 99 / 100;
	ck_assert(!effort_is_left(&effort, ONE));
	now = back + 1000;
	ck_assert(effort_is_left(&effort, ONE));
	/* and no more than the reserve, however long it was */
	now += 100 * (uint64_t)EFFORT_RESERVE_S * NSEC_PER_SEC;
	account.spent(account.ctx, ONE, reserve);
	ck_assert(!effort_is_left(&effort, ONE));
	ck_assert_uint_eq(effort_back_ns(&effort, TWO), now);
}
END_TEST

START_TEST(root_has_no_bound)
{
	for (int i = 0; i < 100; i++)
		account.spent(account.ctx, ROOT, 10 * NSEC_PER_SEC);
	ck_assert_int_eq(credit(ROOT), EXAMINER_CREDIT_EASY);
	ck_assert_uint_eq(shares.spent_ns, 0);
}
END_TEST

/* While it took so long, this thread may have waited for a CPU. */
START_TEST(a_record_has_a_maximum)
{
	uint64_t began = now;

	now += 20000;
	effort_spend_since(&effort, ONE, began, EFFORT_RECORD_NS);
	ck_assert_uint_eq(shares.spent_ns, 20000);
	now += NSEC_PER_SEC;
	effort_spend_since(&effort, ONE, began, EFFORT_RECORD_NS);
	ck_assert_uint_eq(shares.spent_ns, 20000 + EFFORT_RECORD_NS);
}
END_TEST

START_TEST(what_is_refused_is_counted)
{
	account.refused(account.ctx, ONE);
	account.refused(account.ctx, ONE);
	ck_assert_uint_eq(shares_of(&shares, ONE)->counts[SHARE_LOOKS_REFUSED], 2);
}
END_TEST

CHECK_MAIN_WITH("target/effort", setup, teardown, a_user_has_what_came_in, it_comes_back,
		root_has_no_bound, a_record_has_a_maximum, what_is_refused_is_counted);
