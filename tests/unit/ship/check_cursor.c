/* SPDX-License-Identifier: BSD-2-Clause */
#include "../store/dir.h"
#include "check_main.h"
#include "ship/cursor.h"
#include "ship/seen.h"

static struct dir dir;

static void setup(void)
{
	dir_make(&dir);
}

static void teardown(void)
{
	dir_done(&dir);
}

static void put(const char *name, const char *text, size_t size)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir.path, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, size, f), size);
	fclose(f);
}

static const struct store_place place = {
	.any = true, .writer = UINT64_MAX - 6, .id = 123456, .end_ns = UINT64_C(1800000000000000001)
};

START_TEST(what_was_shipped_is_read_again)
{
	struct store_place p = {};

	ck_assert_int_eq(cursor_read(dir.path, &p), -ENOENT);
	ck_assert_int_eq(cursor_write(dir.path, &place), 0);
	ck_assert_int_eq(cursor_read(dir.path, &p), 0);
	ck_assert(p.any);
	ck_assert_uint_eq(p.writer, place.writer);
	ck_assert_int_eq(p.id, place.id);
	ck_assert_uint_eq(p.end_ns, place.end_ns);
}
END_TEST

/* Cut anywhere, any byte another one, something behind it: never taken for another place. */
START_TEST(a_damaged_file_is_no_place)
{
	_cleanup_free_ char *text = NULL;
	struct store_place p = {};
	size_t size = 0;

	ck_assert_int_eq(cursor_write(dir.path, &place), 0);
	text = dir_read(&dir, "shipped", &size);
	for (size_t i = 0; i < size; i++) {
		put("shipped", text, i);
		ck_assert_int_eq(cursor_read(dir.path, &p), -EBADMSG);
		text[i] ^= 1;
		put("shipped", text, size);
		ck_assert_int_eq(cursor_read(dir.path, &p), -EBADMSG);
		text[i] ^= 1;
	}
	put("shipped", text, size + 1);
	ck_assert_int_eq(cursor_read(dir.path, &p), -EBADMSG);
	put("shipped", text, size);
	ck_assert_int_eq(cursor_read(dir.path, &p), 0);
}
END_TEST

START_TEST(a_part_is_read_again)
{
	const struct cursor_part part = { .writer = 1, .id = 2, .rows = 3, .all = 4 },
				 wrong = { .writer = 1, .id = 2, .rows = 5, .all = 4 };
	struct cursor_part p = {};

	ck_assert_int_eq(cursor_read_part(dir.path, &p), -ENOENT);
	ck_assert_int_eq(cursor_write_part(dir.path, &part), 0);
	ck_assert_int_eq(cursor_read_part(dir.path, &p), 0);
	ck_assert_mem_eq(&p, &part, sizeof(p));
	ck_assert_int_eq(cursor_write_part(dir.path, &wrong), 0);
	ck_assert_int_eq(cursor_read_part(dir.path, &p), -EBADMSG);
}
END_TEST

START_TEST(a_host_is_who_it_was)
{
	uint64_t one = 0, again = 0, other = 0;
	_cleanup_free_ char *error = NULL;

	ck_assert_int_eq(cursor_host_id(dir.path, &one, &error), 0);
	ck_assert_int_eq(cursor_host_id(dir.path, &again, &error), 0);
	ck_assert_uint_eq(one, again);
	put("host_id", "host 12", 7);
	ck_assert_int_eq(cursor_host_id(dir.path, &other, &error), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(error, "host_id is damaged"));
	free(TAKE_PTR(error));
	ck_assert_int_eq(cursor_host_id("/nowhere", &other, &error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, "cannot use /nowhere/host_id: No such file"));
}
END_TEST

START_TEST(one_ships_from_a_folder)
{
	_cleanup_close_ int fd = cursor_lock(dir.path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(cursor_lock(dir.path), -EBUSY);
	close(TAKE_FD(fd));
	fd = cursor_lock(dir.path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(cursor_lock("/nowhere"), -ENOENT);
}
END_TEST

START_TEST(stacks_of_a_day_are_seen_once)
{
	_cleanup_free_ struct seen *s = calloc(1, sizeof(*s));

	seen_day(s, 1);
	for (uint64_t i = 1; i <= SEEN_MOST; i++)
		seen_add(s, i * UINT64_C(0x9e3779b97f4a7c15));
	for (uint64_t i = 1; i <= SEEN_MOST; i++)
		ck_assert(seen_has(s, i * UINT64_C(0x9e3779b97f4a7c15)));
	ck_assert(!seen_has(s, 12345));
	ck_assert(!seen_has(s, 0));
	seen_day(s, 1);
	ck_assert_uint_eq(s->n, SEEN_MOST);
	/* one too many: all are forgotten but that one */
	seen_add(s, 12345);
	ck_assert(seen_has(s, 12345));
	ck_assert_uint_eq(s->n, 1);
	seen_day(s, 2);
	ck_assert(!seen_has(s, 12345));
}
END_TEST

CHECK_MAIN_WITH("ship/cursor", setup, teardown, what_was_shipped_is_read_again,
		a_damaged_file_is_no_place, a_part_is_read_again, a_host_is_who_it_was,
		one_ships_from_a_folder, stacks_of_a_day_are_seen_once);
