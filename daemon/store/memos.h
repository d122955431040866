/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/store.h"

/*
 * Memos: texts that plopd keeps beside windows, so that plop.db, and a backup of it, has all that
 * plopd knows. Each is written as a whole, in place of what it was. They outlive the file: what was
 * written or read last is put into one that takes its place.
 */
enum store_memo {
	MEMO_MARKS,       /* versions that were set by hand */
	MEMO_REGRESSIONS, /* what was found to be slower */
	MEMO_TOKENS,      /* of plopctl token, hashed */
};
#define STORE_MEMOS (MEMO_TOKENS + 1)
#define MEMO_MAX    (16u << 20) /* bytes of one */

/*
 * -EFBIG: it is too large. -ENOSPC and others as store_save(): it is not in the file yet, and is
 * written when that can be done again.
 */
int store_put_memo(struct store *s, enum store_memo which, const char *text, size_t size);
/* Appends it. -ENOENT: there is none; -EBADMSG: it is damaged. */
int store_read_memo(struct store_reader *reader, enum store_memo which, struct buf *to);
