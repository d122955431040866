/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "format/format.h"
#include "known_off_cpu.h"
#include "plop/version.h"

static char *encode(const struct profile *p, const char *format)
{
	_cleanup_buf_ struct buf b = {};
	const struct format *f = format_find(format);

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(f->encode(p, &b), 0);
	return buf_string(&b);
}

/* The golden file of a format, in which VERSION stands for plop's. Owned by the caller. */
static char *golden(const char *format)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *raw = NULL;
	char path[512], *version;
	ssize_t size;
	size_t room = 0;

	snprintf(path, sizeof(path), "%s/golden/known.%s", PLOP_TEST_DATA, format);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s", path);
	size = getdelim(&raw, &room, '\0', f);
	ck_assert_int_gt(size, 0);
	version = strstr(raw, "VERSION");
	if (version) {
		buf_append(&b, raw, (size_t)(version - raw));
		buf_puts(&b, PLOP_VERSION);
		version += strlen("VERSION");
	}
	buf_puts(&b, version ? version : raw);
	return buf_string(&b);
}

START_TEST(as_the_golden_files)
{
	static const char *const names[] = { "collapsed", "speedscope", "plop",
					     "json",      "tree",       "svg" };
	_cleanup_(profile_freep) struct profile *p = known_profile();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *got = encode(p, names[i]), *want = golden(names[i]);

		ck_assert_str_eq(got, want);
	}
}
END_TEST

#define NOTHING_LOST                                                             \
	" lost.fault=0 lost.stacks_full=0 lost.frames_full=0 lost.unsupported=0" \
	" lost.corrupt=0 lost.drain=0 lost.threads=0 lost.rate=0\n"
#define NO_TICKS "# ticks=0 python=0 other=0 truncated=0 samples=0" NOTHING_LOST

/*
 * What a frame is, is told by its kind: a Python function may be called as a synthetic one, and
 * machine code lies in a module.
 */
START_TEST(kinds)
{
	static const struct dict_function rows[] = {
		{ "[truncated]", "", "", 0, PLOP_FRAME_SYNTHETIC },
		{ "[truncated]", "", "", 0, PLOP_FRAME_PYTHON },
		{ "service=web", "", "", 0, PLOP_FRAME_PYTHON },
		{ "get", "", "/v/site-packages/requests/api.py", 3, PLOP_FRAME_PYTHON },
		{ "read;", "libc.so.6", "", 0, PLOP_FRAME_NATIVE },
		{ "run", "libx.so", "run.c", 7, PLOP_FRAME_NATIVE },
		{ "do_idle", "kernel", "", 0, PLOP_FRAME_KERNEL },
	};
	static const struct {
		const char *format, *words;
	} cases[] = {
		{ "collapsed",
		  "[truncated];[truncated] (:0);service=web (:0);"
		  "get (/v/site-packages/requests/api.py:3);read: (libc.so.6:0);run (run.c:7);"
		  "do_idle (kernel:0) 1\n" },
		{ "speedscope",
		  "{\"frames\":[{\"name\":\"[truncated]\"},{\"name\":\"[truncated]\"},"
		  "{\"name\":\"service=web\"},{\"name\":\"get\","
		  "\"file\":\"/v/site-packages/requests/api.py\",\"line\":3},"
		  "{\"name\":\"read;\",\"file\":\"libc.so.6\"},"
		  "{\"name\":\"run\",\"file\":\"run.c\",\"line\":7},"
		  "{\"name\":\"do_idle\",\"file\":\"kernel\"}]}" },
		{ "plop",
		  "(('kernel', 0, 'do_idle'), ('run.c', 7, 'run'), ('libc.so.6', 0, 'read;')," },
		{ "json", "\"function\":\"do_idle\",\"file\":\"\",\"line\":0,\"kind\":\"kernel\","
			  "\"module\":\"kernel\",\"self\":1" },
		{ "json", "\"function\":\"read;\",\"file\":\"\",\"line\":0,\"kind\":\"native\","
			  "\"module\":\"libc.so.6\"" },
		{ "json", "\"line\":3,\"kind\":\"python\",\"module\":\"requests\"" },
		{ "json", "\"function\":\"[truncated]\",\"file\":\"\",\"line\":0,"
			  "\"kind\":\"synthetic\",\"module\":\"\"" },
		{ "json", "\"function\":\"[truncated]\",\"file\":\"\",\"line\":0,"
			  "\"kind\":\"python\",\"module\":\"\"" },
	};
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct process_info info = known_process(100, "app");
	uint32_t frames[ARRAY_SIZE(rows)], process, function;

	ck_assert_int_eq(profile_new(KNOWN_START, 100, &p), 0);
	ck_assert_int_eq(profile_process(p, &info, "3.11.2", &process), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_int_eq(dict_function(p->dict, &rows[i], &function), 0);
		ck_assert_int_eq(dict_frame(p->dict, function, rows[i].line, &frames[i]), 0);
	}
	known_add(p, process, 1, frames, ARRAY_SIZE(rows), 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *got = encode(p, cases[i].format);

		ck_assert_msg(strstr(got, cases[i].words) != NULL, "%s: %s", cases[i].format, got);
	}
}
END_TEST

