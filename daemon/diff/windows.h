/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "diff/pairs.h"
#include "profile/profile.h"
#include "profile/sums.h"

/*
 * The windows of one side of a comparison, counted by function: in how many samples each was
 * innermost, and in how many anywhere. Functions are the same whatever their first line is.
 *
 * There are at most DIFF_WINDOWS of them. Of more, each two that follow one another become one. It
 * costs little of what they say, as neighbours say much the same, and bounds the memory by the
 * number of functions.
 */
#define DIFF_WINDOWS 480
/* Of more counts than that there are fewer windows, but half of DIFF_WINDOWS_FEW at least. */
#define DIFF_COUNTS      120000
#define DIFF_WINDOWS_FEW 32

struct diff_count {
	uint32_t window, function;
	float self, total; /* exact up to 16 million samples */
};

/* Who has the samples: a service, or, of processes without one, what the kernel calls them. */
struct diff_part {
	uint32_t name; /* text of dict */
	double samples;
};
#define DIFF_PARTS 256 /* more are not kept apart */

struct diff_windows {
	struct dict *dict; /* the functions, without lines; owned */
	/* by window, the last of which may have a function twice; owned */
	struct diff_count *counts;
	double *totals; /* samples of each window; owned */
	uint32_t ncounts, n;
	uint32_t seen;              /* windows that had samples, also those that are one now */
	double samples, seconds;    /* of all of these */
	uint64_t longest_ns;        /* of all of these */
	uint64_t from_ns, to_ns;    /* begin of the first and end of the last; 0: there is none */
	uint32_t hz_least, hz_most; /* 0: not known */
	bool off_cpu;               /* some have time off CPU, and weigh microseconds */
	/* Set by who adds windows: they count time that passes; or weights, not samples. */
	bool wall, weights;
	/* Likewise: a file or a recording, of which no windows are known. */
	bool whole;
	/* Likewise: each is all that one host has, and stays by itself: more are -E2BIG. */
	bool apart;
	uint32_t hosts;          /* likewise: windows are so many hosts; 0: they are of time */
	struct diff_part *parts; /* owned */
	uint32_t nparts;
	/* After diff_windows_close(): of caller and callee; of function and rename_line() */
	struct pairs calls, lines;
	struct diff_adding *adding; /* private */
};

int diff_windows_new(struct diff_windows **ret);
void diff_windows_free(struct diff_windows *w);
DEFINE_FREEP(struct diff_windows, diff_windows_free)
size_t diff_windows_bytes(const struct diff_windows *w); /* memory held */

/*
 * Adds a window, which is later than those before; one without samples says nothing and is left
 * out. Numbers in its dict and of its processes are those of the one before, unless all was closed
 * meanwhile. -ENOMEM: throw all away.
 */
int diff_windows_add(struct diff_windows *w, const struct profile *window);
/*
 * The same of what was added up by function already; of is what that has to be done by. -ENOMEM.
 */
int diff_windows_add_sums(struct diff_windows *w, const struct sums *s);
struct sums_of diff_windows_sums(struct diff_windows *w);
/*
 * While the last window is still there: from now on numbers may be others, or nothing more is
 * added. -ENOMEM.
 */
int diff_windows_close(struct diff_windows *w);
