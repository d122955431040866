/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/buf.h"

/*
 * Rows in ClickHouse's format RowBinary: the columns of a row one after the other, without names or
 * types. Numbers are little-endian, DateTime is a UInt32 of seconds, Date a UInt16 of days since
 * 1970; a string has its length before it, an array the number of its elements, both in LEB128.
 * LowCardinality is written as what it is of. 18.16 and 26.9 read and write it alike.
 */
void rows_put_u8(struct buf *b, uint8_t v);
void rows_put_u16(struct buf *b, uint16_t v);
void rows_put_u32(struct buf *b, uint32_t v);
void rows_put_u64(struct buf *b, uint64_t v);
void rows_put_f64(struct buf *b, double v);
void rows_put_string(struct buf *b, const char *s);
/* The elements follow. */
void rows_put_array(struct buf *b, size_t n);

/*
 * Reads them. What is not there or is not of that form is 0 or "", and makes the reader bad for
 * good: ask rows_bad() before what was read is used.
 */
struct rows_reader {
	const uint8_t *at, *end; /* borrowed */
	bool bad;
};
struct rows_reader rows_of(const struct buf *b);
/* Whether there is another row to read. */
bool rows_more(const struct rows_reader *r);
bool rows_bad(const struct rows_reader *r);
uint8_t rows_u8(struct rows_reader *r);
uint16_t rows_u16(struct rows_reader *r);
uint32_t rows_u32(struct rows_reader *r);
uint64_t rows_u64(struct rows_reader *r);
double rows_f64(struct rows_reader *r);
/* Owned by the caller; a NUL in it, and what is behind, is lost. NULL: bad, or out of memory. */
char *rows_string(struct rows_reader *r);
/* Borrowed, without a NUL behind it. */
const char *rows_text(struct rows_reader *r, size_t *ret_size);
/* How many elements follow: no more than there are bytes left. */
size_t rows_array(struct rows_reader *r);
