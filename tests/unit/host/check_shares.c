/* SPDX-License-Identifier: BSD-2-Clause */
#include <check.h>

#include "../store/dir.h"
#include "host/manager.h"
#include "host/window_shares.h"

#define ROOT 0
#define ONE  61001
#define TWO  61002

#define START  (1700000000 * NSEC_PER_SEC)
#define WINDOW (30 * NSEC_PER_SEC)

static struct manager m;

static struct process_info process(pid_t pid, uid_t uid)
{
	char *none = (char *)"";

	return (struct process_info){ .pid = pid,
				      .start_ticks = (uint64_t)pid,
				      .uid = uid,
				      .comm = none,
				      .exe = none,
				      .cmdline = none,
				      .cgroup = none,
				      .unit = none,
				      .container = none,
				      .service = none,
				      .version = none };
}

static void setup(void)
{
	m = (struct manager){};
	m.windows.manager = &m;
}

static void teardown(void)
{
	shares_done(&m.shares);
}

static json_int_t counted(uid_t user, const char *what)
{
	json_t *o = shares_json(&m.shares, user);
	json_int_t n = json_integer_value(json_object_get(o, what));

	ck_assert_uint_eq(json_object_size(o), SHARE_COUNTS);
	json_decref(o);
	return n;
}

START_TEST(a_user_sees_his_own)
{
	shares_count(&m.shares, ONE, SHARE_RATE_REFUSED, 3);
	shares_count(&m.shares, TWO, SHARE_RATE_REFUSED, 4);
	shares_count(&m.shares, TWO, SHARE_MEMORY_ENDED, 0);
	ck_assert_int_eq(counted(ONE, "rate_refused"), 3);
	ck_assert_int_eq(counted(TWO, "rate_refused"), 4);
	ck_assert_int_eq(counted(61003, "rate_refused"), 0);
	ck_assert_int_eq(counted(SHARES_NOBODY, "rate_refused"), 7);
	ck_assert(shares_is_trusted(&m.shares, 0) && !shares_is_trusted(&m.shares, ONE));
}
END_TEST

START_TEST(too_many_users_are_one)
{
	for (uid_t uid = 1; uid <= SHARES_USERS + 100; uid++)
		shares_count(&m.shares, uid, SHARE_RATE_LOST, 1);
	ck_assert_uint_le(HASH_COUNT(m.shares.users), SHARES_USERS + 1);
	ck_assert_int_eq(counted(SHARES_NOBODY, "rate_lost"), SHARES_USERS + 100);
	ck_assert_ptr_eq(shares_of(&m.shares, SHARES_USERS + 7),
			 shares_of(&m.shares, SHARES_NOBODY));
}
END_TEST

START_TEST(what_was_filled_comes_back)
{
	const uint64_t most = 16 << 20, kept = 1000 * NSEC_PER_SEC;
	struct share k = {};

	ck_assert(!shares_store_beyond(&k, START, most, kept));
	shares_store_add(&k, most / 4, START, most, kept);
	ck_assert(!shares_store_beyond(&k, START, most, kept));
	shares_store_add(&k, most / 40, START, most, kept);
	ck_assert(shares_store_beyond(&k, START, most, kept));
	/* a clock that goes back gives nothing, and takes nothing */
	ck_assert(shares_store_beyond(&k, START - kept, most, kept));
	/* a tenth of the share comes back in a tenth of the time */
	ck_assert(shares_store_beyond(&k, START + kept / 11, most, kept));
	ck_assert(!shares_store_beyond(&k, START + kept / 9, most, kept));
	ck_assert(!shares_store_beyond(&k, START + 10 * kept, most, kept));
	ck_assert(k.store_bytes <= 0);
}
END_TEST

