/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"

/*
 * Puts made windows (made.h), of so many samples each, behind those of a plop.db of schema version
 * 1, as the plop that wrote it did, until it has that many bytes. Most of these are of stacks that
 * are new in each window. Nobody may have it open. Returns how many windows.
 */
unsigned int version1_grow(const char *dir, const struct profile *from, uint64_t bytes,
			   unsigned int stacks);
