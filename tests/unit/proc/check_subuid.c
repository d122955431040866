/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <sys/stat.h>

#include "check_main.h"
#include "proc/subuid.h"

static int known(const char *name, uid_t *ret, void *ctx)
{
	if (!streq(name, "anna"))
		return -ENOENT;
	*ret = 1000;
	return 0;
}

static struct subuid parse(const char *text)
{
	struct subuid s;

	ck_assert_int_eq(subuid_parse(text, strlen(text), known, NULL, &s), 0);
	return s;
}

START_TEST(finds_the_owner)
{
	struct subuid s = parse("anna:100000:65536\n1001:165536:65536\nben:300000:10\n");
	static const struct {
		uid_t uid, owner;
	} cases[] = {
		{ 0, 0 },
		{ 1000, 1000 },
		{ 99999, 99999 },
		{ 100000, 1000 },
		{ 165535, 1000 },
		{ 165536, 1001 },
		{ 231071, 1001 },
		{ 231072, 231072 },
		/* a name that nobody knows is one user still */
		{ 300000, 300000 },
		{ 300009, 300000 },
		{ 300010, 300010 },
		{ UINT32_MAX, UINT32_MAX },
	};

	ck_assert_uint_eq(s.n, 3);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_uint_eq(subuid_owner(&s, cases[i].uid), cases[i].owner);
	subuid_done(&s);
}
END_TEST

START_TEST(passes_over_other_lines)
{
	struct subuid s = parse("# anna:1:2\n\nanna\nanna:\nanna::\nanna:5\nanna:5:\nanna:x:5\n"
				"anna:5:x\nanna:5:5:5\n:5:5\nanna:-5:5\nanna:5:-5\nanna: 5:5\n"
				"anna:5:0\nanna:0:5\nanna:4294967290:6\nanna:4294967296:1\n"
				"anna:99999999999999999999:1\nanna:7:4294967295\n"
				"anna:200000:3");

	ck_assert_uint_eq(s.n, 1);
	ck_assert_uint_eq(s.ranges[0].start, 200000);
	ck_assert_uint_eq(s.ranges[0].last, 200002);
	subuid_done(&s);
	s = parse("anna:4294967290:5\n");
	ck_assert_uint_eq(subuid_owner(&s, 4294967294u), 1000);
	ck_assert_uint_eq(subuid_owner(&s, UINT32_MAX), UINT32_MAX);
	subuid_done(&s);
	s = parse("");
	ck_assert_uint_eq(subuid_owner(&s, 7), 7);
	subuid_done(&s);
}
END_TEST

START_TEST(overlapping_ranges_are_parted)
{
	struct subuid s = parse("3:50:10\n1:10:100\n2:20:5\n4:105:20\n");

	ck_assert_uint_eq(s.n, 2);
	ck_assert_uint_eq(subuid_owner(&s, 22), 1);
	ck_assert_uint_eq(subuid_owner(&s, 55), 1);
	ck_assert_uint_eq(subuid_owner(&s, 109), 1);
	ck_assert_uint_eq(subuid_owner(&s, 110), 4);
	ck_assert_uint_eq(subuid_owner(&s, 124), 4);
	ck_assert_uint_eq(subuid_owner(&s, 125), 125);
	subuid_done(&s);
}
END_TEST

START_TEST(is_bounded)
{
	_cleanup_free_ char *text = malloc(64 * (SUBUID_MAX_RANGES + 100));
	size_t size = 0;
	struct subuid s;

	for (int i = 0; i < SUBUID_MAX_RANGES + 100; i++)
		size += (size_t)sprintf(text + size, "%d:%d:1\n", i, 100000 + 2 * i);
	ck_assert_int_eq(subuid_parse(text, size, known, NULL, &s), 0);
	ck_assert_uint_eq(s.n, SUBUID_MAX_RANGES);
	subuid_done(&s);
}
END_TEST

static void write_file(const char *path, const char *text, time_t changed)
{
	struct timespec times[2] = { { .tv_sec = changed }, { .tv_sec = changed } };
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

START_TEST(is_read_again_when_it_changes)
{
	char folder[] = "/tmp/plop-subuid-XXXXXX", path[64], passwd[64];
	struct subuid_file f;
	uint64_t second = NSEC_PER_SEC;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/subuid", folder);
	snprintf(passwd, sizeof(passwd), "%s/passwd", folder);
	subuid_file_init(&f, path, passwd);
	subuid_file_refresh(&f, 1);
	ck_assert_uint_eq(subuid_owner(&f.map, 100001), 100001);
	write_file(passwd, "root:x:0:0::/:/bin/sh\neve:x:1234:1234::/:/bin/sh\n", 1000);
	write_file(path, "eve:100000:10\n", 1000);
	/* not more often than once a second */
	subuid_file_refresh(&f, second / 2);
	ck_assert_uint_eq(subuid_owner(&f.map, 100001), 100001);
	subuid_file_refresh(&f, 2 * second);
	ck_assert_uint_eq(subuid_owner(&f.map, 100001), 1234);
	write_file(passwd, "eve:x:4321:1234::/:/bin/sh\n", 1001);
	subuid_file_refresh(&f, 4 * second);
	ck_assert_uint_eq(subuid_owner(&f.map, 100001), 4321);
	unlink(path);
	unlink(passwd);
	subuid_file_refresh(&f, 6 * second);
	ck_assert_uint_eq(subuid_owner(&f.map, 100001), 100001);
	subuid_file_done(&f);
	rmdir(folder);
}
END_TEST

CHECK_MAIN("proc/subuid", finds_the_owner, passes_over_other_lines, overlapping_ranges_are_parted,
	   is_bounded, is_read_again_when_it_changes);
