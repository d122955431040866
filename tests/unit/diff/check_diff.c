/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "diff/diff.h"

static struct diff_windows *sides[SIDES];
static struct diff *d;

static void setup(void)
{
	for (int i = 0; i < SIDES; i++)
		ck_assert_int_eq(diff_windows_new(&sides[i]), 0);
	d = NULL;
}

static void teardown(void)
{
	diff_free(d);
	for (int i = 0; i < SIDES; i++)
		diff_windows_free(sides[i]);
}

static void add(struct profile *p, uint32_t process, const char *file, const char *const *names,
		uint64_t count)
{
	uint32_t frames[8], function, stack, n = 0;

	for (; names[n]; n++) {
		ck_assert_int_eq(dict_python(p->dict, names[n], file, 1, &function), 0);
		ck_assert_int_eq(dict_frame(p->dict, function, 1, &frames[n]), 0);
	}
	ck_assert_int_eq(dict_stack(p->dict, frames, n, &stack), 0);
	ck_assert_int_eq(profile_add(p, process, 0, stack, count), 0);
}

/*
 * Windows of a service: a handler that calls ten functions alike, and one that costs so much.
 * Counts differ from window to window by an amount that means nothing.
 */
static void fill(int side, const char *file, char *service, uint32_t hz, uint64_t cost, uint32_t n)
{
	struct process_info info = process_info_of(7);
	_cleanup_(profile_freep) struct profile *p = NULL;
	uint32_t process;

	info.comm = service;
	info.service = service;
	ck_assert_int_eq(profile_new(NSEC_PER_SEC, hz, &p), 0);
	ck_assert_int_eq(profile_process(p, &info, "3.11.2", &process), 0);
	for (uint32_t w = 0; w < n; w++) {
		p->end_ns = p->start_ns + 30 * NSEC_PER_SEC;
		for (char c = 'a'; c <= 'j'; c++) {
			const char name[2] = { c, '\0' };
			const char *const names[] = { "handle", name, NULL };

			add(p, process, file, names, 500 + (w * 7 + (uint32_t)c * 3) % 11);
		}
		add(p, process, file, (const char *const[]){ "handle", "work", NULL },
		    cost + w * 5 % 13);
		ck_assert_int_eq(diff_windows_add(sides[side], p), 0);
		profile_clear(p);
		p->start_ns = p->end_ns;
	}
	ck_assert_int_eq(diff_windows_close(sides[side]), 0);
}

static void compare(void)
{
	const struct diff_windows *const windows[SIDES] = { sides[0], sides[1] };

	ck_assert_int_eq(diff_new(windows, &compare_defaults, &d), 0);
}

static bool warned(const char *of)
{
	for (int i = 0; i < d->nwarnings; i++)
		if (strstr(d->warnings[i], of))
			return true;
	return false;
}

/* Another version lies in another folder. */
START_TEST(what_is_slower_comes_first)
{
	_cleanup_buf_ struct buf b = {};
	struct json_writer w = json_writer_on(&b);
	char shop[] = "shop";
	const struct compared *c;

	fill(BASE_SIDE, "/srv/shop/1.0/x.py", shop, 100, 1000, 40);
	fill(NEW_SIDE, "/srv/shop/1.1/x.py", shop, 100, 2000, 40);
	compare();
	ck_assert_uint_eq(d->n, 12);
	ck_assert_str_eq(d->functions[d->order[0]]->name, "work");
	ck_assert_str_eq(d->functions[d->order[0]]->file, "/srv/shop/1.1/x.py");
	c = &d->compared[d->order[0]];
	ck_assert_int_eq(c->verdict, VERDICT_SLOWER);
	ck_assert_double_eq_tol(c->relative, 1, 0.1);
	ck_assert_str_eq(d->functions[c->caller]->name, "handle");
	for (uint32_t i = 1; i < d->n; i++)
		ck_assert_int_eq(d->compared[d->order[i]].verdict, VERDICT_SAME);
	/* of those that did not change that with most time */
	ck_assert_str_eq(d->functions[d->order[1]]->name, "handle");
	ck_assert_int_eq(d->nwarnings, 0);
	json_put_object(&w, NULL);
	diff_put(d, &w);
	json_put_end(&w);
	ck_assert_int_eq(json_writer_done(&w), 0);
	ck_assert_ptr_nonnull(memmem(b.data, b.size, "\"verdict\":\"slower\"", 18));
	/* and where it was */
	ck_assert_str_eq(d->files[d->order[0]][0], "/srv/shop/1.0/x.py");
	ck_assert_ptr_null(d->files[d->order[0]][1]);
	ck_assert_ptr_nonnull(memmem(b.data, b.size, "\"files\":[\"/srv/shop/1.0/x.py\"]", 30));
}
END_TEST

START_TEST(what_may_mislead_is_said)
{
	char shop[] = "shop", blog[] = "blog";

	fill(BASE_SIDE, "/x.py", shop, 100, 1000, 20);
	fill(NEW_SIDE, "/x.py", blog, 50, 1000, 5);
	compare();
	ck_assert(warned("windows"));
	ck_assert(warned("rate"));
	ck_assert(warned("load differs"));
	ck_assert(warned("other processes ran"));
}
END_TEST

START_TEST(a_side_without_windows)
{
	char shop[] = "shop";

	fill(BASE_SIDE, "/x.py", shop, 100, 1000, 20);
	compare();
	ck_assert_int_eq(d->nwarnings, 0);
	for (uint32_t i = 0; i < d->n; i++)
		ck_assert_int_eq(d->compared[i].verdict, VERDICT_UNCLEAR);
}
END_TEST

CHECK_MAIN_WITH("diff/diff", setup, teardown, what_is_slower_comes_first, what_may_mislead_is_said,
		a_side_without_windows);
