/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "proc/commit.h"
#include "proc/mounts.h"
#include "proc/process.h"

#define A    "3f2a91c0b7de3f2a91c0b7de3f2a91c0b7de3f2a"
#define B    "0123456789012345678901234567890123456789"
#define LONG B "abcdefabcdefabcdefabcdef"

static int head_of(const char *text, size_t size, struct commit_head *ret)
{
	const struct reader_bytes bytes = { .data = text, .size = size };
	const struct reader r = bytes_reader(&bytes);

	return commit_read_head(&r, size, ret);
}

START_TEST(reads_heads)
{
	struct commit_head h;

	ck_assert_int_eq(head_of(A "\n", 41, &h), 0);
	ck_assert_str_eq(h.hex, A);
	ck_assert_str_eq(h.ref, "");
	ck_assert_int_eq(head_of(LONG "\n", 65, &h), 0);
	ck_assert_str_eq(h.hex, LONG);
	ck_assert_int_eq(head_of("ref: refs/heads/x/y\n", 20, &h), 0);
	ck_assert_str_eq(h.ref, "refs/heads/x/y");
	ck_assert_str_eq(h.hex, "");
}
END_TEST

START_TEST(refuses_other_heads)
{
	static const char *const bad[] = {
		"",
		"\n",
		"x",
		A "0\n",
		"ref:",
		"ref: \n",
		"ref: refs/\n",
		"ref: refs/heads/\n",
		"ref: refs//x\n",
		"ref: refs/../../../etc/x\n",
		"ref: refs/heads/.hidden\n",
		"ref: /etc/passwd\n",
		"ref: heads/main\n",
		"ref: refs/heads/a b\n",
		"ref: refs/heads/a\nb\n",
		"3F2A91C0B7DE3F2A91C0B7DE3F2A91C0B7DE3F2A\n",
	};
	struct commit_head h = { .hex = "untouched" };
	char large[COMMIT_LINE_MAX + 1], longest[COMMIT_REF_MAX + 8] = "ref: refs/heads/";

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(head_of(bad[i], strlen(bad[i]), &h), -EBADMSG);
	ck_assert_int_eq(head_of("ref: refs/heads/\0x", 18, &h), -EBADMSG);
	memset(large, 'a', sizeof(large));
	ck_assert_int_eq(head_of(large, sizeof(large), &h), -EBADMSG);
	memset(longest + 16, 'a', sizeof(longest) - 17);
	ck_assert_int_eq(head_of(longest, COMMIT_REF_MAX + 6, &h), -EBADMSG);
	ck_assert_str_eq(h.hex, "untouched");
	ck_assert_int_eq(head_of(longest, COMMIT_REF_MAX + 5, &h), 0);
	ck_assert_uint_eq(strlen(h.ref), COMMIT_REF_MAX);
}
END_TEST

static int packed(const char *text, size_t size, const char *ref, char *ret)
{
	const struct reader_bytes bytes = { .data = text, .size = size };
	const struct reader r = bytes_reader(&bytes);

	return commit_find_packed(&r, size, ref, ret);
}

START_TEST(finds_packed_refs)
{
	static const char text[] = "# pack-refs with: peeled fully-peeled sorted \n" A
				   " refs/heads/mainly\n" B " refs/heads/main\n^" A "\n" LONG
				   " refs/tags/last";
	char hex[COMMIT_HEX_MAX + 1] = "untouched";

	ck_assert_int_eq(packed(text, sizeof(text) - 1, "refs/heads/mai", hex), -ENOENT);
	ck_assert_int_eq(packed("", 0, "refs/heads/main", hex), -ENOENT);
	ck_assert_str_eq(hex, "untouched");
	ck_assert_int_eq(packed(text, sizeof(text) - 1, "refs/heads/main", hex), 0);
	ck_assert_str_eq(hex, B);
	ck_assert_int_eq(packed(text, sizeof(text) - 1, "refs/tags/last", hex), 0);
	ck_assert_str_eq(hex, LONG);
}
END_TEST

/* A ref at any place, so that it lies across the blocks that are read. */
START_TEST(finds_packed_refs_anywhere)
{
	static const char line[] = B " refs/heads/main\n";
	_cleanup_free_ char *text = malloc(20000);
	char hex[COMMIT_HEX_MAX + 1];

	ck_assert_ptr_nonnull(text);
	for (size_t before = 0; before < 10000; before += 61) {
		for (size_t i = 0; i < before; i++)
			text[i] = i % 100 == 99 || i == before - 1 ? '\n' : 'x';
		memcpy(text + before, line, sizeof(line) - 1);
		hex[0] = '\0';
		ck_assert_int_eq(packed(text, before + sizeof(line) - 1, "refs/heads/main", hex),
				 0);
		ck_assert_str_eq(hex, B);
	}
	/* a line without an end, and a file beyond the bound */
	memset(text, 'x', 20000);
	ck_assert_int_eq(packed(text, 20000, "refs/heads/main", hex), -EBADMSG);
	ck_assert_int_eq(packed(text, COMMIT_PACKED_MAX + 1, "refs/heads/main", hex), -EFBIG);
	ck_assert_int_eq(packed(text, 30000, "refs/heads/main", hex), -EBADMSG);
}
END_TEST

static const char mounts[] = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
			     "23 22 0:21 / /proc rw - proc proc rw\n"
			     "30 22 0:40 / /srv rw master:2 propagate_from:1 - nfs4 server:/x rw\n"
			     "31 22 0:41 / /mnt/a\\040b rw - fuse.sshfs me@host: rw\n"
			     "32 22 0:42 / /over rw - nfs s:/y rw\n"
			     "33 32 0:43 / /over rw - tmpfs t rw\n"
			     "34 22 0:44 / /torn rw\n"
			     "broken\n"
			     "35 22 0:45 / /last rw -";

START_TEST(tells_mounts)
{
	static const struct {
		const char *path;
		bool answers;
	} all[] = { { "/", true },      { "/home", true },     { "/srv", false },
		    { "/srv/x", true }, { "/mnt/a b", false }, { "/mnt/a", true },
		    { "/over", true },  { "/torn", false },    { "/last", false },
		    { "/proc", false } };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		ck_assert_msg(mounts_answer_at(mounts, sizeof(mounts) - 1, all[i].path) ==
				      all[i].answers,
			      "%s", all[i].path);
	ck_assert(mounts_answer_at(NULL, 0, "/"));
}
END_TEST

CHECK_MAIN("proc/commit", reads_heads, refuses_other_heads, finds_packed_refs,
	   finds_packed_refs_anywhere, tells_mounts);
