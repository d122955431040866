/* SPDX-License-Identifier: BSD-2-Clause */
#include "../format/known.h"
#include "check_main.h"
#include "dir.h"
#include "format/format.h"
#include "store/store.h"

static struct dir dir;
static struct store *store;
static struct store_reader *reader;

static void setup(void)
{
	char *error = NULL;

	dir_make(&dir);
	ck_assert_msg(store_open(dir.path, &store, &error) == 0, "%s", error);
	ck_assert_msg(store_reader_open(dir.path, &reader, &error) == 0, "%s", error);
}

static void teardown(void)
{
	store_reader_close(reader);
	store_close(store);
	dir_done(&dir);
}

/* The known profile as a window of 30 s, n windows after the first. */
static void save(unsigned int n)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();

	p->start_ns = KNOWN_START + n * 30 * NSEC_PER_SEC;
	p->end_ns = p->start_ns + 30 * NSEC_PER_SEC;
	ck_assert_int_eq(store_save(store, p), 0);
}

static char *collapsed(const struct profile *p)
{
	_cleanup_buf_ struct buf b = {};

	ck_assert_int_eq(format_find("collapsed")->encode(p, &b), 0);
	return buf_string(&b);
}

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
		a = collapsed(t.sum);
		b = collapsed(all);
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
