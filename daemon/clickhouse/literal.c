/* SPDX-License-Identifier: BSD-2-Clause */
#include "clickhouse/literal.h"

void clickhouse_literal(struct buf *sql, const char *text)
{
	buf_puts(sql, "unhex('");
	for (; *text; text++)
		buf_printf(sql, "%02x", (unsigned char)*text);
	buf_puts(sql, "')");
}
