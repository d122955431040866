/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "config/edit.h"

static const struct config_value values[] = { { "store", "clickhouse=http://a/b" },
					      { "user", "plop" },
					      { "ca_file", NULL } };

static void becomes(const char *text, const char *wanted)
{
	_cleanup_buf_ struct buf out = {};
	_cleanup_free_ char *got = NULL;

	config_edit(text, "fleet", values, ARRAY_SIZE(values), &out);
	ck_assert_int_eq(out.error, 0);
	got = buf_string(&out);
	ck_assert_str_eq(got, wanted);
}

START_TEST(what_is_not_there_comes_behind_all)
{
	becomes("", "[fleet]\nstore = clickhouse=http://a/b\nuser = plop\n");
	becomes("[plopd]\nhz = 10",
		"[plopd]\nhz = 10\n\n[fleet]\nstore = clickhouse=http://a/b\nuser = plop\n");
	becomes("[fleet]\nshare = 1\n[plopd]\nuser = x\n",
		"[fleet]\nshare = 1\nstore = clickhouse=http://a/b\nuser = plop\n[plopd]\nuser = "
		"x\n");
	becomes("[fleet]", "[fleet]\nstore = clickhouse=http://a/b\nuser = plop\n");
}
END_TEST

START_TEST(it_stands_where_a_comment_shows_it)
{
	becomes("[fleet]\n# Where to.\n#store =\n# As whom.\n# user = x\n#ca_file =\n\n# "
		"More\n#rows = 1\n",
		"[fleet]\n# Where to.\n#store =\nstore = clickhouse=http://a/b\n# As whom.\n# user "
		"= x\nuser = plop\n#ca_file "
		"=\n\n# More\n#rows = 1\n");
}
END_TEST

START_TEST(a_line_that_sets_it_is_replaced)
{
	becomes("; one\n[ fleet ]\n[fleet]\r\n#store =\n  store: clickhouse=http://old\n\tuser=me "
		"; him\nca_file = /x\nshare = 0.1\n",
		"; one\n[ fleet ]\n[fleet]\r\n#store =\nstore = clickhouse=http://a/b\nuser = "
		"plop\nshare = 0.1\n");
	/* of two that are alike one stays */
	becomes("[fleet]\nstore = 1\nstore = 2\n[gateway]\nstore = 3\n[fleet]\nstore = 4\n",
		"[fleet]\nstore = clickhouse=http://a/b\nuser = plop\n[gateway]\nstore = "
		"3\n[fleet]\n");
}
END_TEST

START_TEST(it_is_the_same_again)
{
	_cleanup_buf_ struct buf once = {}, twice = {};
	_cleanup_free_ char *first = NULL, *second = NULL;

	config_edit("[gateway]\n#token =\n[fleet]\n#user =\n# end", "fleet", values,
		    ARRAY_SIZE(values), &once);
	first = buf_string(&once);
	config_edit(first, "fleet", values, ARRAY_SIZE(values), &twice);
	second = buf_string(&twice);
	ck_assert_str_eq(first, second);
}
END_TEST

/* What goes and is not there changes nothing, not even the end of the last line. */
START_TEST(what_is_to_go_leaves_no_trace)
{
	static const struct config_value gone[] = { { "user", NULL } };
	static const char text[] = "[fleet]\nshare = 1";
	_cleanup_buf_ struct buf out = {};
	_cleanup_free_ char *got = NULL;

	config_edit(text, "fleet", gone, ARRAY_SIZE(gone), &out);
	got = buf_string(&out);
	ck_assert_str_eq(got, text);
}
END_TEST

CHECK_MAIN("config/edit", what_is_not_there_comes_behind_all, it_stands_where_a_comment_shows_it,
	   a_line_that_sets_it_is_replaced, it_is_the_same_again, what_is_to_go_leaves_no_trace);
