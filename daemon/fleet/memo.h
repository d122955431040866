/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/buf.h"

/* Comparisons that were made, for those who ask again soon. All zero is none. */
struct fleet_memo {
	/* Elements of JSON arrays: functions, the comparison, or why there is none; owned */
	struct buf functions, comparison, other;
	char *key;         /* owned */
	uint64_t until_ns; /* CLOCK_MONOTONIC: it is made anew then */
};
#define FLEET_MEMOS 64
struct fleet_memos {
	struct fleet_memo items[FLEET_MEMOS];
	unsigned int n;
};

void fleet_memo_done(struct fleet_memo *m);
/* Puts elements behind those that are there. */
void fleet_memo_append(struct buf *to, const struct buf *elements);
void fleet_memos_done(struct fleet_memos *memos);
/* NULL: there is none, or it is too old. */
const struct fleet_memo *fleet_memos_find(const struct fleet_memos *memos, const char *key,
					  uint64_t now_ns);
/* Takes both over; of too many the one that is the first to be old goes. */
int fleet_memos_keep(struct fleet_memos *memos, char **key, struct fleet_memo *m);
