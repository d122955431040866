/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "diff/compare.h"
#include "diff/windows.h"

/*
 * Which hosts do not run as the others of their service do. Each window is what one host had in all
 * of the time (diff_windows.apart), and is held against the others as a side of a comparison is
 * against another (compare.h). What chance makes of one host is how much the others differ from
 * each other, and OUTLIERS_ALONE times what it makes of independent samples at least.
 */
#define OUTLIERS_ALONE 2.0
/* With fewer hosts nothing is said; and nothing of a host with fewer samples. */
#define OUTLIERS_HOSTS_LEAST   8
#define OUTLIERS_SAMPLES_LEAST 300
/* What differs by less is left out: of the time, and of the function's own share. */
#define OUTLIERS_SHARE    0.005
#define OUTLIERS_RELATIVE 0.25

/* One function of a host, which is the new side. */
struct outlier {
	uint32_t window, function; /* of the windows' dict: one of those that are it */
	struct compared compared;  /* verdict: slower, faster, new or gone; caller: nobody */
};
struct outliers {
	struct outlier *items; /* owned; by window, and those of one by how much they differ */
	uint32_t n, room;
};

/* By how much it differs at least, at 95 %. */
double outlier_least(const struct outlier *o);

/*
 * among: hosts that are looked at for one answer, these included. That one of them is called though
 * all are alike happens in one answer out of twenty at most. Closed windows. -ENOMEM.
 */
int outliers_find(const struct diff_windows *w, uint32_t among, struct outliers *ret);
void outliers_done(struct outliers *o);
