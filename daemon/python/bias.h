/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "python/elf.h"

/* One mapping of a file, of those that /proc/PID/maps lists. */
struct mapping {
	uint64_t start, end, offset;
	bool write, exec;
};

/* Loads of one file in one process that are looked at. */
#define BIAS_MAX 4

/*
 * The differences between addresses in the process and in the file by which its mappings can be
 * explained, the likeliest first; returns how many of them, at most max. One that a writable
 * mapping of a writable segment has counts more than any number of others: that is where the
 * interpreter's variables are, while pages of the text may lie at any number of places (libffi's
 * static trampolines, huge pages). segments: those of the file, of any type.
 */
size_t bias_find(const struct elf_segment *segments, size_t nsegments, const struct mapping *maps,
		 size_t nmaps, uint64_t *ret, size_t max);
