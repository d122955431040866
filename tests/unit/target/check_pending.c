/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "target/pending.h"
#include "target/plain.h"
#include "util/clock.h"

#define FILE_A 1234567
#define FILE_B (FILE_A + PLAIN_PROGRAMS)

/* Numbers of users that leave room for a process id. */
#define ROOT 0
#define ONE  1
#define TWO  2

static struct target_key key_of(uint32_t n)
{
	return (struct target_key){ .image = 1000 + n, .tgid = n };
}

START_TEST(each_has_its_time)
{
	struct pendings all = {};

	ck_assert_uint_eq(pendings_next(&all), 0);
	for (uint32_t n = 1; n <= 3; n++)
		pendings_get(&all, &(struct target_key){ .tgid = n })->due_ns = 100 - n;
	/* it is being looked at */
	pendings_get(&all, &(struct target_key){ .tgid = 3 })->due_ns = 0;
	ck_assert_uint_eq(pendings_next(&all), 98);
	pendings_drop(&all, &(struct target_key){ .tgid = 2 });
	ck_assert_uint_eq(pendings_next(&all), 99);
	/* of another program of that pid nothing is known */
	ck_assert_ptr_null(pendings_find(&all, &(struct target_key){ .tgid = 1, .image = 1 }));
	pendings_done(&all);
	ck_assert_uint_eq(pendings_next(&all), 0);
}
END_TEST

START_TEST(it_waits_ever_longer)
{
	struct pending p = {};
	uint64_t before = 0;

	for (int i = 0; i < 10; i++) {
		pending_wait_longer(&p);
		ck_assert_uint_gt(p.wait_ns, before);
		before = p.wait_ns;
	}
	for (int i = 0; i < 100; i++)
		pending_wait_longer(&p);
	ck_assert_uint_eq(p.wait_ns, 2 * NSEC_PER_SEC);
}
END_TEST

START_TEST(there_is_an_end_of_room)
{
	struct pendings all = {};
	struct target_key key;

	for (uint32_t n = 0; n < PENDING_MAX; n++) {
		key = key_of(n);
		ck_assert(pendings_may_be_plain(&all) == (n < PENDING_MAX / 2));
		ck_assert_ptr_nonnull(pendings_get(&all, &key));
	}
	key = key_of(PENDING_MAX);
	ck_assert_ptr_null(pendings_get(&all, &key));
	key = key_of(0);
	ck_assert_ptr_nonnull(pendings_get(&all, &key));
	pendings_done(&all);
}
END_TEST

static unsigned int asked;

/* Whose a process is stands in its number; ROOT's have no bound. */
static bool user_of(pid_t pid, uid_t *ret, void *ctx)
{
	asked++;
	*ret = (uid_t)pid >> 16;
	return *ret != ROOT;
}

/* How many of so many a user got. */
static uint32_t fill(struct pendings *all, uid_t user, uint32_t n)
{
	uint32_t got = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct target_key key = key_of((uint32_t)user << 16 | i);

		got += pendings_get(all, &key) != NULL;
	}
	return got;
}

/* Of those that are left one user gets half, the next half of the rest. */
#define ONES (PENDING_FREE + (PENDING_MAX - PENDING_FREE) / 2)
#define TWOS ((PENDING_MAX - ONES) / 2)

START_TEST(one_user_leaves_places_to_the_others)
{
	struct pendings all = { .user_of = user_of };
	struct target_key key;

	asked = 0;
	ck_assert_uint_eq(fill(&all, ONE, PENDING_FREE), PENDING_FREE);
	/* as long as there is much room it is not looked for whose they are */
	ck_assert_uint_eq(asked, 0);
	ck_assert_uint_eq(fill(&all, ONE, 2 * PENDING_MAX), ONES);
	ck_assert_uint_eq(fill(&all, TWO, PENDING_MAX), TWOS);
	ck_assert_uint_eq(HASH_COUNT(all.users), 2);
	/* a place that is left is the user's again */
	key = key_of(ONE << 16 | PENDING_FREE);
	pendings_drop(&all, &key);
	key = key_of(TWO << 16);
	pendings_drop(&all, &key);
	ck_assert_ptr_nonnull(pendings_get(&all, &key));
	/* the trusted have all that is left */
	ck_assert_uint_eq(fill(&all, ROOT, PENDING_MAX), PENDING_MAX - (ONES - 1) - TWOS);
	for (uint32_t i = 0; i < TWOS; i++) {
		key = key_of(TWO << 16 | i);
		pendings_drop(&all, &key);
	}
	ck_assert_uint_eq(HASH_COUNT(all.users), 1);
	pendings_done(&all);
	ck_assert_ptr_null(all.users);
}
END_TEST