START_TEST(empty_profiles)
{
	static const struct {
		const char *format, *end;
	} cases[] = {
		{ "collapsed", "" },
		{ "plop", "{}\n" NO_TICKS },
		{ "speedscope", "\"shared\":{\"frames\":[]},\"profiles\":[]}" },
		{ "json", "\"samples\":0,\"unit\":\"samples\",\"total\":0,\"states\":{},"
			  "\"merged\":{\"functions\":0,\"edges\":0},\"labels\":{},"
			  "\"processes\":[],\"threads\":[],\"nodes\":[],\"edges\":[]}" },
	};
	_cleanup_(profile_freep) struct profile *p = NULL;

	ck_assert_int_eq(profile_new(0, 0, &p), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *s = encode(p, cases[i].format);
		size_t size = strlen(s), end = strlen(cases[i].end);

		ck_assert_uint_ge(size, end);
		ck_assert_str_eq(s + size - end, cases[i].end);
	}
}
END_TEST

/*
 * What differs in the profile can read the same in a file; a reader of the plop format would keep
 * only one.
 */
START_TEST(keys_that_read_the_same_are_merged)
{
	_cleanup_free_ char *collapsed = NULL, *plop = NULL;
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct process_info info = known_process(1, "x");
	uint32_t process;

	ck_assert_int_eq(profile_new(0, 100, &p), 0);
	ck_assert_int_eq(profile_process(p, &info, "", &process), 0);
	known_add(p, process, 1, (uint32_t[]){ known_frame(p, "f\xff", "x.py", 1, 9) }, 1, 1);
	known_add(p, process, 1, (uint32_t[]){ known_frame(p, "f\xfe", "x.py", 1, 9) }, 1, 2);
	known_add(p, process, 1, (uint32_t[]){ known_frame(p, "f\xfe", "x.py", 2, 9) }, 1, 4);
	/* A stack without frames has no line, but is a key. */
	known_add(p, process, 1, NULL, 0, 8);
	collapsed = encode(p, "collapsed");
	ck_assert_str_eq(collapsed, "f\xef\xbf\xbd (x.py:9) 7\n");
	plop = encode(p, "plop");
	ck_assert_str_eq(plop, "{(): 8, (('x.py', 9, 'f\\ufffd'),): 7}\n"
			       "# ticks=0 python=0 other=0 truncated=0 samples=15" NOTHING_LOST);
}
END_TEST

/* Of compiled code it is known that it has no lines; of other code that the line is not known. */
START_TEST(compiled_code)
{
	_cleanup_free_ char *collapsed = NULL, *plop = NULL, *speedscope = NULL, *json = NULL;
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct process_info info = known_process(1, "x");
	uint32_t process;

	ck_assert_int_eq(profile_new(0, 100, &p), 0);
	ck_assert_int_eq(profile_process(p, &info, "", &process), 0);
	known_add(p, process, 1, (uint32_t[]){ known_frame(p, "f", "x.py", 3, DICT_LINE_COMPILED) },
		  1, 1);
	known_add(p, process, 1, (uint32_t[]){ known_frame(p, "g", "x.py", 7, 0) }, 1, 2);
	collapsed = encode(p, "collapsed");
	ck_assert_str_eq(collapsed, "f (x.py:compiled) 1\ng (x.py:0) 2\n");
	plop = encode(p, "plop");
	ck_assert_str_eq(plop, "{(('x.py', 0, 'g'),): 2, (('x.py', 0, 'f'),): 1}\n"
			       "# ticks=0 python=0 other=0 truncated=0 samples=3" NOTHING_LOST);
	speedscope = encode(p, "speedscope");
	ck_assert_ptr_nonnull(strstr(speedscope, "{\"name\":\"f\",\"file\":\"x.py\"}"));
	json = encode(p, "json");
	ck_assert_ptr_nonnull(strstr(json, "\"function\":\"f\",\"file\":\"x.py\",\"line\":3"));
}
END_TEST

