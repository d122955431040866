/* SPDX-License-Identifier: BSD-2-Clause */
#include <jansson.h>

#include "../store/dir.h"
#include "../store/noise.h"
#include "check_main.h"
#include "target/shares.h"
#include "target/targets.h"
#include "window/window_shares.h"

#define ROOT 0
#define ONE  61001
#define TWO  61002

#define START  (1700000000 * NSEC_PER_SEC)
#define WINDOW (30 * NSEC_PER_SEC)

static struct shares shares;
static struct windows windows;

static struct process_info process(pid_t pid, uid_t uid)
{
	struct process_info info = process_info_of(pid);

	info.start_ticks = (uint64_t)pid;
	info.uid = uid;
	return info;
}

static void setup(void)
{
	shares = (struct shares){};
	windows = (struct windows){ .shares = &shares };
}

static void teardown(void)
{
	shares_done(&shares);
}

static json_int_t counted(uid_t user, const char *what)
{
	_cleanup_buf_ struct buf b = {};
	struct json_writer w = json_writer_on(&b);
	json_int_t n;
	json_t *o;

	shares_put(&w, NULL, &shares, user);
	ck_assert_int_eq(json_writer_done(&w), 0);
	o = json_loadb(b.data, b.size, 0, NULL);
	n = json_integer_value(json_object_get(o, what));
	ck_assert_uint_eq(json_object_size(o), SHARE_COUNTS);
	json_decref(o);
	return n;
}

START_TEST(a_user_sees_his_own)
{
	shares_count(&shares, ONE, SHARE_RATE_REFUSED, 3);
	shares_count(&shares, TWO, SHARE_RATE_REFUSED, 4);
	shares_count(&shares, TWO, SHARE_MEMORY_ENDED, 0);
	ck_assert_int_eq(counted(ONE, "rate_refused"), 3);
	ck_assert_int_eq(counted(TWO, "rate_refused"), 4);
	ck_assert_int_eq(counted(61003, "rate_refused"), 0);
	ck_assert_int_eq(counted(SHARES_NOBODY, "rate_refused"), 7);
	ck_assert(shares_is_trusted(&shares, 0) && !shares_is_trusted(&shares, ONE));
}
END_TEST

START_TEST(what_plopd_itself_runs_has_no_bound)
{
	uid_t user = ONE;

	shares.self = geteuid();
	ck_assert(!shares_bound_process(getpid(), &user, &shares));
	ck_assert_uint_eq(user, ONE);
	/* one that is not there is nobody's, who has a bound */
	ck_assert(shares_bound_process(0, &user, &shares));
	ck_assert_uint_eq(user, SHARES_NOBODY);
}
END_TEST

START_TEST(too_many_users_are_one)
{
	for (uid_t uid = 1; uid <= SHARES_USERS + 100; uid++)
		shares_count(&shares, uid, SHARE_RATE_LOST, 1);
	ck_assert_uint_le(HASH_COUNT(shares.users), SHARES_USERS + 1);
	ck_assert_int_eq(counted(SHARES_NOBODY, "rate_lost"), SHARES_USERS + 100);
	ck_assert_ptr_eq(shares_of(&shares, SHARES_USERS + 7), shares_of(&shares, SHARES_NOBODY));
}
END_TEST

static const struct share_bounds *at(uint64_t now_ns, uint64_t most, uint64_t kept)
{
	static struct share_bounds b;

	b = (struct share_bounds){ .now_ns = now_ns, .max_store = most, .retention_ns = kept };
	return &b;
}

START_TEST(what_was_filled_comes_back)
{
	const uint64_t most = 16 << 20, kept = 1000 * NSEC_PER_SEC;
	struct share k = {};

	ck_assert(!shares_store_beyond(&k, at(START, most, kept)));
	shares_store_add(&k, most / 4, at(START, most, kept));
	ck_assert(!shares_store_beyond(&k, at(START, most, kept)));
	shares_store_add(&k, most / 40, at(START, most, kept));
	ck_assert(shares_store_beyond(&k, at(START, most, kept)));
	/* a clock that goes back gives nothing, and takes nothing */
	ck_assert(shares_store_beyond(&k, at(START - kept, most, kept)));
	/* a tenth of the share comes back in a tenth of the time */
	ck_assert(shares_store_beyond(&k, at(START + kept / 11, most, kept)));
	ck_assert(!shares_store_beyond(&k, at(START + kept / 9, most, kept)));
	ck_assert(!shares_store_beyond(&k, at(START + 10 * kept, most, kept)));
	ck_assert(k.store.bytes <= 0);
}
END_TEST

