/* SPDX-License-Identifier: BSD-2-Clause */
#include <jansson.h>

#include "check_main.h"
#include "plop/places.h"
#include "record/recording_json.h"
#include "record/recording_tally.h"
#include "target/shares.h"
#include "util/clock.h"

static struct shares shares;
static struct targets targets = { .shares = &shares };
static struct cycle cycle = { .clock_ns = clock_ns };
static struct recordings all = { .cycle = &cycle, .targets = &targets };

/* As many samples of a process as one slice of counting brings. */
static void count(struct recording *recording, uint64_t samples)
{
	const struct process_info info = process_info_of(1);
	struct profile *p = sink_profile(recording->sink);
	uint32_t n, frame, stack;

	ck_assert_int_eq(profile_process(p, &info, "3.11", &n), 0);
	ck_assert_int_eq(dict_synthetic(p->dict, "f", &frame), 0);
	ck_assert_int_eq(dict_stack(p->dict, &frame, 1, &stack), 0);
	ck_assert_int_eq(profile_add(p, n, 1, stack, samples), 0);
}

static uint64_t number(json_t *said, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(said, key));
}

/* What is said of it, and what its result has, while it runs. */
static void expect(const struct recording *recording, uint64_t samples, uint64_t ticks,
		   uint64_t lost)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_buf_ struct buf text = {};
	struct json_writer w = json_writer_on(&text);
	json_t *said;

	recording_put(&w, recording, NULL);
	said = json_loadb((const char *)text.data, text.size, 0, NULL);
	ck_assert_ptr_nonnull(said);
	ck_assert_uint_eq(number(said, "samples"), samples);
	ck_assert_uint_eq(number(said, "ticks"), ticks);
	ck_assert_uint_eq(number(said, "lost_total"), lost);
	json_decref(said);
	ck_assert_int_eq(recording_snapshot(recording, &p), 0);
	ck_assert_uint_eq(p->samples_total, samples);
	ck_assert_uint_eq(p->tally.ticks, ticks);
	ck_assert_uint_eq(p->tally.python + p->tally.other + tally_lost(&p->tally), ticks);
}

/* The stacks of a cycle are counted in slices, and who asks between two is told of one moment. */
START_TEST(samples_are_ticks_between_slices)
{
	static const uid_t users[] = { SHARES_NOBODY, 61001 };

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		struct plop_channel_counters counted[PLOP_MAX_CHANNELS] = {};
		struct recording recording = {
			.all = &all, .state = RECORDING_RUNNING, .user = users[i], .channel = 1
		};
		bool owned = users[i] != SHARES_NOBODY;
		/* who may not see all is told of no ticks of others */
		uint64_t other = owned ? 0 : 2;

		recording.whom.selectors.owned = owned;
		recording.whom.selectors.uid = users[i];
		ck_assert_int_eq(sink_new(1, 100, &recording.sink), 0);
		expect(&recording, 0, 0, 0);
		count(&recording, 3);
		expect(&recording, 3, 3, 0);
		count(&recording, 4);
		expect(&recording, 7, 7, 0);
		counted[PLOP_CHANNEL_PLACE(1)] = (struct plop_channel_counters){
			.ticks = 10, .python = 7, .other = 2, .lost[PLOP_LOST_FAULT] = 1
		};
		recording_tally(&recording, NULL, counted);
		expect(&recording, 7, 8 + other, 1);
		/* the next cycle */
		count(&recording, 5);
		expect(&recording, 12, 13 + other, 1);
		counted[PLOP_CHANNEL_PLACE(1)] =
			(struct plop_channel_counters){ .ticks = 5, .python = 5 };
		recording_tally(&recording, NULL, counted);
		expect(&recording, 12, 13 + other, 1);
		sink_free(recording.sink);
	}
	shares_done(&shares);
}
END_TEST

CHECK_MAIN("record/tally", samples_are_ticks_between_slices);
