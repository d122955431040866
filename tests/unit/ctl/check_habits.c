/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "ctl/record.h"
#include "ctl/select.h"
#include "ctl/suggest.h"

static const char *const names[] = { "status", "ps", "record", "export", "open", "top", "dump" };

static const char *meant(const char *word)
{
	const char *s = suggest(word, names, ARRAY_SIZE(names));

	return s ? s : "";
}

START_TEST(the_nearest_name)
{
	/* a letter too few, too many, another one, two swapped; the beginning */
	ck_assert_str_eq(meant("recodrd"), "record");
	ck_assert_str_eq(meant("statuus"), "status");
	ck_assert_str_eq(meant("dunp"), "dump");
	ck_assert_str_eq(meant("tpo"), "top");
	ck_assert_str_eq(meant("sp"), "ps");
	ck_assert_str_eq(meant("exp"), "export");
	ck_assert_str_eq(meant("rec"), "record");
	ck_assert_str_eq(meant("stats"), "status");
}
END_TEST

START_TEST(no_name_is_near)
{
	char longest[200];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_str_eq(meant(""), "");
	ck_assert_str_eq(meant("nonsense"), "");
	ck_assert_str_eq(meant("profile"), "");
	ck_assert_str_eq(meant("\xff\x1b[2J"), "");
	ck_assert_str_eq(meant(longest), "");
	ck_assert_ptr_null(suggest("status", names, 0));
}
END_TEST

START_TEST(hottest_functions)
{
	json_t *graph = json_pack("{s:i s:[{s:s s:s s:i s:i}{s:s s:s s:i s:i}{s:s s:s s:i s:i}]}",
				  "total", 200, "nodes", "function", "caller", "file", "/a.py",
				  "line", 1, "self", 0, "function", "[native thread]", "file", "",
				  "line", 0, "self", 50, "function", "hot\033[2J", "file", "/b.py",
				  "line", 7, "self", 150);
	/* what has no file is in a module, of whatever kind it is */
	json_t *modules = json_pack("{s:i s:[{s:s s:s s:s s:s s:i s:i}{s:s s:s s:s s:s s:i s:i}]}",
				    "total", 4, "nodes", "function", "malloc", "file", "", "kind",
				    "native", "module", "libc.so.6", "line", 0, "self", 3,
				    "function", "run", "file", "", "kind", "wasm", "module",
				    "app.wasm", "line", 0, "self", 1);
	_cleanup_buf_ struct buf b = {};

	hottest_text(graph, 5, 80, &b);
	buf_putc(&b, '\0');
	ck_assert_str_eq(b.data, "  75.0 %  hot?[2J (/b.py:7)\n  25.0 %  [native thread]\n");
	buf_clear(&b);
	hottest_text(graph, 1, 24, &b);
	buf_putc(&b, '\0');
	ck_assert_str_eq(b.data, "  75.0 %  hot?[2J (/b...\n");
	buf_clear(&b);
	hottest_text(modules, 5, 80, &b);
	buf_putc(&b, '\0');
	ck_assert_str_eq(b.data, "  75.0 %  malloc (libc.so.6)\n  25.0 %  run (app.wasm)\n");
	json_decref(modules);
	buf_clear(&b);
	hottest_text(NULL, 5, 80, &b);
	ck_assert_uint_eq(b.size, 0);
	json_decref(graph);
}
END_TEST

START_TEST(selected)
{
	json_t *web = json_pack("{s:i s:s s:s s:s}", "pid", 5, "service", "web", "version", "2",
				"cgroup", "/a/b");
	json_t *bare = json_pack("{s:i}", "pid", 6);
	static const struct {
		const char *selectors[3];
		bool web, bare;
	} cases[] = {
		{ {}, true, true },
		{ { "service=web" }, true, false },
		{ { "service=web", "service=shop" }, true, false },
		{ { "service=web", "version=1" }, false, false },
		{ { "service=" }, false, true },
		{ { "pid=6", "pid=5" }, true, true },
		{ { "cgroup=/a" }, true, false },
		/* of a sample, which no process has */
		{ { "gil=held", "thread_name=x" }, true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct selectors s = {};

		for (size_t k = 0; k < 3 && cases[i].selectors[k]; k++)
			ck_assert_int_eq(selectors_add(&s, cases[i].selectors[k]), 0);
		ck_assert_int_eq(ctl_selected(&s, web), cases[i].web);
		ck_assert_int_eq(ctl_selected(&s, bare), cases[i].bare);
		selectors_done(&s);
	}
	json_decref(web);
	json_decref(bare);
}
END_TEST

CHECK_MAIN("ctl/habits", the_nearest_name, no_name_is_near, hottest_functions, selected);
