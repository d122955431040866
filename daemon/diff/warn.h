/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "diff/compare.h"
#include "diff/windows.h"

/*
 * What may mislead who compares two sides: sentences, each owned by the caller. Returns how many
 * there are, or -ENOMEM, with which there are none.
 */
#define WARNINGS_MAX 8
int warn_of_sides(const struct diff_windows *const windows[SIDES], char *ret[WARNINGS_MAX]);
