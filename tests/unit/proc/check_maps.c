/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "proc/process.h"

static int parse(const char *text, struct process_map *m)
{
	static char line[512];

	snprintf(line, sizeof(line), "%s", text);
	return process_map_parse(line, m);
}

START_TEST(reads_a_file_mapping)
{
	struct process_map m;

	ck_assert_int_eq(parse("7f0000001000-7f0000102000 r-xp 00001000 fd:1f 1234567   "
			       "/usr/lib/libpython3.8.so.1.0\n",
			       &m),
			 0);
	ck_assert_uint_eq(m.start, 0x7f0000001000);
	ck_assert_uint_eq(m.end, 0x7f0000102000);
	ck_assert_str_eq(m.perms, "r-xp");
	ck_assert_uint_eq(m.offset, 0x1000);
	ck_assert_uint_eq(m.dev_major, 0xfd);
	ck_assert_uint_eq(m.dev_minor, 0x1f);
	ck_assert_uint_eq(m.inode, 1234567);
	ck_assert_str_eq(m.path, "/usr/lib/libpython3.8.so.1.0");
}
END_TEST

START_TEST(reads_odd_names)
{
	static const struct {
		const char *line, *path;
	} rows[] = {
		{ "1000-2000 rw-p 00000000 00:00 0 \n", "" },
		{ "1000-2000 rw-p 00000000 00:00 0", "" },
		{ "1000-2000 rw-p 00000000 00:00 0      [heap]\n", "[heap]" },
		{ "1000-2000 r--p 00000000 08:01 5  /a b/c d (deleted)\n", "/a b/c d (deleted)" },
		{ "1000-2000 r--p 00000000 08:01 5  /new\\012line\n", "/new\nline" },
		{ "1000-2000 r--p 00000000 08:01 5  /\\012\\012x\\012\n", "/\n\nx\n" },
		{ "1000-2000 r--p 00000000 08:01 5  /back\\slash\\01\n", "/back\\slash\\01" },
		{ "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]\n",
		  "[vsyscall]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct process_map m;

		ck_assert_msg(parse(rows[i].line, &m) == 0, "refused: %s", rows[i].line);
		ck_assert_str_eq(m.path, rows[i].path);
	}
}
END_TEST

START_TEST(refuses_other_lines)
{
	static const char *const bad[] = {
		"",
		"\n",
		"1000",
		"1000-",
		"1000-2000",
		"1000-2000 ",
		"1000-2000 rwxp",
		"1000-2000 rwxp 0",
		"-2000 r--p 0 0:0 0",
		"2000-1000 r--p 00000000 00:00 0",
		"1000-1000 r--p 00000000 00:00 0",
		"1000-2000 zzzz 00000000 00:00 0",
		"1000-2000 r--p 0 0:0 x",
		"1000-2000 r--p 0 0:0 ",
		"11111111111111111-2000 r--p 0 0:0 0",
		"1000-2000 r--p 0 1ffffffff:0 0",
		"1000-2000 r--p 0 0:0 99999999999999999999999",
		"g000-h000 r--p 0 0:0 0",
	};
	struct process_map m = { .start = 77 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(parse(bad[i], &m) == -EBADMSG, "accepted: %s", bad[i]);
		ck_assert_uint_eq(m.start, 77);
	}
}
END_TEST

CHECK_MAIN("proc/maps", reads_a_file_mapping, reads_odd_names, refuses_other_lines);
