/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sys/types.h>

#include "store/db.h"
#include "store/store.h"

struct store_reader {
	char *path;
	sqlite3 *db;
	bool immutable;
	/* What was opened: another file may have taken its place. */
	dev_t dev;
	ino_t ino;
	const uint64_t *passed_over; /* starts of windows */
	size_t npassed_over;
	size_t limit; /* of memory for an answer; 0: none */
};

bool reader_passes_over(const struct store_reader *r, uint64_t start_ns);

/* All between sees one state of the database. End it whatever begin returned, statements finalized. */
int reader_begin(struct store_reader *r);
void reader_end(struct store_reader *r);
