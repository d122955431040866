/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A counter of a service, in Prometheus' text: a line for each set of labels, "NAME{LABELS} VALUE",
 * and maybe a time behind it (prometheus.io, "Exposition formats", text format 0.0.4).
 */
struct counter {
	char name[128]; /* as the text has it */
	double value;   /* of all labels */
	double start;   /* process_start_time_seconds, since 1970; 0: the text does not say */
};
#define COUNTER_WHY 320 /* bytes of why it failed */

/*
 * wanted is the whole name of a counter, or how it ends, without "_total": requests for
 * http_requests_total. -EINVAL: there is none, or several of different names end so, or its value
 * is no number of 0 or more; why says which. Pure.
 */
int counter_find(const char *text, const char *wanted, struct counter *ret,
		 char why[static COUNTER_WHY]);
