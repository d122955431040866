/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

/*
 * Where browsers find plop-gateway, which may be behind a proxy that has TLS and gives it a part of
 * its paths: "https://ops.example/plop". What the proxy passes on may or may not have the prefix.
 */
struct place {
	char origin[320]; /* "https://ops.example" */
	char prefix[256]; /* "/plop"; "": it has all paths */
	bool https;
};

/*
 * url: as http_server_parse() writes it. -EINVAL: its path is more than letters, digits, and
 * "/._~-", or has a ".."; -ENAMETOOLONG. Pure.
 */
int place_parse(const char *url, struct place *ret);
/* The host and port of an origin. */
const char *place_host(const struct place *p);
/*
 * What is left of a path without the prefix, within it; "" of the prefix itself, which wants a "/"
 * behind it. A path without the prefix is as it is.
 */
const char *place_path(const struct place *p, const char *path);
