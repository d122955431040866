/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "examiner/wire.h"

START_TEST(values_come_back_in_their_order)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *text = NULL, *empty = NULL, *none = NULL;
	struct unpack u;
	uint16_t number = 517, back;

	pack_u32(&b, 7);
	pack_text(&b, "cafe; \n");
	pack_text(&b, "");
	pack_text(&b, NULL);
	pack_bytes(&b, &number, sizeof(number));
	u = (struct unpack){ .data = b.data, .size = b.size };
	ck_assert_uint_eq(unpack_u32(&u), 7);
	text = unpack_text(&u);
	empty = unpack_text(&u);
	none = unpack_text(&u);
	unpack_bytes(&u, &back, sizeof(back));
	ck_assert_str_eq(text, "cafe; \n");
	ck_assert_str_eq(empty, "");
	ck_assert_ptr_null(none);
	ck_assert_uint_eq(back, number);
	ck_assert_int_eq(u.error, 0);
	ck_assert_uint_eq(u.size, 0);
}
END_TEST

/* Every beginning of a message is refused, and nothing is read beyond it. */
START_TEST(a_message_that_is_cut_off_is_refused)
{
	_cleanup_buf_ struct buf b = {};

	pack_u32(&b, 1);
	pack_text(&b, "text");
	for (size_t size = 0; size < b.size; size++) {
		_cleanup_free_ char *copy = malloc(size + !size);
		struct unpack u = { .data = copy, .size = size };

		memcpy(copy, b.data, size);
		unpack_u32(&u);
		ck_assert_ptr_null(unpack_text(&u));
		ck_assert_int_eq(u.error, -EBADMSG);
		/* and so is all that follows */
		ck_assert_uint_eq(unpack_u32(&u), 0);
		ck_assert_ptr_null(unpack_take(&u, 0));
	}
}
END_TEST

CHECK_MAIN("examiner/wire", values_come_back_in_their_order, a_message_that_is_cut_off_is_refused);