/* A stack that no other number has. */
static uint32_t stack_of(struct profile *p, uint32_t number, uint32_t depth)
{
	uint32_t function, both[2], frames[128], id;

	ck_assert_int_eq(dict_function(p->dict, "f", "/x.py", 1, &function), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(dict_frame(p->dict, function, i + 1, &both[i]), 0);
	for (uint32_t i = 0; i < depth; i++)
		frames[i] = both[number >> i % 32 & 1];
	ck_assert_int_eq(dict_stack(p->dict, frames, depth, &id), 0);
	return id;
}

/* Window number n: root has one stack, ONE as many new ones as are said. */
static struct profile *window(uint32_t n, uint32_t stacks)
{
	struct process_info root = process(10, ROOT), one = process(11, ONE);
	struct profile *p;
	uint32_t r, o;

	ck_assert_int_eq(profile_new(START + n * WINDOW, 100, &p), 0);
	p->end_ns = p->start_ns + WINDOW;
	/* one that has no sample has no place in what is saved */
	ck_assert_int_eq(profile_process(p, &one, "3.13.0", &o), 0);
	ck_assert_int_eq(profile_process(p, &root, "3.13.0", &r), 0);
	ck_assert_int_eq(profile_add(p, r, 10, stack_of(p, 0, 3), 1000), 0);
	for (uint32_t i = 0; i < stacks; i++)
		ck_assert_int_eq(profile_add(p, o, 11, stack_of(p, n * stacks + i, 128), 2), 0);
	p->tally = (struct tally){ .ticks = p->samples_total, .python = p->samples_total };
	return p;
}

/* One user fills the store as fast as he can: nobody else's windows go for it, and every sample is counted. */
START_TEST(one_user_does_not_push_out_the_others)
{
	const uint64_t most = 4 << 20;
	_cleanup_(store_closep) struct store *store = NULL;
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_(profile_freep) struct profile *all = NULL;
	uint64_t samples = 0, beyond = 0;
	struct dir folder;

	dir_make(&folder);
	ck_assert_int_eq(store_open(folder.path, &store, NULL), 0);
	for (uint32_t n = 0; n < 40; n++) {
		struct window_save v = { .manager = &m,
					 .window = window(n, 500),
					 .retention_ns = 7 * 86400 * NSEC_PER_SEC,
					 .max_store = most,
					 .ended_ns = START + n * WINDOW };

		samples += v.window->samples_total;
		window_shares_begin(&v);
		v.result = window_shares_save(store, &v);
		ck_assert_int_eq(v.result, 0);
		window_shares_end(&v);
		store_keep(store, 0, most);
		ck_assert_int_eq(store_expire(store), 0);
		ck_assert_int_eq(store_facts(store, &m.windows.facts), 0);
		ck_assert_uint_lt(m.windows.facts.bytes, most);
		profile_free(v.window);
	}
	ck_assert_uint_eq(m.windows.facts.windows, 40);
	ck_assert_int_eq(store_reader_open(folder.path, &reader, NULL), 0);
	ck_assert_int_eq(store_profile(reader, 0, INT64_MAX, NULL, &all), 0);
	ck_assert_uint_eq(all->samples_total, samples);
	for (uint32_t i = 0; i < all->nsamples; i++) {
		const struct profile_sample *s = &all->samples[i];
		const struct dict_stack *k = dict_get_stack(all->dict, s->stack);
		const struct dict_frame *f = dict_get_frame(all->dict, k->frames[0]);

		if (!streq(dict_get_function(all->dict, f->function)->name, PROFILE_BEYOND))
			continue;
		ck_assert_uint_eq(all->processes[s->process].info.uid, ONE);
		ck_assert_uint_eq(k->depth, 1);
		beyond += s->count;
	}
	ck_assert_uint_gt(beyond, 0);
	ck_assert_int_eq(counted(ONE, "store_merged"), (json_int_t)beyond);
	ck_assert_int_eq(counted(ROOT, "store_merged"), 0);
	dir_done(&folder);
}
END_TEST

/* Different stacks of a target that has no code objects: by their depth, and by their root. */
static int add(struct target *k, uint32_t number)
{
	static const uint16_t roots[] = { 0,
					  PLOP_STACK_TRUNCATED,
					  PLOP_STACK_NO_THREAD,
					  PLOP_STACK_NO_INTERP,
					  PLOP_STACK_NO_FRAME,
					  PLOP_STACK_EXITING,
					  PLOP_STACK_FINALISED,
					  PLOP_STACK_DUMPING };
	static const struct plop_frame frames[PLOP_MAX_DEPTH];
	static struct code_object *codes[PLOP_MAX_DEPTH];
	static enum code_source sources[PLOP_MAX_DEPTH];
	struct plop_stack stack = { .tid = 5,
				    .count = 1,
				    .depth = (uint16_t)(1000 - number / ARRAY_SIZE(roots)),
				    .flags = roots[number % ARRAY_SIZE(roots)] };
	struct symbolized_stack s = {
		.stack = &stack, .frames = frames, .codes = codes, .sources = sources
	};

	return window_shares_add(&m.windows, k, &s);
}

START_TEST(new_stacks_of_one_user_are_bounded)
{
	struct target one = { .info = process(11, ONE), .user = ONE },
		      late = { .info = process(12, ONE), .user = ONE },
		      later = { .info = process(13, ONE), .user = ONE },
		      two = { .info = process(21, TWO), .user = TWO },
		      root = { .info = process(31, ROOT), .user = ROOT };
	const struct profile *p;
	uint32_t at;

	ck_assert_int_eq(sink_new(START, 100, &m.windows.running), 0);
	p = sink_profile(m.windows.running);
	for (uint32_t i = 0; i < 4000; i++)
		ck_assert_int_eq(add(&one, i), 0);
	ck_assert_uint_lt(profile_bytes(p), SHARES_WINDOW_BYTES + SHARES_WINDOW_BYTES / 4);
	ck_assert_uint_eq(p->samples_total, 4000);
	ck_assert_int_gt(counted(ONE, "window_merged"), 0);
	/* what it has had before is counted as it is */
	ck_assert_int_eq(add(&one, 0), 0);
	ck_assert_int_eq(counted(ONE, "window_merged"), 4001 - (json_int_t)(p->nsamples - 1) - 1);
	/* processes that come now are one */
	ck_assert(!profile_has_process(p, &late.info, &at));
	ck_assert_int_eq(add(&late, 0), 0);
	ck_assert_int_eq(add(&later, 1), 0);
	ck_assert(!profile_has_process(p, &late.info, &at));
	ck_assert_uint_eq(p->nprocesses, 2);
	ck_assert_int_eq(p->processes[1].info.pid, 0);
	ck_assert_uint_eq(p->processes[1].info.uid, ONE);
	ck_assert_uint_eq(p->processes[1].samples, 2);
	/* others are not concerned, and root has no bound */
	ck_assert_int_eq(add(&two, 4001), 0);
	for (uint32_t i = 0; i < 7000; i++)
		ck_assert_int_eq(add(&root, i), 0);
	ck_assert_int_eq(counted(TWO, "window_merged") + counted(ROOT, "window_merged"), 0);
	ck_assert_uint_eq(p->samples_total, 4000 + 1 + 2 + 1 + 7000);
	sink_free(m.windows.running);
	/* the next window begins anew */
	at = (uint32_t)counted(ONE, "window_merged");
	ck_assert_int_eq(sink_new(START + WINDOW, 100, &m.windows.running), 0);
	ck_assert_int_eq(add(&one, 5000), 0);
	ck_assert_int_eq(counted(ONE, "window_merged"), at);
	sink_free(m.windows.running);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("host/shares");
	TCase *t = tcase_create("shares");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_user_sees_his_own);
	tcase_add_test(t, too_many_users_are_one);
	tcase_add_test(t, what_was_filled_comes_back);
	tcase_add_test(t, one_user_does_not_push_out_the_others);
	tcase_add_test(t, new_stacks_of_one_user_are_bounded);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
