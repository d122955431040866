/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"

/*
 * Reads a profile that somebody wrote, plop or another: pprof (gzipped or not) or collapsed stacks,
 * told by the content. Times and processes are not read: all samples are of one process.
 */
struct decoded {
	struct profile *profile;
	/* its samples are of the time that passed, not of the time on a CPU, as far as is said */
	bool wall;
	/* counts are of something else than samples, whose size is not said */
	bool weights;
};
#define DECODE_BYTES  (256u << 20) /* of a file, and of what it unpacks to */
#define DECODE_MEMORY (512u << 20) /* of a profile */
#define DECODE_DEPTH  4096         /* frames of a stack, the innermost; others are left out */

/* -EBADMSG: neither of these, or broken: why has a sentence; -E2BIG; -ENOMEM. Pure. */
#define DECODE_WHY_MAX 128
int profile_decode(const char *data, size_t size, struct decoded *ret, char why[DECODE_WHY_MAX]);

/* The two, into a profile with one process, 0; for profile_decode() and fuzzers. */
int collapsed_decode(const char *data, size_t size, struct decoded *to, char why[DECODE_WHY_MAX]);
int pprof_decode(const uint8_t *data, size_t size, struct decoded *to, char why[DECODE_WHY_MAX]);
