/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "profile/profile.h"

/* n times c, on the heap. */
static char *repeat(char c, size_t n)
{
	char *s = calloc(n + 1, 1);

	ck_assert_ptr_nonnull(s);
	memset(s, c, n);
	return s;
}

START_TEST(keys_and_values)
{
	static const struct {
		const char *key, *value;
		int result;
	} rows[] = {
		{ "env", "prod", 0 },
		{ "_a.b-C9", "", 0 },
		{ "x", "a=b, \"c\" \xc3\xbc \xf0\x9f\x90\x8d", 0 },
		{ "x1", "\xef\xbf\xbd", 0 },
		{ "", "x", -EINVAL },
		{ "9a", "x", -EINVAL },
		{ "-a", "x", -EINVAL },
		{ "a b", "x", -EINVAL },
		{ "a=b", "x", -EINVAL },
		{ "\xc3\xbc", "x", -EINVAL },
		{ "a", "x\ny", -EINVAL },
		{ "a", "\x7f", -EINVAL },
		{ "a", "\xc2\x85", -EINVAL },
		{ "a", "\xe2\x80\xa8", -EINVAL },
		{ "a", "\xff", -EINVAL },
		{ "a", "\xc3", -EINVAL },
	};
	struct labels l = {};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_msg(labels_add(&l, rows[i].key, rows[i].value) == rows[i].result, "%s=%s",
			      rows[i].key, rows[i].value);
		n += rows[i].result == 0;
		ck_assert_uint_eq(l.n, n);
		if (rows[i].result == 0)
			ck_assert_str_eq(labels_get(&l, rows[i].key), rows[i].value);
	}
	labels_done(&l);
}
END_TEST

START_TEST(lengths_and_number)
{
	_cleanup_free_ char *key = repeat('k', LABEL_KEY_MAX + 1),
			    *value = repeat('v', LABEL_VALUE_MAX + 1);
	struct labels l = {};
	char name[8];

	ck_assert_int_eq(labels_add(&l, key, "x"), -EINVAL);
	ck_assert_int_eq(labels_add(&l, "x", value), -EINVAL);
	ck_assert_int_eq(labels_add(&l, key + 1, value + 1), 0);
	for (int i = 1; i < LABELS_MAX; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		ck_assert_int_eq(labels_add(&l, name, "x"), 0);
	}
	ck_assert_int_eq(labels_add(&l, "more", "x"), -E2BIG);
	/* what is there already may be said again */
	ck_assert_int_eq(labels_add(&l, "k1", "x"), 0);
	ck_assert_int_eq(labels_add(&l, "k1", "y"), -EEXIST);
	ck_assert_uint_eq(l.n, LABELS_MAX);
	ck_assert_str_eq(labels_get(&l, "more"), "");
	labels_done(&l);
	ck_assert_uint_eq(l.n, 0);
}
END_TEST

CHECK_MAIN("profile/labels", keys_and_values, lengths_and_number);
