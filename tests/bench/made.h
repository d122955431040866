/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"

/* Windows as plopd saves them, out of stacks that were recorded or made up; the same each time. */
#define MADE_START  (UINT64_C(1790000000) * NSEC_PER_SEC)
#define MADE_LENGTH (30 * NSEC_PER_SEC)

/* Prints and exits if r is an error. */
void must(int r, const char *what);
/* Stacks as a program has them: few entry points, many leaves. To be freed. */
struct profile *made_stacks(void);
/*
 * The window of that number, of so many samples, each of a stack of "from"; three in ten of them in
 * a variation that was not recorded: on one of so many other lines, or cut off somewhere, as code
 * that runs is seen again and again in another place. To be freed.
 */
struct profile *made_window(const struct profile *from, unsigned int number, unsigned int stacks,
			    unsigned int lines);
