/* SPDX-License-Identifier: BSD-2-Clause */
#include "opened.h"

/* What store_each_window() told. */
struct told {
	struct profile *sum; /* of all windows that were told */
	const struct dict *dict;
	uint32_t windows, ends;
	uint64_t last_ns;
	int r; /* what to return */
};

static int tell(const struct profile *p, void *ctx)
{
	struct told *t = ctx;

	if (!p) {
		t->ends++;
		t->dict = NULL;
		return 0;
	}
	ck_assert(!t->dict || t->dict == p->dict);
	ck_assert_uint_gt(p->start_ns, t->last_ns);
	t->dict = p->dict;
	t->last_ns = p->start_ns;
	t->windows++;
	ck_assert_int_eq(profile_merge(t->sum, p), 0);
	return t->r;
}

START_TEST(windows_one_by_one)
{
	_cleanup_(profile_freep) struct profile *all = NULL, *known = known_profile();
	_cleanup_(selectors_done) struct selectors s = {};
	uint64_t end = KNOWN_START + 90 * NSEC_PER_SEC;
	struct told t = {};

	for (unsigned int i = 0; i < 4; i++)
		save(i);
	/* also if the profile goes after each of them */
	for (int small = 0; small < 2; small++) {
		_cleanup_free_ char *a = NULL, *b = NULL;

		t = (struct told){};
		ck_assert_int_eq(profile_new(KNOWN_START, 0, &t.sum), 0);
		store_reader_limit(reader, small ? 2 * profile_bytes(known) : 0);
		ck_assert_int_eq(store_each_window(reader, KNOWN_START, end, NULL, tell, &t), 0);
		ck_assert_uint_eq(t.windows, 3);
		ck_assert_uint_eq(t.ends, small ? 4 : 1);
		store_reader_limit(reader, 0);
		ck_assert_int_eq(store_profile(reader, KNOWN_START, end, NULL, &all), 0);
		a = text(t.sum, "collapsed");
		b = text(all, "collapsed");
		ck_assert_str_eq(a, b);
		profile_free(t.sum);
		profile_free(all);
		all = NULL;
	}
	t = (struct told){ .r = -EIO };
	ck_assert_int_eq(profile_new(KNOWN_START, 0, &t.sum), 0);
	ck_assert_int_eq(store_each_window(reader, 0, end, NULL, tell, &t), -EIO);
	ck_assert_uint_eq(t.windows, 1);
	t.r = 0;
	t.last_ns = 0;
	t.dict = NULL;
	ck_assert_int_eq(selectors_add(&s, "comm=there-is-none"), 0);
	ck_assert_int_eq(store_each_window(reader, 0, end, &s, tell, &t), 0);
	ck_assert_uint_eq(t.windows, 4);
	profile_free(t.sum);
}
END_TEST

CHECK_MAIN_WITH("store/each", setup, teardown, windows_one_by_one);