START_TEST(a_plain_program_is_known_for_a_while)
{
	static struct plain_programs p;

	ck_assert(!plain_has(&p, FILE_A, 1));
	plain_add(&p, FILE_A, 1);
	ck_assert(plain_has(&p, FILE_A, 10 * NSEC_PER_SEC));
	ck_assert(!plain_has(&p, FILE_A, 10 * NSEC_PER_SEC + 1));
	/* one that has no number is never known */
	plain_add(&p, 0, 1);
	ck_assert(!plain_has(&p, 0, 1));
}
END_TEST

START_TEST(one_that_becomes_python_is_none)
{
	static struct plain_programs p;

	plain_add(&p, FILE_A, 1);
	plain_never(&p, FILE_A, 2);
	ck_assert(!plain_has(&p, FILE_A, 2));
	plain_add(&p, FILE_A, 3);
	ck_assert(!plain_has(&p, FILE_A, 3));
	/* nor does another take its place */
	plain_add(&p, FILE_B, 3);
	ck_assert(!plain_has(&p, FILE_B, 3));
	plain_add(&p, FILE_A, 3601 * NSEC_PER_SEC);
	ck_assert(plain_has(&p, FILE_A, 3601 * NSEC_PER_SEC));
}
END_TEST

/* When it is looked at first goes by what former looks found: one in ten finds nothing yet. */
START_TEST(the_first_look_comes_when_the_interpreter_is_there)
{
	static struct plain_programs p;
	const uint64_t there_ns = 3 * NSEC_PER_MSEC;
	unsigned int early = 0;

	ck_assert_uint_eq(plain_wait(&p, FILE_A, 1), 0);
	plain_add(&p, FILE_A, 1);
	plain_looked(&p, FILE_A, false);
	ck_assert_uint_eq(plain_wait(&p, FILE_A, 1), 0);
	plain_never(&p, FILE_A, 1);
	ck_assert_uint_gt(plain_wait(&p, FILE_A, 1), 0);
	for (int i = 0; i < 1200; i++) {
		uint64_t wait = plain_wait(&p, FILE_A, 1);
		bool found = wait >= there_ns;

		early += i >= 200 && !found;
		if (i >= 200)
			ck_assert(wait > there_ns / 2 && wait < there_ns * 3 / 2);
		/* what it found is known before that */
		if (found)
			plain_never(&p, FILE_A, 1);
		plain_looked(&p, FILE_A, found);
	}
	ck_assert(early > 50 && early < 200);
	/* of whatever never has one, or had it at once, the wait has an end */
	for (int i = 0; i < 1000; i++)
		plain_looked(&p, FILE_A, false);
	ck_assert_uint_eq(plain_wait(&p, FILE_A, 1), 8 * NSEC_PER_MSEC);
	for (int i = 0; i < 1000; i++)
		plain_looked(&p, FILE_A, true);
	ck_assert_uint_eq(plain_wait(&p, FILE_A, 1), NSEC_PER_MSEC / 4);
	ck_assert_uint_eq(plain_wait(&p, FILE_B, 1), 0);
	plain_looked(&p, FILE_B, false);
	ck_assert_uint_eq(plain_wait(&p, FILE_A, 1), NSEC_PER_MSEC / 4);
	ck_assert_uint_eq(plain_wait(&p, FILE_A, 3601 * NSEC_PER_SEC), 0);
}
END_TEST

START_TEST(another_takes_the_place)
{
	static struct plain_programs p;

	plain_add(&p, FILE_A, 1);
	ck_assert(plain_has(&p, FILE_A, 1) && !plain_has(&p, FILE_B, 1));
	plain_add(&p, FILE_B, 1);
	ck_assert(!plain_has(&p, FILE_A, 1) && plain_has(&p, FILE_B, 1));
}
END_TEST

CHECK_MAIN("target/pending", each_has_its_time, it_waits_ever_longer, there_is_an_end_of_room,
	   one_user_leaves_places_to_the_others, a_plain_program_is_known_for_a_while,
	   one_that_becomes_python_is_none, the_first_look_comes_when_the_interpreter_is_there,
	   another_takes_the_place);
