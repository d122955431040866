/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "store/idmap.h"
#include "store/packed.h"

START_TEST(numbers_come_back)
{
	static const uint64_t plain[] = { 0, 1, 127, 128, 300, UINT32_MAX, INT64_MAX, UINT64_MAX };
	static const int64_t with_sign[] = { 0, -1, 1, -64, 64, INT32_MIN, INT64_MAX, INT64_MIN };
	_cleanup_buf_ struct buf b = {};
	struct packed p;
	uint64_t u;
	int64_t s;

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		packed_put(&b, plain[i]);
	for (size_t i = 0; i < ARRAY_SIZE(with_sign); i++)
		packed_put_signed(&b, with_sign[i]);
	p = (struct packed){ (uint8_t *)b.data, (uint8_t *)b.data + b.size };
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		ck_assert_int_eq(packed_get(&p, &u), 0);
		ck_assert_uint_eq(u, plain[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(with_sign); i++) {
		ck_assert_int_eq(packed_get_signed(&p, &s), 0);
		ck_assert_int_eq(s, with_sign[i]);
	}
	ck_assert_ptr_eq(p.at, p.end);
	ck_assert_int_eq(packed_get(&p, &u), -EBADMSG);
}
END_TEST

START_TEST(small_numbers_are_one_byte)
{
	_cleanup_buf_ struct buf b = {};

	packed_put(&b, 127);
	packed_put_signed(&b, -64);
	ck_assert_uint_eq(b.size, 2);
}
END_TEST

START_TEST(broken_numbers_are_refused)
{
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {
		{ "\x80", 1 },
		{ "\xff\xff", 2 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10 },
		{ "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11 },
	};
	uint64_t v = 77;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct packed p = { (const uint8_t *)cases[i].bytes,
				    (const uint8_t *)cases[i].bytes + cases[i].size };

		ck_assert_int_eq(packed_get(&p, &v), -EBADMSG);
		ck_assert_uint_eq(v, 77);
	}
}
END_TEST

START_TEST(idmap_finds_what_was_put)
{
	_cleanup_(idmap_done) struct idmap m = {};
	uint32_t v = 5;

	ck_assert(!idmap_get(&m, 0, &v));
	for (uint64_t i = 0; i < 5000; i++)
		ck_assert_int_eq(idmap_put(&m, i * UINT64_C(0x100000001), (uint32_t)i), 0);
	for (uint64_t i = 0; i < 5000; i++) {
		ck_assert(idmap_get(&m, i * UINT64_C(0x100000001), &v));
		ck_assert_uint_eq(v, i);
	}
	ck_assert(!idmap_get(&m, 7, &v));
}
END_TEST

CHECK_MAIN("store/packed", numbers_come_back, small_numbers_are_one_byte,
	   broken_numbers_are_refused, idmap_finds_what_was_put);
