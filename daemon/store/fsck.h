/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Sentences about one file; further faults are counted only. */
#define FSCK_TOLD_MOST 50

struct fsck {
	/* One sentence, without a stop. fault: something is wrong; else it is worth knowing. */
	void (*tell)(void *ctx, bool fault, const char *sentence);
	void *ctx;
	/* what there is */
	uint64_t windows, rollups, recordings, faults;
};

/*
 * Looks through a plop.db, whatever it is called, and writes nothing; plopd may have it, and does
 * not wait. Whether SQLite finds the file whole; whether all windows and roll-ups can be read, with
 * the hashes of what they are of; whether each has the sum that its head says; whether a roll-up
 * has the sums of what it is of, as long as that is there, and no window is in two of a tier;
 * whether recordings can be read, with their hashes; and what nothing refers to. f->faults says how
 * much is wrong.
 *
 * -ENOENT: there is no file, or nothing in it; -EPROTO: it is of a newer plop; -EBADMSG: it is no
 * database of plop, or is damaged where that is said; and others: it could not be looked at.
 */
int store_fsck(const char *path, struct fsck *f);
