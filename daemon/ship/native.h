/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/buf.h"

/*
 * Rows by column, in ClickHouse's format Native, as 18.16 and 26.9 read it alike: the names and
 * types of columns, and of each all values one after the other. Texts of which there are few go as
 * the dictionary of LowCardinality: each once, and numbers in their place. So a stack is a hundred
 * bytes where it is some thousand as RowBinary, for both who compress and who insert. Pure.
 */
enum native_kind {
	NATIVE_U8,
	NATIVE_U16, /* Date, too */
	NATIVE_U32, /* DateTime, too */
	NATIVE_U64, /* Int64 and Float64, too */
	NATIVE_STRING,
	NATIVE_TEXT, /* LowCardinality(String) */
};
struct native_column {
	const char *name, *type; /* of ClickHouse; of an array what it is of */
	enum native_kind kind;
	bool array;
};
struct native_table {
	const char *name;
	const struct native_column *columns;
	size_t n;
};
#define NATIVE_COLUMNS_MOST 32

/* "TABLE (COLUMN, COLUMN)". */
void native_into(const struct native_table *t, struct buf *to);
/* rows: RowBinary of these columns. -EBADMSG: they are not; -ENOMEM. */
int native_of(const struct native_table *t, const struct buf *rows, struct buf *to);
