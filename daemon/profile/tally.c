/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/tally.h"

const char *tally_lost_name(unsigned int cause)
{
	static const char *const names[PLOP_LOST_CAUSES] = {
		[PLOP_LOST_FAULT] = "fault",
		[PLOP_LOST_STACKS_FULL] = "stacks_full",
		[PLOP_LOST_FRAMES_FULL] = "frames_full",
		[PLOP_LOST_UNSUPPORTED] = "unsupported",
		[PLOP_LOST_CORRUPT] = "corrupt",
		[PLOP_LOST_DRAIN] = "drain",
		[PLOP_LOST_THREADS] = "threads",
		[PLOP_LOST_RATE] = "rate",
	};

	return cause < ARRAY_SIZE(names) ? names[cause] : "unknown";
}

void tally_add(struct tally *to, const struct tally *from)
{
	to->ticks += from->ticks;
	to->python += from->python;
	to->other += from->other;
	to->truncated += from->truncated;
	for (unsigned int i = 0; i < PLOP_LOST_CAUSES; i++)
		to->lost[i] += from->lost[i];
}

uint64_t tally_lost(const struct tally *t)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < PLOP_LOST_CAUSES; i++)
		sum += t->lost[i];
	return sum;
}

void tally_put_lost(struct json_writer *w, const char *key, const struct tally *t)
{
	json_put_object(w, key);
	for (unsigned int i = 0; i < PLOP_LOST_CAUSES; i++)
		json_put_uint(w, tally_lost_name(i), t->lost[i]);
	json_put_end(w);
}

void tally_put(struct json_writer *w, const char *key, const struct tally *t)
{
	json_put_object(w, key);
	json_put_uint(w, "ticks", t->ticks);
	json_put_uint(w, "python", t->python);
	json_put_uint(w, "other", t->other);
	json_put_uint(w, "truncated", t->truncated);
	tally_put_lost(w, "lost", t);
	json_put_end(w);
}
