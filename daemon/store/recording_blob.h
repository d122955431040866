/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "util/buf.h"

/*
 * A recording as plop.db has it, all in one blob, which needs no other row: its numbers, a
 * dictionary of its own, what it counted, and the time off CPU, as windows have these
 * (dictionary.h); and the names of threads. All that a profile has but its labels, which are
 * beside it (recordings.h). Pure.
 */

/* Bytes of a blob, and of memory that its profile may have taken. */
#define RECORDING_BLOB_MAX   (8u << 20)
#define RECORDING_MEMORY_MAX (24u << 20)

/*
 * Replaces what is in to. seed: one that no target knows. -E2BIG: it is more than
 * RECORDING_MEMORY_MAX or RECORDING_BLOB_MAX; -ENOMEM.
 */
int recording_pack(const struct profile *p, int64_t seed, struct buf *to);
/* -EBADMSG: it is none; -E2BIG: it takes several times RECORDING_MEMORY_MAX; -ENOMEM. */
int recording_unpack(const void *data, size_t size, struct profile **ret);
