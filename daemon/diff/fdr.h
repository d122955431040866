/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/*
 * Makes of n probabilities, each that of one comparison, what they are when it is the share of
 * false ones among those called that is held down (Benjamini and Hochberg 1995): calling all of
 * 0.05 and below, at most one in twenty is false. NaN is none, stays what it is, and does not count
 * for the others. -ENOMEM.
 */
int fdr_adjust(double *p, size_t n);
