/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <argp.h>

#include "ctl/ctl.h"
#include "store/store.h"

/* What commands take that read plop.db themselves: --state-dir, and one FILE. */
struct stored_options {
	struct ctl *ctl;
	const char *state_dir, *file;
};
/* An argp parser of these; its input begins with them. */
error_t stored_on_option(int key, char *value, struct argp_state *state);

/*
 * Where plop.db is: what --state-dir said (NULL: nothing), else what plopd says, else what the
 * configuration does, as plopd is not there. plopd tells root and group plop only, who may read the
 * file as well: so whoever is refused by one is by the other. ret: owned by the caller. An exit
 * status; it has complained.
 */
int ctl_state_dir(struct ctl *ctl, const char *what, const char *option, char **ret);
/* Complains that plop.db cannot be read: r and error as of store_reader_open(). An exit status. */
int ctl_store_complain(const char *what, int r, const char *error);