START_TEST(off_cpu_time)
{
	static const struct {
		const char *format, *part;
	} cases[] = {
		{ "collapsed", "main (/srv/app.py:90);work (/srv/app.py:12) 166500\n" },
		{ "plop", "166500}\n" },
		{ "speedscope", "\"unit\":\"microseconds\",\"startValue\":0,\"endValue\":166500,"
				"\"samples\":[[0,1]],\"weights\":[166500]" },
		{ "json", "\"samples\":6,\"unit\":\"microseconds\",\"total\":166500,\"states\":{"
			  "\"gil held\":30000,\"gil released\":20000,"
			  "\"waiting for the "
			  "GIL\":15000,\"sleeping\":100000,\"runnable\":1500},"
			  "\"merged\":{\"functions\":0,\"edges\":0},\"labels\":{\"env\":"
			  "\"it's \\\"prod\\\"\",\"version\":\"7\"}," },
		{ "json", "\"threads\":[{\"pid\":100,\"tid\":101,\"name\":\"worker\"}]" },
		{ "speedscope", "\"name\":\"plop env=it's \\\"prod\\\" version=7\"" },
		{ "speedscope", "\"hz\":100,\"unit\":\"microseconds\",\"samples\":6,\"states\":{"
				"\"gil held\":30000,"
				"\"gil released\":20000,\"waiting for the GIL\":15000,"
				"\"sleeping\":100000,\"runnable\":1500},\"labels\":{\"env\"" },
		{ "plop", " unit=microseconds\n# label.env=it's \"prod\"\n# label.version=7\n" },
		{ "json", "\"samples\":6,\"total\":166500}],\"threads\":[" },
		{ "json", "\"self\":166500,\"total\":166500}" },
	};
	_cleanup_(profile_freep) struct profile *p = known_off_cpu();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *s = encode(p, cases[i].format);

		ck_assert_msg(strstr(s, cases[i].part) != NULL, "%s", s);
	}
}
END_TEST

/* speedscope opens on the first, whichever came first into the profile. */
START_TEST(the_heaviest_process_is_first)
{
	static const struct {
		pid_t pid;
		const char *service;
		uint64_t count;
	} cases[] = {
		{ 30, "small", 1 },
		{ 20, "", 250 },
		{ 11, "twin", 7 },
		{ 10, "twin", 7 },
	};
	static const char *const wanted[] = {
		"\"activeProfileIndex\":0,",
		"\"profiles\":[{\"type\":\"sampled\",\"name\":\"app (pid "
		"20)\",\"unit\":\"seconds\","
		"\"startValue\":0,\"endValue\":2.5,",
		"\"weights\":[2.5]},{\"type\":\"sampled\",\"name\":\"twin (pid 10)\"",
		"\"weights\":[0.07]},{\"type\":\"sampled\",\"name\":\"twin (pid 11)\"",
		"\"weights\":[0.07]},{\"type\":\"sampled\",\"name\":\"small (pid 30)\"",
	};
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_free_ char *s = NULL;

	ck_assert_int_eq(profile_new(0, 100, &p), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct process_info info = known_process(cases[i].pid, "app");
		uint32_t process, frame = known_frame(p, "f", "x.py", 1, 9);

		info.service = (char *)cases[i].service;
		ck_assert_int_eq(profile_process(p, &info, "", &process), 0);
		known_add(p, process, 1, &frame, 1, cases[i].count);
	}
	s = encode(p, "speedscope");
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		ck_assert_msg(strstr(s, wanted[i]) != NULL, "%s not in %s", wanted[i], s);
}
END_TEST

/* Frames of groups are no places in a file. */
START_TEST(grouped)
{
	_cleanup_(profile_freep) struct profile *p = known_off_cpu(), *g = NULL;
	_cleanup_free_ char *s = NULL;

	ck_assert_int_eq(profile_group(p, "comm,state", &g), 0);
	s = encode(g, "collapsed");
	ck_assert_ptr_nonnull(strstr(
		s, "comm=app;state=sleeping;main (/srv/app.py:90);work (/srv/app.py:12) 100000\n"));
}
END_TEST

START_TEST(order_does_not_depend_on_ids)
{
	static const char *const names[] = { "collapsed", "plop" };
	_cleanup_(profile_freep) struct profile *p = known_profile(), *other = NULL;
	struct process_info info = known_process(200, "say \"hi\"");
	uint32_t process;

	ck_assert_int_eq(profile_new(0, 100, &other), 0);
	ck_assert_int_eq(profile_process(other, &info, "3.13.0", &process), 0);
	known_frame(other, HOSTILE_UNICODE, "/srv/\xc3\xbc.py", 9, 11);
	ck_assert_int_eq(profile_merge(other, p), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *a = encode(p, names[i]), *b = encode(other, names[i]);

		ck_assert_str_eq(a, b);
	}
}
END_TEST

