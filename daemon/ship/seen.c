/* SPDX-License-Identifier: BSD-2-Clause */
#include "ship/seen.h"

#include <string.h>

#include "util/macro.h"

/* Ids are hashes already. 0, which stands for a free place, is never had. */
static uint32_t place_of(const struct seen *s, uint64_t id)
{
	uint32_t mask = ARRAY_SIZE(s->ids) - 1, at = (uint32_t)id & mask;

	while (s->ids[at] && s->ids[at] != id)
		at = (at + 1) & mask;
	return at;
}

void seen_forget(struct seen *s)
{
	if (s->n)
		memset(s->ids, 0, sizeof(s->ids));
	s->n = 0;
}

void seen_day(struct seen *s, uint32_t day)
{
	if (s->day != day)
		seen_forget(s);
	s->day = day;
}

bool seen_has(const struct seen *s, uint64_t id)
{
	return id && s->ids[place_of(s, id)] == id;
}

void seen_add(struct seen *s, uint64_t id)
{
	if (!id || seen_has(s, id))
		return;
	if (s->n == SEEN_MOST)
		seen_forget(s);
	s->ids[place_of(s, id)] = id;
	s->n++;
}
