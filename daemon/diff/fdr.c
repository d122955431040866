/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/fdr.h"

#include <math.h>

#include "util/macro.h"

static int by_value(const void *pa, const void *pb)
{
	double a = **(double *const *)pa, b = **(double *const *)pb;

	return (a > b) - (a < b);
}

int fdr_adjust(double *p, size_t n)
{
	_cleanup_free_ double **order = calloc(n + 1, sizeof(*order));
	double least = 1;
	size_t m = 0;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (!isnan(p[i]))
			order[m++] = &p[i];
	}
	qsort(order, m, sizeof(*order), by_value);
	for (size_t rank = m; rank > 0; rank--) {
		least = MIN(least, *order[rank - 1] * (double)m / (double)rank);
		*order[rank - 1] = least;
	}
	return 0;
}
