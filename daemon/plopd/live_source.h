/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "config/config.h"
#include "query/store_source.h"
#include "window/windows.h"

/*
 * The windows of plop.db and those in plopd's memory, the running one among them, as they were when
 * one question began: each counts once, even if it is saved meanwhile.
 */
struct live_source {
	struct store_source store; /* first */
	struct windows *windows;   /* borrowed */
	uint32_t hz;               /* of an answer in which nothing was sampled */
	struct windows_held held;
	struct store_file file; /* that was read: whose damage it is, should it be damaged */
};

/* windows and config have to outlive the question. */
void live_source_init(struct live_source *s, struct windows *windows, const struct config *config);
