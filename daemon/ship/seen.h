/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Which stacks and processes the store has of a day: what was sent is not sent again. It forgets
 * all of them when the day is another one or they are more than SEEN_MOST: then some are sent
 * twice, which does no harm.
 */
#define SEEN_MOST (1u << 15)
struct seen {
	uint32_t day, n;
	uint64_t ids[2 * SEEN_MOST]; /* by hash; 0: free */
};

void seen_day(struct seen *s, uint32_t day);
void seen_forget(struct seen *s);
bool seen_has(const struct seen *s, uint64_t id);
void seen_add(struct seen *s, uint64_t id);
