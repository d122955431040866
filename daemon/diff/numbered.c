/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/numbered.h"

#include <math.h>

int numbered_each(const struct diff_windows *w, const uint32_t *numbers, uint32_t n,
		  numbered_fn each, void *ctx)
{
	_cleanup_free_ double *self = calloc((size_t)n + 1, sizeof(*self));
	_cleanup_free_ double *total = calloc((size_t)n + 1, sizeof(*total));

	if (!self || !total)
		return -ENOMEM;
	for (uint32_t i = 0, end; i < w->ncounts; i = end) {
		uint32_t window = w->counts[i].window;

		for (end = i; end < w->ncounts && w->counts[end].window == window; end++) {
			uint32_t k = numbers[w->counts[end].function];

			self[k] += w->counts[end].self;
			total[k] += w->counts[end].total;
		}
		for (uint32_t at = i; at < end; at++) {
			uint32_t k = numbers[w->counts[at].function];

			if (!(total[k] > 0))
				continue;
			/* what two functions that are one have both called is not there twice */
			each(window, k, self[k], fmin(total[k], w->totals[window]), ctx);
			self[k] = total[k] = 0;
		}
	}
	return 0;
}

int numbered_calls(const struct diff_windows *w, const uint32_t *numbers, struct pairs *calls)
{
	int r = 0;

	for (uint32_t i = 0; i < w->calls.n && r == 0; i++) {
		uint32_t caller = numbers[w->calls.pairs[i].a];
		uint32_t callee = numbers[w->calls.pairs[i].b];

		if (caller != callee)
			r = pairs_add(calls, caller, callee, w->calls.pairs[i].samples);
	}
	return r;
}

int numbered_callers(const struct pairs *calls, uint32_t n, uint32_t *callers)
{
	_cleanup_free_ double *most = calloc((size_t)n + 1, sizeof(*most));

	if (!most)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		callers[i] = UINT32_MAX;
	for (uint32_t i = 0; i < calls->n; i++) {
		const struct pair *c = &calls->pairs[i];

		if (c->samples > most[c->b]) {
			most[c->b] = c->samples;
			callers[c->b] = c->a;
		}
	}
	return 0;
}
