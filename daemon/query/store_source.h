/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "query/source.h"

/* The windows in STATE_DIR/plop.db, opened anew for each question: plopd comes and goes. */
struct store_source {
	struct source source;  /* first */
	const char *state_dir; /* borrowed */
};

/* Its read(). -ENOENT: nothing was saved yet; else as store_reader_open() and what reads. */
int store_source_read(struct source *s, struct question *k);
