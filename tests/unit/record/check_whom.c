/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "record/reason.h"
#include "record/whom.h"

/* Ids are kept in order and each once, however they come. */
START_TEST(pids)
{
	static const pid_t some[] = { 7, 3, 9, 3, 1, 7, INT32_MAX, 2 };
	static const pid_t wanted[] = { 1, 2, 3, 7, 9, INT32_MAX };
	struct whom w = {};

	ck_assert(!whom_has_pid(&w, 1));
	for (size_t i = 0; i < ARRAY_SIZE(some); i++)
		ck_assert_int_eq(whom_add_pid(&w, some[i]), 0);
	ck_assert_uint_eq(w.npids, ARRAY_SIZE(wanted));
	ck_assert_mem_eq(w.pids, wanted, sizeof(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		ck_assert(whom_has_pid(&w, wanted[i]));
	ck_assert(!whom_has_pid(&w, 4) && !whom_has_pid(&w, 0));
	whom_done(&w);
	ck_assert_uint_eq(w.npids, 0);
}
END_TEST

START_TEST(pids_are_bounded)
{
	struct whom w = {};

	for (pid_t pid = WHOM_PIDS_MAX; pid > 0; pid--)
		ck_assert_int_eq(whom_add_pid(&w, pid), 0);
	ck_assert_int_eq(whom_add_pid(&w, WHOM_PIDS_MAX + 1), -E2BIG);
	/* one that is there already needs no room */
	ck_assert_int_eq(whom_add_pid(&w, 1), 0);
	ck_assert_uint_eq(w.npids, WHOM_PIDS_MAX);
	whom_done(&w);
}
END_TEST

static int add_but_five(struct whom *w, pid_t pid, void *ctx)
{
	unsigned int *asked = ctx;

	++*asked;
	return pid == 5 ? -ESRCH : whom_add_pid(w, pid);
}

/* Selectors by pid are parsed once; the others stay. */
START_TEST(selectors_by_pid)
{
	static const char *const texts[] = { "pid=4", "comm=x", "pid=2", "unit=u" };
	struct whom w = {};
	unsigned int asked = 0;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		ck_assert_int_eq(selectors_add(&w.selectors, texts[i]), 0);
	ck_assert_int_eq(whom_take_pids(&w, add_but_five, &asked), 0);
	ck_assert_uint_eq(asked, 2);
	ck_assert(w.npids == 2 && whom_has_pid(&w, 2) && whom_has_pid(&w, 4));
	ck_assert_uint_eq(w.selectors.n, 2);
	ck_assert_str_eq(w.selectors.items[0].key, "comm");
	ck_assert_str_eq(w.selectors.items[1].key, "unit");
	/*
	 * one is refused: nobody is asked for those behind it, and all are gone from the selectors
	 */
	ck_assert_int_eq(selectors_add(&w.selectors, "pid=5"), 0);
	ck_assert_int_eq(selectors_add(&w.selectors, "pid=6"), 0);
	ck_assert_int_eq(whom_take_pids(&w, add_but_five, &asked), -ESRCH);
	ck_assert_uint_eq(asked, 3);
	ck_assert_uint_eq(w.selectors.n, 2);
	ck_assert(!whom_has_pid(&w, 6));
	whom_done(&w);
}
END_TEST

/* Every reason has a name of its own. */
START_TEST(reasons)
{
	ck_assert_ptr_null(recording_reason_name(RECORDING_ENDS_NOT));
	for (int i = 1; i < RECORDING_REASONS; i++) {
		ck_assert_ptr_nonnull(recording_reason_name((enum recording_reason)i));
		for (int k = 1; k < i; k++)
			ck_assert_str_ne(recording_reason_name((enum recording_reason)i),
					 recording_reason_name((enum recording_reason)k));
	}
}
END_TEST

CHECK_MAIN("record/whom", pids, pids_are_bounded, selectors_by_pid, reasons);
