/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/buf.h"

/*
 * Appends text to a query as a string of SQL: unhex('...'), of which nothing is text but digits. So
 * nothing that somebody named or asked for is ever SQL, whatever a version of ClickHouse takes for
 * a quote or an escape.
 */
void clickhouse_literal(struct buf *sql, const char *text);
