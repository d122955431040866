/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Student's t distribution with df > 0 degrees of freedom, which need not be a whole number. More
 * than STUDENT_DF_MOST are taken for so many: it is the normal distribution by then.
 */
#define STUDENT_DF_MOST 1e5

/* How likely a value as far from 0 as t, or farther, is on either side. 1 where t or df is NaN. */
double student_two_sided(double t, double df);

/* The t that a value stays within, on both sides, with a probability of 0 < inside < 1. */
double student_within(double inside, double df);
