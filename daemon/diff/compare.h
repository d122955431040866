/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "diff/series.h"

/*
 * Which functions cost more, or less, on the new side than on the base side.
 *
 * A share of the time goes up when all else goes down. So shares are first held against how most
 * functions changed (the scale), and only what differs from that counts. A cost that only moved, to
 * a helper or from one, is told by the caller, whose whole cost stays. See compare_sides().
 */
enum verdict {
	VERDICT_SAME = 0, /* no change as large as asked for, and that is sure */
	VERDICT_SLOWER,
	VERDICT_FASTER,
	VERDICT_UNCLEAR, /* a change may be there, and may not */
	VERDICT_NEW,     /* not on the base side */
	VERDICT_GONE,    /* not on the new side */
	VERDICT_MOVED,   /* its change is made up for by those that it calls, or that call it */
};
#define VERDICTS (VERDICT_MOVED + 1)

/* "same", "slower" ...: the words of the API. Static string. */
const char *verdict_name(enum verdict v);

enum {
	BASE_SIDE = 0,
	NEW_SIDE = 1,
	SIDES = 2,
};

#define COMPARED_NO_CALLER UINT32_MAX

struct compared {
	/* Given, of both sides: samples in which it was innermost, and in which it was anywhere. */
	struct series self[SIDES], total[SIDES];
	/* Given: the one of the functions that called it in most of its samples, of both sides. */
	uint32_t caller;

	/* Told, as fractions of the time. */
	double base_self, new_self, base_total, new_total;
	double delta, low, high; /* new_self - base_self, and where that lies at 95 % */
	/*
	 * The same held against the scale: how much of the base side's time it costs more. It is
	 * this by which it is judged.
	 */
	double rise, rise_low, rise_high;
	double relative; /* rise / base_self; infinite where that is 0 and rise not */
	double q;        /* the share of false ones, were all called that are as sure as this */
	enum verdict verdict;
};

/* What makes a difference one. */
struct compare_options {
	double least_share;    /* of the time: the least rise, as 0.001 */
	double least_relative; /* of the function's own share: the least change, as 0.05 */
	/*
	 * Of a side of one window, how much its shares vary, as a multiple of the variance of
	 * independent samples; 0: it is not known, and nothing is sure.
	 */
	double alone;
	/*
	 * Such a side is one out of those of the other side: it varies as these do, and by no less
	 * than by alone.
	 */
	bool one_of_others;
	uint32_t among;     /* comparisons that are made at once, this included; 0: it is one */
	double false_share; /* of those called slower or faster that may be false, as 0.05 */
};
extern const struct compare_options compare_defaults;
/* For such sides: more than twice what windows of a busy web service were seen to vary, 1.6. */
#define DIFF_ALONE 4.0

struct comparison {
	/*
	 * New shares of functions that did not change are this times their base shares: less than 1
	 * where something else became slower. 1 where there are too few functions to tell.
	 */
	double scale;
	double scale_variance; /* of log(scale) */
	uint32_t scale_functions;
	/* How much neighbouring windows go with each other, over all functions. */
	struct neighbours neighbours[SIDES];
	uint32_t windows[SIDES];
	double alone; /* this, and the next, as they were asked for */
	bool one_of_others;
};

/*
 * Compares n functions over two closed sides. Of shares that are not there (a side without
 * samples) all verdicts are unclear. -ENOMEM.
 */
int compare_sides(const struct side sides[SIDES], struct compared *functions, uint32_t n,
		  const struct compare_options *o, struct comparison *ret);
