/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/memos.h"
#include "window/windows.h"

/* r: as of store_put_memo(). */
typedef void (*windows_memo_fn)(int r, void *ctx);
/*
 * Has a memo saved, by the thread that saves windows, and calls done() on the loop then. Takes the
 * text. -EAGAIN: too much waits for that thread; -ENOMEM.
 */
int windows_save_memo(struct windows *w, enum store_memo which, struct buf *text,
		      windows_memo_fn done, void *ctx);
