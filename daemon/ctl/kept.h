/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "ctl/ctl.h"

/* Recordings that plopd keeps, as people say which: by id, or by name. */

/* GET /v1/recordings with that query ("" or "?name=x"). An exit status; it has complained. */
int ctl_kept_list(const struct ctl *ctl, const char *command, const char *query, json_t **ret);
/*
 * The one of that id in a list; else the newest of that name, which several may have: how many.
 * NULL: it has complained that there is none, and what is near.
 */
const json_t *ctl_kept_find(const json_t *list, const char *command, const char *which,
			    unsigned int *ret_of_name);
/* The path of it, owned by the caller; NULL: it has complained. */
char *ctl_kept_path(const json_t *recording, const char *command);
/* Fetches what it recorded, as pprof. An exit status; it has complained. */
int ctl_kept_fetch(const struct ctl *ctl, const char *command, const char *which, struct buf *to);
