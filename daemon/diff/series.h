/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * One function's share of the samples over the windows of one side of a comparison, in sums alone:
 * memory does not grow with the windows, and a window in which the function does not occur costs
 * nothing.
 *
 * What is repeated is the window (and the host), not the sample: samples of one window go with each
 * other, as all of them are of the same requests. So a share is a ratio of two sums, and how sure
 * it is goes by how it differs from window to window (Cochran, Sampling Techniques, 3rd ed.,
 * chapter 6). Windows that follow one another go with each other as well; by how much is measured
 * and widens what is said.
 */

/* How far apart in time windows are looked at together. */
#define SIDE_LAGS 2
/* The parts in time in which a difference has to show: see series_part(). */
#define SIDE_PARTS 3

struct side_window {
	double total; /* samples of all functions */
	uint32_t run; /* windows of one run follow one another; another host is another run */
	uint32_t part;
};

/* The windows of one side, run by run, each in order of time. */
struct side {
	struct side_window *windows; /* owned */
	uint32_t n, room;
	double sum, squares; /* of the totals: x, x * x */
	/* of windows one and two apart in their run: x * the later x, and how many there are */
	double lags[SIDE_LAGS];
	uint32_t pairs[SIDE_LAGS];
	double parts[SIDE_PARTS];
};

void side_done(struct side *s);
/* total: not negative. Windows without samples say nothing and are left out. -ENOMEM. */
int side_add(struct side *s, double total, uint32_t run);
/* Once all windows are there, and before any series is looked at. */
void side_close(struct side *s);

/* All zero is one without samples. */
struct series {
	double sum, squares; /* y, y * y */
	double cross;        /* y * x */
	/* of windows one and two apart: y * the later y, y * the later x + x * the later y */
	double lags[SIDE_LAGS], cross_lags[SIDE_LAGS];
	double last[SIDE_LAGS]; /* y of the last window that it was in, and of those before */
	uint32_t window;        /* the last window that it was in + 1; 0: none yet */
	double parts[SIDE_PARTS];
};

/*
 * Adds y samples in window number i of a closed side; in order of i, each at most once, and not
 * more than the window's total.
 */
void series_add(struct series *y, const struct side *s, uint32_t i, double samples);

/*
 * Of windows that are a run each, such as those that have all of one host: a closed side without
 * one of them, of so many samples, and a series over it without what it has of these; and the side
 * that this one is by itself. Their windows cannot be asked for.
 */
struct side side_without(const struct side *s, double total);
void series_take(struct series *y, double total, double samples);
struct side side_of_one(double total);
struct series series_of_one(double total, double samples);

struct fraction {
	double value;    /* 0 to 1 */
	double variance; /* of that value */
	double df;       /* degrees of freedom that the variance has */
};

/*
 * How windows go with those after them: their correlation, -1 to 1, with the next one and the one
 * behind that; 0 where it is not known. Of few windows it is a rough guess.
 */
struct neighbours {
	double r[SIDE_LAGS];
};
struct neighbours series_neighbours(const struct series *y, const struct side *s);

/*
 * The function's share and how sure it is. all: how windows go with each other over all functions
 * together. From lag to lag a correlation falls by the factor that all show; it begins with that of
 * all, or with the function's own if that is larger. So a function with few samples, whose own
 * correlation drowns in chance, does not look sure.
 * The variance is never less than what independent samples would have, so that windows which are
 * all equal by chance do not look sure. A function with no samples has the variance of one that had
 * one. Fewer than two windows: the variance is not known, and infinite. A side without samples has
 * a share of NaN.
 */
struct fraction series_fraction(const struct series *y, const struct side *s,
				const struct neighbours *all);

/* The variance of its share if the samples were independent. All samples and none as above. */
double series_chance(const struct series *y, const struct side *s);

/*
 * The variance of the share that one window more, of so many samples, would have if it were as
 * those of a side. How much windows differ is part chance, which is less in large ones, and part
 * not: it is taken for all of either, whichever makes more. Fewer than two windows: infinite.
 */
double series_spread(const struct series *y, const struct side *s, double total);

/* The function's share in one of SIDE_PARTS parts of the windows; NaN: that part has no samples. */
double series_part(const struct series *y, const struct side *s, uint32_t part);
