/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "window/windows.h"

/*
 * What users and processes may take of the running window and of the store (shares.h); for
 * windows.c. All but the second on the loop thread.
 */

/*
 * Before a window is handed to the saver: whose its processes are, and which have filled their
 * share of the store.
 */
void window_shares_begin(struct window_save *v);
/* Saves it, on the saver's thread; as store_save(). */
int window_shares_save(struct store *s, struct window_save *v);
/* It was saved, or was not. */
void window_shares_end(struct window_save *v);

/*
 * Counts a stack in the running window: as it is, or without it where its user or process has no
 * room left for one more. -ENOMEM.
 */
int window_shares_add(struct windows *w, struct target *k, const struct symbolized_stack *s);