/* Whatever the format: a limit is said, and no more memory is used on the way than it. */
START_TEST(a_limit_holds_in_every_format)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	char name[64];

	for (unsigned int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "function_%u_%08x", i, i * 1103515245u + 12345u);
		known_add(p, 0, 101, (uint32_t[]){ known_frame(p, name, "/srv/x.py", 1, (int)i) },
			  1, i + 1);
	}
	for (size_t i = 0; i < nformats; i++) {
		_cleanup_buf_ struct buf whole = {}, exact = {}, small = { .limit = 100000 };

		ck_assert_int_eq(formats[i].encode(p, &whole), 0);
		/* what can be drawn is less than that */
		if (formats[i].pruned)
			small.limit = MIN(small.limit, whole.size / 2);
		ck_assert_uint_gt(whole.size, small.limit);
		/* the call graph alone has a bound of its own, and says what is beyond it */
		ck_assert_uint_eq(format_merged(whole.data, whole.size),
				  streq(formats[i].name, "json") ? 20009 - CALLGRAPH_NODES : 0);
		ck_assert_int_eq(formats[i].encode(p, &small), -EFBIG);
		ck_assert_uint_le(small.allocated, small.limit);
		/* pprof is compressed in pieces of 64 kB, each of which needs its room first */
		exact.limit = whole.size + 65536;
		ck_assert_int_eq(formats[i].encode(p, &exact), 0);
		ck_assert_uint_eq(exact.size, whole.size);
	}
}
END_TEST

START_TEST(formats_are_found_by_name)
{
	_cleanup_buf_ struct buf names = {};
	_cleanup_free_ char *s = NULL;

	ck_assert_ptr_null(format_find(""));
	ck_assert_ptr_null(format_find("PPROF"));
	for (size_t i = 0; i < nformats; i++) {
		ck_assert_ptr_eq(format_find(formats[i].name), &formats[i]);
		buf_printf(&names, "%s%s", i ? ", " : "", formats[i].name);
	}
	s = buf_string(&names);
	ck_assert_str_eq(format_names(), s);
}
END_TEST

START_TEST(formats_are_found_by_a_files_ending)
{
	static const struct {
		const char *path, *format; /* NULL: none */
	} cases[] = {
		{ "x.pb.gz", "pprof" },
		{ "/tmp/a.json/x.pprof", "pprof" },
		{ "x.collapsed", "collapsed" },
		{ "x.folded", "collapsed" },
		{ "x.txt", "collapsed" },
		{ "x.speedscope.json", "speedscope" },
		{ "x.SpeedScope.JSON", "speedscope" },
		{ "x.json", "json" },
		{ "x.tree.json", "tree" },
		{ "speedscope.json", "json" },
		{ "x.plop", "plop" },
		{ "", NULL },
		{ "x", NULL },
		{ "json", NULL },
		{ "x.gz", NULL },
		{ "x.json/y", NULL },
		{ "x.json ", NULL },
		{ "x.SVG", "svg" },
		{ "x.html", "html" },
		{ "x.png", NULL },
	};
	_cleanup_free_ char *listed = strdup(format_endings());

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct format *f = format_by_ending(cases[i].path);

		ck_assert_msg(f == (cases[i].format ? format_find(cases[i].format) : NULL), "%s",
			      cases[i].path);
	}
	for (char *save, *s = strtok_r(listed, ", ", &save); s; s = strtok_r(NULL, ", ", &save))
		ck_assert_ptr_nonnull(format_by_ending(s));
	/* What plopctl names a file by itself is read as what it is. */
	for (size_t i = 0; i < nformats; i++) {
		char name[64];

		snprintf(name, sizeof(name), "plop-1-x.%s", formats[i].extension);
		ck_assert_ptr_eq(format_by_ending(name), &formats[i]);
	}
}
END_TEST

CHECK_MAIN("format/format", as_the_golden_files, kinds, empty_profiles,
	   keys_that_read_the_same_are_merged, compiled_code, off_cpu_time,
	   the_heaviest_process_is_first, grouped, order_does_not_depend_on_ids,
	   a_limit_holds_in_every_format, formats_are_found_by_name,
	   formats_are_found_by_a_files_ending);
