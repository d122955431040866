/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <check.h>
#include <jansson.h>

#include "store/store.h"

/* The windows that a reader lists, and what is said of one that is not stored. */
static inline json_t *windows_listed(struct store_reader *reader, unsigned int max,
				     const struct selectors *s)
{
	_cleanup_buf_ struct buf elements = {}, b = {};
	json_t *list;

	ck_assert_int_eq(store_windows(reader, 0, UINT64_MAX, max, s, &elements), 0);
	buf_printf(&b, "[%.*s]", (int)elements.size, elements.data);
	list = json_loadb(b.data, b.size, 0, NULL);
	ck_assert_ptr_nonnull(list);
	return list;
}

static inline json_t *window_put(const struct profile *p, const struct selectors *s)
{
	_cleanup_buf_ struct buf b = {};
	json_t *o;

	ck_assert_int_eq(store_window_put(p, s, &b), 0);
	o = json_loadb(b.data, b.size, 0, NULL);
	ck_assert_ptr_nonnull(o);
	return o;
}
