/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <argp.h>
#include <stddef.h>

#include "util/suggest.h"

/*
 * argp_parse(), which says of a long option that there is not which one may have been meant, and
 * exits as argp_parse() does.
 */
void ctl_parse(const char *command, const struct argp *argp, unsigned int flags, int argc,
	       char *argv[], void *input);
