/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/* Where a store is, out of http[s]://HOST[:PORT][/DATABASE][?cluster=NAME]. */
struct clickhouse_url {
	char *base;     /* "http://host:8123/"; owned, as all */
	char *place;    /* "host:8123" */
	char *database; /* a name of letters, digits and _ that begins with no digit */
	char *cluster;  /* likewise, or "" */
};
/* -EINVAL: *ret_error says why, static; -ENOMEM. Pure. */
int clickhouse_url_parse(const char *text, struct clickhouse_url *ret, const char **ret_error);
void clickhouse_url_done(struct clickhouse_url *u);