START_TEST(what_a_process_filled_comes_back)
{
	const uint64_t most = 16 << 20, kept = 1000 * NSEC_PER_SEC;
	const struct process_info one = process(11, ROOT), two = process(12, ROOT);
	struct process_info later = one;

	later.start_ticks++;
	shares_process_add(&shares, &one, most / 8, at(START, most, kept));
	ck_assert(!shares_process_beyond(&shares, &one, at(START, most, kept)));
	shares_process_add(&shares, &one, most / 80, at(START, most, kept));
	ck_assert(shares_process_beyond(&shares, &one, at(START, most, kept)));
	/* another process of the same user, or of the same pid */
	ck_assert(!shares_process_beyond(&shares, &two, at(START, most, kept)));
	ck_assert(!shares_process_beyond(&shares, &later, at(START, most, kept)));
	ck_assert(!shares_process_beyond(&shares, &one, at(START + kept / 9, most, kept)));
}
END_TEST

/*
 * Many processes come and go: those that have filled little are forgotten, not the one that has
 * filled much.
 */
START_TEST(processes_that_are_known_are_bounded)
{
	const uint64_t most = 16 << 20, kept = 1000 * NSEC_PER_SEC;
	const struct process_info one = process(1, ROOT);

	shares_process_add(&shares, &one, most / 4, at(START, most, kept));
	for (pid_t pid = 2; pid < 3 * SHARES_PROCESSES; pid++) {
		const struct process_info info = process(pid, ROOT);

		shares_process_add(&shares, &info, 100, at(START, most, kept));
		ck_assert_uint_le(HASH_COUNT(shares.processes), SHARES_PROCESSES);
	}
	ck_assert(shares_process_beyond(&shares, &one, at(START, most, kept)));
}
END_TEST

