/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "clickhouse/client.h"

/* The tables of the fleet's store; schema.sql says what is in them. */
#define CLICKHOUSE_SCHEMA_VERSION 1

/*
 * Makes what is not there, and changes nothing of what is. On a cluster on all of its nodes that
 * are asked, one after the other: call it for each. Errors as of clickhouse_ask().
 */
int clickhouse_schema_make(struct clickhouse *c, struct clickhouse_trouble *ret_why);
/* 0: it is there and of this version. -ENOENT: it is not, or it is of a newer plop. */
int clickhouse_schema_check(struct clickhouse *c, struct clickhouse_trouble *ret_why);
