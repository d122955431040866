/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "target/marks.h"

static struct marks m;

static void teardown(void)
{
	marks_done(&m);
}

static int set_for(bool owned, uid_t uid, const char *selector, const char *version)
{
	struct selectors whom = { .owned = owned, .uid = uid };
	int r;

	ck_assert_int_eq(selectors_add(&whom, selector), 0);
	r = marks_set(&m, &whom, version, 5 * NSEC_PER_SEC);
	ck_assert_uint_eq(whom.n, 0);
	return r;
}

static const char *version_of(uid_t uid, const char *service)
{
	struct process_info p = process_info_of(7);

	p.uid = uid;
	p.service = (char *)(uintptr_t)service;
	return marks_version(&m, &p);
}

START_TEST(the_newest_counts)
{
	ck_assert_ptr_null(version_of(1, "shop"));
	ck_assert_int_eq(set_for(false, 0, "service=shop", "1"), 0);
	ck_assert_int_eq(set_for(false, 0, "pid=7", "all"), 0);
	ck_assert_str_eq(version_of(1, "shop"), "all");
	ck_assert_int_eq(set_for(false, 0, "service=shop", "2"), 0);
	ck_assert_uint_eq(m.n, 2);
	ck_assert_str_eq(version_of(1, "shop"), "2");
	ck_assert_str_eq(version_of(1, "store"), "all");
	ck_assert_int_eq(set_for(false, 0, "service=shop", ""), 0);
	ck_assert_int_eq(set_for(false, 0, "service=none", ""), 0);
	ck_assert_uint_eq(m.n, 1);
	ck_assert_str_eq(version_of(1, "shop"), "all");
}
END_TEST

START_TEST(a_user_marks_his_own)
{
	ck_assert_int_eq(set_for(false, 0, "service=shop", "root's"), 0);
	ck_assert_int_eq(set_for(true, 1000, "service=shop", "one's"), 0);
	ck_assert_int_eq(set_for(true, 1001, "service=shop", "two's"), 0);
	ck_assert_str_eq(version_of(1000, "shop"), "one's");
	ck_assert_str_eq(version_of(1001, "shop"), "two's");
	ck_assert_str_eq(version_of(1002, "shop"), "root's");
	/* nor does he take another's away */
	ck_assert_int_eq(set_for(true, 1002, "service=shop", ""), 0);
	ck_assert_int_eq(set_for(true, 1000, "service=shop", ""), 0);
	ck_assert_str_eq(version_of(1000, "shop"), "root's");
	ck_assert_str_eq(version_of(1001, "shop"), "two's");
}
END_TEST

/* Who may not see all is told of his own, and asks whether there is one. */
START_TEST(each_sees_his_own)
{
	const struct selectors one = { .owned = true, .uid = 1000 }, all = {};
	_cleanup_(selectors_done) struct selectors whom = { .owned = true, .uid = 1000 };
	_cleanup_buf_ struct buf text = {}, whole = {};
	struct json_writer writer = json_writer_on(&text), second = json_writer_on(&whole);

	ck_assert_int_eq(set_for(false, 0, "service=shop", "root's"), 0);
	ck_assert_int_eq(set_for(true, 1000, "service=mine", "one's"), 0);
	ck_assert_int_eq(set_for(true, 1001, "service=mine", "two's"), 0);
	marks_put(&m, &one, &writer);
	marks_put(&m, &all, &second);
	ck_assert_int_eq(json_writer_done(&writer), 0);
	ck_assert_int_eq(json_writer_done(&second), 0);
	buf_putc(&text, '\0');
	buf_putc(&whole, '\0');
	ck_assert_ptr_nonnull(strstr(text.data, "one's"));
	ck_assert_ptr_null(strstr(text.data, "root's"));
	ck_assert_ptr_null(strstr(text.data, "two's"));
	ck_assert_ptr_nonnull(strstr(whole.data, "root's"));
	ck_assert_ptr_nonnull(strstr(whole.data, "two's"));
	ck_assert_int_eq(selectors_add(&whom, "service=mine"), 0);
	ck_assert(marks_has(&m, &whom));
	whom.uid = 1002;
	ck_assert(!marks_has(&m, &whom));
}
END_TEST

START_TEST(there_is_a_bound)
{
	char text[32];

	for (int i = 0; i < MARKS_USER_MAX; i++) {
		snprintf(text, sizeof(text), "service=%d", i);
		ck_assert_int_eq(set_for(true, 1000, text, "1"), 0);
	}
	ck_assert_int_eq(set_for(true, 1000, "service=x", "1"), -E2BIG);
	ck_assert_int_eq(set_for(true, 1000, "service=0", "2"), 0);
	ck_assert_int_eq(set_for(true, 1001, "service=x", "1"), 0);
	for (int i = (int)m.n; i < MARKS_MAX; i++) {
		snprintf(text, sizeof(text), "comm=%d", i);
		ck_assert_int_eq(set_for(false, 0, text, "1"), 0);
	}
	ck_assert_int_eq(set_for(false, 0, "service=y", "1"), -E2BIG);
}
END_TEST

START_TEST(what_is_written_is_read)
{
	_cleanup_buf_ struct buf text = {}, again = {};
	struct json_writer writer = json_writer_on(&text), second = json_writer_on(&again);

	ck_assert_int_eq(set_for(false, 0, "service=a \"b\"", "1"), 0);
	ck_assert_int_eq(set_for(true, 1000, "unit=x.service", "\xc3\xbc"), 0);
	marks_put(&m, NULL, &writer);
	ck_assert_int_eq(json_writer_done(&writer), 0);
	marks_done(&m);
	ck_assert_int_eq(marks_parse(&m, text.data, text.size), 0);
	ck_assert_uint_eq(m.n, 2);
	ck_assert_str_eq(version_of(5, "a \"b\""), "1");
	marks_put(&m, NULL, &second);
	ck_assert_int_eq(json_writer_done(&second), 0);
	ck_assert_uint_eq(text.size, again.size);
	ck_assert_mem_eq(text.data, again.data, text.size);
}
END_TEST

START_TEST(what_is_no_such_text_changes_nothing)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"{\"marks\": 1}",
		"{\"marks\": [1]}",
		"{\"marks\": [{}]}",
		"{\"marks\": [{\"uid\": null, \"selectors\": [], \"version\": \"1\"}]}",
		"{\"marks\": [{\"uid\": null, \"selectors\": [\"x=1\"], \"version\": \"1\"}]}",
		"{\"marks\": [{\"uid\": null, \"selectors\": [1], \"version\": \"1\"}]}",
		/* whose it is has to be said, as it is everybody's otherwise */
		"{\"marks\": [{\"selectors\": [\"comm=x\"], \"version\": \"1\"}]}",
		"{\"marks\": [{\"uid\": \"5\", \"selectors\": [\"comm=x\"], \"version\": \"1\"}]}",
	};

	ck_assert_int_eq(set_for(false, 0, "service=shop", "1"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(marks_parse(&m, bad[i], strlen(bad[i])), -EBADMSG);
	ck_assert_str_eq(version_of(1, "shop"), "1");
}
END_TEST

CHECK_MAIN_WITH("target/marks", NULL, teardown, the_newest_counts, a_user_marks_his_own,
		each_sees_his_own, there_is_a_bound, what_is_written_is_read,
		what_is_no_such_text_changes_nothing);