/* A stack that no other number has; a deep one ends in a function that cannot be packed well. */
static uint32_t stack_of(struct profile *p, uint32_t number, uint32_t depth)
{
	uint32_t function, both[2], frames[128], id;
	char name[401];

	ck_assert_int_eq(dict_python(p->dict, "f", "/x.py", 1, &function), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(dict_frame(p->dict, function, i + 1, &both[i]), 0);
	for (uint32_t i = 0; i < depth; i++)
		frames[i] = both[number >> i % 32 & 1];
	if (depth == ARRAY_SIZE(frames)) {
		noise_put(name, sizeof(name) - 1);
		ck_assert_int_eq(dict_python(p->dict, name, "/x.py", 1, &function), 0);
		ck_assert_int_eq(dict_frame(p->dict, function, 1, &frames[depth - 1]), 0);
	}
	ck_assert_int_eq(dict_stack(p->dict, frames, depth, &id), 0);
	return id;
}

/*
 * Window number n: root has one stack, uid as many new ones as are said, in so many processes, each
 * of which has one of its own.
 */
static struct profile *window(uint32_t n, uid_t uid, uint32_t processes, uint32_t stacks)
{
	struct process_info root = process(10, ROOT), info;
	struct profile *p;
	uint32_t r, o[8];

	ck_assert_int_eq(profile_new(START + n * WINDOW, 100, &p), 0);
	p->end_ns = p->start_ns + WINDOW;
	/* one that has no sample has no place in what is saved */
	for (uint32_t i = 0; i < processes; i++) {
		info = process(11 + (pid_t)i, uid);
		ck_assert_int_eq(profile_process(p, &info, "3.13.0", &o[i]), 0);
		ck_assert_int_eq(profile_add(p, o[i], 11, stack_of(p, 0, 4 + i), 100), 0);
	}
	ck_assert_int_eq(profile_process(p, &root, "3.13.0", &r), 0);
	ck_assert_int_eq(profile_add(p, r, 10, stack_of(p, 0, 3), 1000), 0);
	for (uint32_t i = 0; i < stacks; i++)
		ck_assert_int_eq(profile_add(p, o[i % processes], 11,
					     stack_of(p, n * stacks + i, 128), 2),
				 0);
	p->tally = (struct tally){ .ticks = p->samples_total, .python = p->samples_total };
	return p;
}

/*
 * Somebody fills the store as fast as can be: no window goes for it, and every sample is counted.
 * Returns those that are under that name, which are all of uid.
 */
static uint64_t fill(uid_t uid, uint32_t processes, const char *name)
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
		struct window_save v = { .windows = &windows,
					 .window = window(n, uid, processes, 500),
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
		ck_assert_int_eq(store_facts(store, &windows.facts), 0);
		ck_assert_uint_lt(windows.facts.bytes, most);
		profile_free(v.window);
	}
	ck_assert_uint_eq(windows.facts.windows, 40);
	ck_assert_int_eq(store_reader_open(folder.path, &reader, NULL), 0);
	ck_assert_int_eq(store_profile(reader, 0, INT64_MAX, NULL, &all), 0);
	ck_assert_uint_eq(all->samples_total, samples);
	for (uint32_t i = 0; i < all->nsamples; i++) {
		const struct profile_sample *s = &all->samples[i];
		const struct dict_stack *k = dict_get_stack(all->dict, s->stack);
		const struct dict_frame *f = dict_get_frame(all->dict, k->frames[0]);

		/* what is heavy keeps its stack */
		if (streq(name, PROFILE_OTHER) && (k->depth == 3 || k->depth == 4))
			ck_assert_uint_eq(s->count, 40 * (k->depth == 3 ? 1000 : 100));
		if (!streq(dict_get_function(all->dict, f->function)->name, name))
			continue;
		ck_assert_uint_eq(all->processes[s->process].info.uid, uid);
		ck_assert_uint_eq(k->depth, 1);
		beyond += s->count;
	}
	ck_assert_uint_gt(beyond, 0);
	dir_done(&folder);
	return beyond;
}

START_TEST(one_user_does_not_push_out_the_others)
{
	uint64_t beyond = fill(ONE, 8, PROFILE_BEYOND);

	ck_assert_int_eq(counted(ONE, "store_merged"), (json_int_t)beyond);
	ck_assert_int_eq(counted(ROOT, "store_merged"), 0);
	ck_assert_int_eq(counted(ONE, "store_process_merged"), 0);
}
END_TEST

START_TEST(one_process_does_not_push_out_the_others)
{
	uint64_t beyond = fill(ROOT, 1, PROFILE_OTHER);

	/* its heaviest stack is counted as it is */
	ck_assert_int_gt(counted(ROOT, "store_process_merged"), (json_int_t)beyond);
	ck_assert_int_eq(counted(ROOT, "store_merged"), 0);
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

	return window_shares_add(&windows, k, &s);
}

