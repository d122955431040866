/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/*
 * Whether CLOCK_MONOTONIC, and the timers by it, are the kernel's: what is sampled has the kernel's
 * times, and plopd compares its own with them. A library that is preloaded may tell programs
 * another time (libfaketime): a timer of its may then never fire, or not be made at all. 0;
 * -ENOTUNIQ: they are not; or an errno of timerfd_create(2).
 */
int true_clock_check(void);
