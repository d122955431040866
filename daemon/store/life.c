/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/life.h"

#include "util/macro.h"

/* Sums of numbers out of a file that nobody vouches for: they end at the edges. */
static int64_t plus(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b > 0 ? INT64_MAX : INT64_MIN;
	return sum;
}

static int64_t minus(int64_t a, int64_t b)
{
	return plus(a, b == INT64_MIN ? INT64_MAX : -b);
}

static int64_t bounded(uint64_t ns)
{
	return (int64_t)MIN(ns, (uint64_t)INT64_MAX);
}

struct life life_after(const struct life *l, int64_t id, uint64_t start_ns, uint64_t end_ns,
		       int64_t stepped_ns, int64_t confirm_ns)
{
	int64_t start = bounded(start_ns), end = bounded(end_ns), passed = MAX(end - start, 0), gap;
	struct life n = *l;

	n.any = true;
	n.first = false;
	n.counts = 0;
	n.end_ns = end;
	if (!l->any) {
		n.now = end;
		return n;
	}
	gap = minus(minus(start, l->end_ns), stepped_ns);
	if (l->first)
		n.pending = plus(n.pending, gap);
	else
		passed = plus(passed, MAX(gap, 0));
	if (!l->first && n.pending)
		n.pending = plus(n.pending, stepped_ns);
	if (!l->pending)
		n.from = id;
	if (l->first || stepped_ns)
		n.steady = 0;
	n.steady = plus(n.steady, passed);
	if (n.pending && n.steady >= confirm_ns) {
		n.counts = MAX(n.pending, 0);
		n.pending = 0;
	}
	n.now = plus(plus(n.now, passed), n.counts);
	return n;
}
