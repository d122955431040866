/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "ctl/ctl.h"
#include "http/url.h"

/* What plopctl fleet takes; each of its commands looks at what is for it. */
struct fleet_options {
	struct ctl *ctl;
	const char **words; /* behind fleet; owned by ctl_fleet(), the words are argv's */
	size_t nwords;
	bool json;
	/* of join */
	const char *user, *password_file;
	bool init_store, replace;
	/* of record; NULL: the default */
	const char *duration, *hosts, *in, *wait, *format, *group_by, *output;
};

/*
 * What the plop-gateway of this host says of its shipping: plopd knows where it is, and vouches for
 * who asks. -ENOENT: it is not running; others: it does not answer, and *ret_why says why, owned by
 * the caller. *ret_exit: plopd does not answer so, of which it has complained, and the result is
 * -ECANCELED.
 */
int fleet_ask_here(const struct fleet_options *o, struct buf *to, char **ret_why, int *ret_exit);

/* plopctl fleet join, and record. An exit status. */
int fleet_join(const struct fleet_options *o);
int fleet_record(const struct fleet_options *o);
