/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/store.h"

/*
 * Copies plop.db as it was at one moment into the file at path, which is there and empty, by
 * SQLite's online backup (sqlite.org/c3ref/backup_finish.html), page by page: the copy is a plop.db
 * of its own, without a WAL. plopd goes on saving meanwhile, and does not wait: all that is done
 * here is reading, and in WAL mode no writer waits for that. stop() (may be NULL) is asked between
 * two steps of BACKUP_PAGES; where it says so the call ends with -ECANCELED.
 *
 * ret: what the copy has. -EAGAIN: plopd began to write while the file was read as one that nobody
 * writes; -ENOSPC and others: what was written so far is of no use. It is not synced.
 */
#define BACKUP_PAGES 256
int store_backup(struct store_reader *reader, const char *path, bool (*stop)(void),
		 struct store_facts *ret);