START_TEST(new_stacks_of_one_user_are_bounded)
{
	struct target one = { .info = process(11, ONE), .user = ONE },
		      ones[] = { { .info = process(14, ONE), .user = ONE },
				 { .info = process(15, ONE), .user = ONE },
				 { .info = process(16, ONE), .user = ONE } },
		      late = { .info = process(12, ONE), .user = ONE },
		      later = { .info = process(13, ONE), .user = ONE },
		      two = { .info = process(21, TWO), .user = TWO };
	const struct profile *p;
	uint32_t at;

	ck_assert_int_eq(sink_new(START, 100, &windows.running), 0);
	p = sink_profile(windows.running);
	ck_assert_int_eq(add(&one, 0), 0);
	for (uint32_t i = 1; i < 4000; i++)
		ck_assert_int_eq(add(&ones[i % ARRAY_SIZE(ones)], i), 0);
	ck_assert_uint_lt(profile_bytes(p), SHARES_WINDOW_BYTES + SHARES_WINDOW_BYTES / 4);
	ck_assert_uint_eq(p->samples_total, 4000);
	ck_assert_int_gt(counted(ONE, "window_merged"), 0);
	ck_assert_int_eq(counted(ONE, "window_process_merged"), 0);
	/* what it has had before is counted as it is */
	ck_assert_int_eq(add(&one, 0), 0);
	ck_assert_int_eq(counted(ONE, "window_merged"), 4001 - (json_int_t)(p->nsamples - 3) - 1);
	/* processes that come now are one */
	ck_assert(!profile_has_process(p, &late.info, &at));
	ck_assert_int_eq(add(&late, 0), 0);
	ck_assert_int_eq(add(&later, 1), 0);
	ck_assert(!profile_has_process(p, &late.info, &at));
	ck_assert_uint_eq(p->nprocesses, 5);
	ck_assert_int_eq(p->processes[4].info.pid, 0);
	ck_assert_uint_eq(p->processes[4].info.uid, ONE);
	ck_assert_uint_eq(p->processes[4].samples, 2);
	/* others are not concerned */
	ck_assert_int_eq(add(&two, 4001), 0);
	ck_assert_int_eq(counted(TWO, "window_merged"), 0);
	ck_assert_uint_eq(p->samples_total, 4000 + 1 + 2 + 1);
	sink_free(windows.running);
	/* the next window begins anew */
	at = (uint32_t)counted(ONE, "window_merged");
	ck_assert_int_eq(sink_new(START + WINDOW, 100, &windows.running), 0);
	ck_assert_int_eq(add(&one, 5000), 0);
	ck_assert_int_eq(counted(ONE, "window_merged"), at);
	sink_free(windows.running);
}
END_TEST

/* Of one process, root's as well. */
START_TEST(new_stacks_of_one_process_are_bounded)
{
	struct target root = { .info = process(31, ROOT), .user = ROOT },
		      other = { .info = process(32, ROOT), .user = ROOT };
	const struct profile *p;
	json_int_t merged;
	uint64_t others = 0;

	ck_assert_int_eq(sink_new(START, 100, &windows.running), 0);
	p = sink_profile(windows.running);
	for (uint32_t i = 0; i < 4000; i++)
		ck_assert_int_eq(add(&root, i), 0);
	ck_assert_uint_lt(profile_content(p), SHARES_PROCESS_BYTES + SHARES_PROCESS_BYTES / 8);
	ck_assert_uint_eq(p->samples_total, 4000);
	merged = counted(ROOT, "window_process_merged");
	ck_assert_int_eq(merged, 4000 - (json_int_t)(p->nsamples - 1));
	ck_assert_int_gt(merged, 0);
	for (uint32_t i = 0; i < p->nsamples; i++) {
		const struct dict_stack *k = dict_get_stack(p->dict, p->samples[i].stack);
		uint32_t f = dict_get_frame(p->dict, k->frames[0])->function;

		if (streq(dict_get_function(p->dict, f)->name, PROFILE_OTHER))
			others += p->samples[i].count;
	}
	ck_assert_uint_eq(others, (uint64_t)merged);
	/* what it has had before is counted as it is, and so is what another has */
	ck_assert_int_eq(add(&root, 1), 0);
	ck_assert_int_eq(add(&other, 7000), 0);
	ck_assert_int_eq(counted(ROOT, "window_process_merged"), merged);
	ck_assert_int_eq(counted(ROOT, "window_merged"), 0);
	sink_free(windows.running);
	/* the next window begins anew */
	ck_assert_int_eq(sink_new(START + WINDOW, 100, &windows.running), 0);
	ck_assert_int_eq(add(&root, 5000), 0);
	ck_assert_int_eq(counted(ROOT, "window_process_merged"), merged);
	sink_free(windows.running);
}
END_TEST

CHECK_MAIN_WITH("window/shares", setup, teardown, a_user_sees_his_own,
		what_plopd_itself_runs_has_no_bound, too_many_users_are_one,
		what_was_filled_comes_back, what_a_process_filled_comes_back,
		processes_that_are_known_are_bounded, one_user_does_not_push_out_the_others,
		one_process_does_not_push_out_the_others, new_stacks_of_one_user_are_bounded,
		new_stacks_of_one_process_are_bounded);
