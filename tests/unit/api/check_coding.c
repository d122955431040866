/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "api/coding.h"
#include "check_main.h"

START_TEST(gzip_is_taken_by_who_says_so)
{
	static const char *const yes[] = { "gzip",
					   "gzip, deflate, br, zstd",
					   "br;q=1.0, GZIP;q=0.8, *;q=0.1",
					   "deflate,\tx-gzip",
					   "*",
					   "br;q=0, *;q=0.5",
					   "gzip;q=0.001",
					   "gzip ; q=1" };
	static const char *const no[] = {
		"",      "identity",    "deflate, br", "gzipped", "gzip;q=0", "gzip; q=0.000",
		"*;q=0", "*, gzip;q=0", ",,, ,",       ";q=1",    "gzi, p",   "gzip;q=0, *"
	};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		ck_assert_msg(coding_takes_gzip(yes[i]), "%s", yes[i]);
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		ck_assert_msg(!coding_takes_gzip(no[i]), "%s", no[i]);
	ck_assert(!coding_takes_gzip(NULL));
}
END_TEST

struct reader {
	z_stream z;
	char text[1 << 20];
	size_t size;
	bool ended;
};

static void reader_feed(struct reader *r, const char *data, size_t size)
{
	int code;

	r->z.next_in = (Bytef *)data;
	r->z.avail_in = (uInt)size;
	while (r->z.avail_in > 0) {
		r->z.next_out = (Bytef *)r->text + r->size;
		r->z.avail_out = (uInt)(sizeof(r->text) - r->size);
		code = inflate(&r->z, Z_SYNC_FLUSH);
		ck_assert(code == Z_OK || code == Z_STREAM_END);
		r->size = sizeof(r->text) - r->z.avail_out;
		r->ended = code == Z_STREAM_END;
	}
}

static struct reader *reader_new(void)
{
	struct reader *r = calloc(1, sizeof(*r));

	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(inflateInit2(&r->z, 16 + MAX_WBITS), Z_OK);
	return r;
}

static void reader_free(struct reader *r)
{
	inflateEnd(&r->z);
	free(r);
}

/* All of one piece, through a buffer of room bytes. */
static void code(struct coding *c, struct reader *r, const char *data, size_t size,
		 enum coding_end end, size_t room)
{
	char out[4096];
	bool done = false;

	for (int turns = 0; !done; turns++) {
		size_t n = coding_run(c, &data, &size, end, out, room, &done);

		ck_assert_uint_le(n, room);
		ck_assert_int_lt(turns, 1 << 20);
		reader_feed(r, out, n);
	}
	ck_assert_uint_eq(size, 0);
}

START_TEST(what_is_coded_is_read_again_whatever_the_room)
{
	static const size_t rooms[] = { 7, 100, 4096 };
	static char text[300000];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)("{\"self\":12,"[i % 11] ^ (i * i % 97 == 0));
	for (size_t i = 0; i < ARRAY_SIZE(rooms); i++) {
		_cleanup_(coding_freep) struct coding *c = NULL;
		struct reader *r = reader_new();

		ck_assert_int_eq(coding_new(&c), 0);
		code(c, r, text, 100000, CODING_MORE, rooms[i]);
		code(c, r, text + 100000, 200000, CODING_LAST, rooms[i]);
		ck_assert(r->ended);
		ck_assert_uint_eq(r->size, sizeof(text));
		ck_assert_int_eq(memcmp(r->text, text, sizeof(text)), 0);
		reader_free(r);
	}
}
END_TEST

START_TEST(what_is_flushed_can_be_read_before_more_comes)
{
	_cleanup_(coding_freep) struct coding *c = NULL;
	struct reader *r = reader_new();

	ck_assert_int_eq(coding_new(&c), 0);
	code(c, r, "event: window\n\n", 15, CODING_FLUSH, 7);
	ck_assert_uint_eq(r->size, 15);
	code(c, r, "event: delta\n\n", 14, CODING_FLUSH, 4096);
	ck_assert_uint_eq(r->size, 29);
	ck_assert(!r->ended);
	code(c, r, "", 0, CODING_LAST, 7);
	ck_assert(r->ended);
	ck_assert_int_eq(memcmp(r->text, "event: window\n\nevent: delta\n\n", 29), 0);
	reader_free(r);
}
END_TEST

CHECK_MAIN("api/coding", gzip_is_taken_by_who_says_so,
	   what_is_coded_is_read_again_whatever_the_room,
	   what_is_flushed_can_be_read_before_more_comes);
