/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"

/*
 * The route for method and path. -ENOENT: no route has this path; -EOPNOTSUPP: one has, but not
 * with this method, and allow then names those it has ("GET, HEAD, DELETE"). A last component "*"
 * takes one non-empty component. Pure.
 */
int route_find(const struct api_route *routes, size_t n, const char *method, const char *path,
	       const struct api_route **ret, char *allow, size_t allow_size);

/*
 * Decodes a request target: the path into *ret_path, the query's key=value pairs into parameters[],
 * both within storage, which must hold strlen(target) + 1 bytes and outlive them. -EINVAL: a
 * malformed escape, a control character, invalid UTF-8; -E2BIG: more than API_MAX_PARAMETERS. Pure.
 */
int target_decode(const char *target, char *storage, const char **ret_path,
		  struct query_parameter *parameters, size_t *ret_n);
