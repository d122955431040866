/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "clickhouse/client.h"

/* The tables of the fleet's store; schema.c says what is in them. */
#define CLICKHOUSE_SCHEMA_VERSION 2

/*
 * Makes what is not there, of tables of an older plop as well, and changes nothing of what is. On a
 * cluster for the node that is asked alone: call it for each. Errors as of clickhouse_ask().
 */
int clickhouse_schema_make(struct clickhouse *c, struct clickhouse_trouble *ret_why);
/*
 * 0: it is there and of this version; *ret_seed: what ids are hashed with. -ENOENT: it is not, or
 * of another.
 */
int clickhouse_schema_check(struct clickhouse *c, uint64_t *ret_seed,
			    struct clickhouse_trouble *ret_why);
