/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "record/recording_shares.h"
#include "target/shares.h"

#define ONE 61001
#define TWO 61002

static struct shares shares;
static struct targets targets = { .shares = &shares };
static const struct config config = { .user_rate = 100 };
static struct recordings all;

static void setup(void)
{
	all = (struct recordings){ .targets = &targets, .config = &config };
}

static void teardown(void)
{
	recordings_done(&all);
	ck_assert_ptr_null(all.dropped);
	shares_done(&shares);
	shares = (struct shares){};
}

/* A result of a user that is kept, of about so many bytes. */
static struct recording *kept(uid_t user, size_t bytes)
{
	static char text[64 << 10];
	struct process_info info = process_info_of(1);
	struct recording *recording = calloc(1, sizeof(*recording)), **place = all.items;
	static uint64_t number;
	uint32_t at;

	info.cmdline = text;
	ck_assert_ptr_nonnull(recording);
	*recording = (struct recording){
		.all = &all, .state = RECORDING_DONE, .user = user, .keep_until = ++number
	};
	ck_assert_int_eq(sink_new(1, 100, &recording->sink), 0);
	memset(text, 'x', sizeof(text) - 1);
	for (; recording_bytes(recording) < bytes; info.start_ticks++)
		ck_assert_int_eq(profile_process(sink_profile(recording->sink), &info, "3.11", &at),
				 0);
	while (*place)
		place++;
	ck_assert(place < all.items + ARRAY_SIZE(all.items));
	*place = recording;
	return recording;
}

/* What a worker reads is held by whoever had it recorded, until the last one gives it back. */
START_TEST(one_that_is_lent_counts)
{
	struct recording *one = kept(ONE, 1 << 20), *more = kept(ONE, 1 << 20),
			 *roots = kept(SHARES_NOBODY, 1 << 20);
	size_t bytes = recording_bytes(one), of_more = recording_bytes(more),
	       of_root = recording_bytes(roots);

	ck_assert_uint_eq(recordings_bytes(&all, ONE), bytes + of_more);
	for (int i = 0; i < 2; i++)
		ck_assert_ptr_nonnull(recording_lend(one));
	ck_assert_ptr_nonnull(recording_lend(more));
	ck_assert_ptr_nonnull(recording_lend(roots));
	recording_drop(one);
	recording_drop(more);
	recording_drop(roots);
	ck_assert_ptr_null(recordings_find(&all, ""));
	ck_assert_uint_eq(recordings_bytes(&all, ONE), bytes + of_more);
	ck_assert_uint_eq(recordings_bytes(&all, TWO), 0);
	ck_assert_uint_eq(recordings_bytes(&all, SHARES_NOBODY), of_root);
	ck_assert_uint_eq(recordings_all_bytes(&all), bytes + of_more + of_root);
	recording_give_back(one);
	ck_assert_uint_eq(recordings_bytes(&all, ONE), bytes + of_more);
	recording_give_back(one);
	ck_assert_uint_eq(recordings_bytes(&all, ONE), of_more);
	recording_give_back(roots);
	recording_give_back(more);
	ck_assert_uint_eq(recordings_all_bytes(&all), 0);
}
END_TEST

/* Whoever fetches and drops results, again and again, gets no more memory by it than others do. */
START_TEST(lent_memory_is_no_room)
{
	struct recording *read = kept(ONE, SHARES_USER_BYTES / 2),
			 *gone = kept(ONE, SHARES_USER_BYTES / 2);

	ck_assert_ptr_nonnull(recording_lend(read));
	ck_assert_ptr_nonnull(recording_lend(gone));
	recording_drop(gone);
	ck_assert_int_eq(recordings_admit(&all, ONE, 1), -ENOSPC);
	/* it would not have made room */
	ck_assert_ptr_eq(all.items[0], read);
	ck_assert_int_eq(recordings_admit(&all, TWO, 1), 0);
	ck_assert_int_eq(recordings_admit(&all, SHARES_NOBODY, 1), 0);
	recording_give_back(gone);
	ck_assert_int_eq(recordings_admit(&all, ONE, 1), 0);
	/* nor do all users together */
	kept(TWO, SHARES_USERS_BYTES);
	gone = all.items[1];
	ck_assert_ptr_nonnull(recording_lend(gone));
	ck_assert_int_eq(recordings_admit(&all, TWO, 1), -ENOSPC);
	ck_assert_ptr_eq(all.items[1], gone);
	recording_give_back(gone);
	ck_assert_int_eq(recordings_admit(&all, TWO, 1), 0);
	ck_assert_ptr_null(all.items[1]);
	recording_give_back(read);
}
END_TEST

/* Where there is no place the oldest goes, whoever reads it. */
START_TEST(a_lent_one_makes_a_place)
{
	struct recording *oldest = kept(ONE, 0);

	for (int i = 1; i < RECORDINGS_USERS_KEPT; i++)
		kept(ONE, 0);
	ck_assert_ptr_nonnull(recording_lend(oldest));
	ck_assert_int_eq(recordings_admit(&all, TWO, 1), -EBUSY);
	ck_assert_int_eq(recordings_admit(&all, ONE, 1), 0);
	ck_assert_ptr_null(all.items[0]);
	ck_assert_ptr_eq(all.dropped, oldest);
	ck_assert_ptr_nonnull(all.items[1]);
	recording_give_back(oldest);
}
END_TEST

/* That of others, and of the trusted, is apart. */
START_TEST(places_and_rates)
{
	for (int i = 0; i < RECORDINGS_USERS_MAX; i++) {
		ck_assert_int_eq(recordings_admit(&all, ONE, 1), 0);
		kept(TWO, 0)->state = RECORDING_STOPPING;
	}
	ck_assert_int_eq(recordings_admit(&all, ONE, 1), -EBUSY);
	ck_assert_int_eq(recordings_admit(&all, SHARES_NOBODY, 1), 0);
	for (int i = 0; i < RECORDINGS_USERS_MAX; i++)
		all.items[i]->state = RECORDING_DONE;
	ck_assert_int_eq(recordings_admit(&all, ONE, 100), 0);
	ck_assert_int_eq(recordings_admit(&all, ONE, 101), -EDQUOT);
	ck_assert_int_eq(recordings_admit(&all, SHARES_NOBODY, 101), 0);
}
END_TEST

CHECK_MAIN_WITH("record/shares", setup, teardown, one_that_is_lent_counts, lent_memory_is_no_room,
		a_lent_one_makes_a_place, places_and_rates);
