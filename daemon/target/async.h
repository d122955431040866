/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "target/targets.h"

/*
 * Has the kernel told where a process keeps its asyncio tasks, unless it is told, or was looked at
 * a moment ago. Returns whether it could ever have any that plop knows of; target.async_asked: it
 * is not told yet.
 */
bool target_async(struct targets *t, struct target *k, uint64_t now_ns);
