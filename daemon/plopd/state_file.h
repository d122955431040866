/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/buf.h"

/*
 * Small files in plopd's state directory, beside plop.db, which may be set aside. For a worker: a
 * disk may be slow; but for what is read once at the start.
 */
#define STATE_FILE_MAX (16u << 20)

/* Reads all of it into an empty buffer. -ENOENT: it was never written; -EFBIG; others. */
int state_file_read(const char *state_dir, const char *name, struct buf *b);
/* It is there whole afterwards, or as it was. */
int state_file_write(const char *state_dir, const char *name, const void *data, size_t size);
