/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/buf.h"

/*
 * Files in plopd's state directory in which an older plopd kept what is in plop.db now: each is
 * taken over once, and removed then.
 */
#define STATE_FILE_MAX (16u << 20)

/* Reads all of it into an empty buffer. -ENOENT: it is not there; -EFBIG; others. */
int state_file_read(const char *state_dir, const char *name, struct buf *b);
/* It was taken over; complains if it cannot be removed. */
void state_file_remove(const char *state_dir, const char *name);
