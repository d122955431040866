/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "../format/known_off_cpu.h"

START_TEST(counts_add_up)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct process_info info = known_process(7, "x");
	uint32_t process, again, frame, stack;

	ck_assert_int_eq(profile_new(5, 99, &p), 0);
	ck_assert_int_eq(profile_process(p, &info, NULL, &process), 0);
	ck_assert_int_eq(profile_process(p, &info, "3.12.0", &again), 0);
	ck_assert_uint_eq(process, again);
	ck_assert_str_eq(p->processes[0].python, "");
	/* The same pid after a wrap is another process. */
	info.start_ticks++;
	ck_assert_int_eq(profile_process(p, &info, "3.12.0", &again), 0);
	ck_assert_uint_eq(again, 1);
	frame = known_frame(p, "f", "x.py", 1, 1);
	ck_assert_int_eq(dict_stack(p->dict, &frame, 1, &stack), 0);
	ck_assert_int_eq(profile_add(p, 0, 1, stack, 2), 0);
	ck_assert_int_eq(profile_add(p, 0, 1, stack, 3), 0);
	ck_assert_int_eq(profile_add(p, 0, 2, stack, 1), 0);
	ck_assert_int_eq(profile_add(p, 1, 1, stack, 1), 0);
	ck_assert_uint_eq(p->nsamples, 3);
	ck_assert_uint_eq(p->samples[0].count, 5);
	ck_assert_uint_eq(p->samples_total, 7);
	ck_assert_uint_eq(p->processes[0].samples, 6);
	ck_assert_uint_eq(p->processes[1].samples, 1);
	ck_assert_uint_eq(p->hz, 99);
	ck_assert_uint_eq(p->start_ns, 5);
}
END_TEST

/* One pid before and after it executes a setuid program. */
START_TEST(users_are_kept_apart)
{
	_cleanup_(profile_freep) struct profile *p = NULL, *own = NULL;
	struct selectors s = { .owned = true, .uid = 1000 };
	struct process_info info = known_process(7, "x");
	uint32_t process, other, frames[2], stacks[2];

	ck_assert_int_eq(profile_new(5, 99, &p), 0);
	info.uid = 1000;
	ck_assert_int_eq(profile_process(p, &info, "", &process), 0);
	info.uid = PROCESS_NO_UID;
	ck_assert_int_eq(profile_process(p, &info, "", &other), 0);
	ck_assert_uint_ne(process, other);
	frames[0] = known_frame(p, "open", "x.py", 1, 1);
	frames[1] = known_frame(p, "secret", "x.py", 1, 1);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(dict_stack(p->dict, &frames[i], 1, &stacks[i]), 0);
		ck_assert_int_eq(profile_add(p, i ? other : process, 1, stacks[i], 1), 0);
	}
	ck_assert_int_eq(profile_select(p, &s, &own), 0);
	ck_assert_uint_eq(own->samples_total, 1);
	ck_assert_uint_eq(own->nprocesses, 1);
	ck_assert_uint_eq(own->processes[0].info.uid, 1000);
	ck_assert_uint_eq(dict_stacks(own->dict), 1);
}
END_TEST

/* One process before and after it executes another program; and with another title. */
START_TEST(labels_are_kept_apart)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	char web[] = "web", shop[] = "shop", one[] = "1", title[] = "web: idle", comm[] = "y";
	struct process_info info = known_process(7, "x");
	uint32_t process, again;
	size_t bytes;

	ck_assert_int_eq(profile_new(5, 99, &p), 0);
	info.service = web;
	ck_assert_int_eq(profile_process(p, &info, "", &process), 0);
	bytes = profile_bytes(p);
	info.cmdline = title;
	ck_assert_int_eq(profile_process(p, &info, "", &again), 0);
	ck_assert_uint_eq(process, again);
	ck_assert_str_eq(p->processes[process].info.cmdline, title);
	ck_assert_uint_eq(profile_bytes(p), bytes + strlen(title));
	info.service = shop;
	ck_assert_int_eq(profile_process(p, &info, "", &again), 0);
	ck_assert_uint_eq(again, 1);
	ck_assert_str_eq(p->processes[process].info.service, "web");
	info.version = one;
	ck_assert_int_eq(profile_process(p, &info, "", &again), 0);
	ck_assert_uint_eq(again, 2);
	info.comm = comm;
	ck_assert_int_eq(profile_process(p, &info, "", &again), 0);
	ck_assert_uint_eq(again, 3);
	info.exe = comm;
	ck_assert_int_eq(profile_process(p, &info, "", &again), 0);
	ck_assert_uint_eq(again, 4);
	info.cgroup = comm;
	ck_assert_int_eq(profile_process(p, &info, "", &again), 0);
	ck_assert_uint_eq(again, 5);
	ck_assert(profile_has_process(p, &info, &again));
	ck_assert_uint_eq(p->nprocesses, 6);
}
END_TEST

START_TEST(many_keys_are_found_again)
{
	enum { PROCESSES = 40, THREADS = 50, STACKS = 10 };
	_cleanup_(profile_freep) struct profile *p = NULL;
	uint32_t process, frame, stacks[STACKS];

	ck_assert_int_eq(profile_new(0, 100, &p), 0);
	for (uint32_t i = 0; i < STACKS; i++) {
		frame = known_frame(p, "f", "x.py", 1, (int)i);
		ck_assert_int_eq(dict_stack(p->dict, &frame, 1, &stacks[i]), 0);
	}
	for (int round = 1; round <= 2; round++) {
		for (int i = 0; i < PROCESSES; i++) {
			struct process_info info = known_process(100 + i, "x");

			ck_assert_int_eq(profile_process(p, &info, "", &process), 0);
			ck_assert_int_eq(process, i);
			for (uint32_t t = 0; t < THREADS; t++)
				for (uint32_t s = 0; s < STACKS; s++)
					ck_assert_int_eq(profile_add(p, process, t, stacks[s], 1),
							 0);
		}
		ck_assert_uint_eq(p->nsamples, PROCESSES * THREADS * STACKS);
	}
	for (uint32_t i = 0; i < p->nsamples; i++)
		ck_assert_uint_eq(p->samples[i].count, 2);
}
END_TEST

/* How often a profile has the stack whose leaf is name, in the process and thread given. */
static uint64_t leaf_count(const struct profile *p, pid_t pid, uint32_t thread, const char *name)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < p->nsamples; i++) {
		const struct dict_stack *s = dict_get_stack(p->dict, p->samples[i].stack);
		const struct dict_frame *f = dict_get_frame(p->dict, s->frames[s->depth - 1]);

		if (p->processes[p->samples[i].process].info.pid == pid &&
		    p->samples[i].thread == thread &&
		    streq(dict_get_function(p->dict, f->function)->name, name))
			n += p->samples[i].count;
	}
	return n;
}

START_TEST(merge_translates_ids)
{
	_cleanup_(profile_freep) struct profile *p = NULL, *known = known_profile();
	struct process_info info = known_process(200, "say \"hi\"");
	uint32_t process;

	/* Other ids than in known: a process, a function and a stack come first. */
	ck_assert_int_eq(profile_new(KNOWN_END, 0, &p), 0);
	ck_assert_int_eq(profile_process(p, &info, "3.13.0", &process), 0);
	known_add(p, process, 201, (uint32_t[]){ known_frame(p, "other", "o.py", 1, 1) }, 1, 1);
	p->end_ns = KNOWN_END + 5;
	p->tally.ticks = 1;
	p->running = true;
	ck_assert_int_eq(profile_merge(p, known), 0);
	ck_assert_int_eq(profile_merge(p, known), 0);
	ck_assert_uint_eq(p->samples_total, 2 * KNOWN_TOTAL + 1);
	ck_assert_uint_eq(leaf_count(p, 100, 101, "Job.work"), 2 * 50);
	ck_assert_uint_eq(leaf_count(p, 100, 102, "Job.work"), 2 * 10);
	ck_assert_uint_eq(leaf_count(p, 200, 201, HOSTILE_BYTES), 2 * 3);
	ck_assert_uint_eq(leaf_count(p, 200, 201, "other"), 1);
	ck_assert_uint_eq(p->nprocesses, 2);
	ck_assert_uint_eq(p->nsamples, known->nsamples + 1);
	ck_assert_uint_eq(p->tally.ticks, 2 * 6000 + 1);
	ck_assert_uint_eq(p->tally.lost[PLOP_LOST_DRAIN], 6);
	ck_assert_uint_eq(p->start_ns, KNOWN_START);
	ck_assert_uint_eq(p->end_ns, KNOWN_END + 5);
	ck_assert_uint_eq(p->hz, 100);
	ck_assert(p->running);
}
END_TEST

START_TEST(select_keeps_the_tally_whole)
{
	_cleanup_(profile_freep) struct profile *known = known_profile(), *p = NULL, *t = NULL;
	_cleanup_(selectors_done) struct selectors s = {};

	ck_assert_int_eq(selectors_add(&s, "pid=200"), 0);
	ck_assert_int_eq(profile_select(known, &s, &p), 0);
	ck_assert_uint_eq(p->nprocesses, 1);
	ck_assert_uint_eq(p->samples_total, 16);
	ck_assert_uint_eq(p->tally.ticks, 6000);
	ck_assert_uint_eq(p->tally.python, KNOWN_TOTAL);
	ck_assert_uint_eq(p->start_ns, KNOWN_START);
	ck_assert_uint_eq(p->end_ns, KNOWN_END);
	/* Only what is used is in the new dict. */
	ck_assert_uint_eq(dict_stacks(p->dict), 4);
	ck_assert_int_eq(selectors_add(&s, "thread=102"), 0);
	ck_assert_int_eq(profile_select(known, &s, &t), 0);
	ck_assert_uint_eq(t->samples_total, 0);
	ck_assert_uint_eq(t->nprocesses, 0);
}
END_TEST

START_TEST(states_are_kept_apart)
{
	_cleanup_(profile_freep) struct profile *p = known_off_cpu();

	ck_assert_uint_eq(p->nsamples, 5);
	ck_assert_uint_eq(p->samples_total, 6);
	for (uint32_t i = 0; i < p->nsamples; i++)
		ck_assert_uint_eq(p->samples[i].state, SAMPLE_GIL_HELD + i);
	/* again, in the same place */
	ck_assert_int_eq(profile_add_state(p, 0, 101, p->samples[3].stack, SAMPLE_SLEEPING, 0, 7),
			 0);
	ck_assert_uint_eq(p->nsamples, 5);
	ck_assert_uint_eq(p->samples[3].off_cpu_ns, 100000007);
	/* profile_add() knows nothing of the GIL */
	ck_assert_int_eq(profile_add(p, 0, 101, p->samples[0].stack, 1), 0);
	ck_assert_uint_eq(p->nsamples, 6);
	ck_assert_uint_eq(p->samples[5].state, SAMPLE_PLAIN);
}
END_TEST

START_TEST(threads_have_names)
{
	enum { THREADS = 500 };
	_cleanup_(profile_freep) struct profile *p = known_off_cpu();
	char name[16];
	size_t before;

	ck_assert_str_eq(profile_thread_name(p, 0, 101), "worker");
	ck_assert_str_eq(profile_thread_name(p, 0, 102), "");
	ck_assert(!profile_thread_find(p, 0, 102));
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < THREADS; i++) {
			snprintf(name, sizeof(name), "%d.%u", round, i);
			ck_assert_int_eq(profile_thread(p, 0, 1000 + i, name), 0);
		}
	ck_assert_uint_eq(p->nthreads, 1 + THREADS);
	ck_assert_str_eq(profile_thread_name(p, 0, 1000), "1.0");
	ck_assert_str_eq(profile_thread_name(p, 0, 1499), "1.499");
	before = profile_bytes(p);
	ck_assert_int_eq(profile_thread(p, 0, 1000, "longer"), 0);
	ck_assert_uint_eq(profile_bytes(p), before + 3);
	/* looked for, and not found */
	ck_assert_int_eq(profile_thread(p, 0, 7, ""), 0);
	ck_assert(profile_thread_find(p, 0, 7));
	ck_assert_str_eq(profile_thread_name(p, 0, 7), "");
}
END_TEST

START_TEST(weights)
{
	static const uint64_t microseconds[] = { 30000, 20000, 15000, 100000, 1500 };
	_cleanup_(profile_freep) struct profile *p = known_off_cpu();
	uint64_t sum = 0;

	ck_assert_str_eq(profile_unit(p), "microseconds");
	for (uint32_t i = 0; i < p->nsamples; i++) {
		ck_assert_uint_eq(profile_weight(p, &p->samples[i]), microseconds[i]);
		sum += profile_weight(p, &p->samples[i]);
	}
	ck_assert_uint_eq(sum, KNOWN_TIME_US);
	p->off_cpu = false;
	ck_assert_str_eq(profile_unit(p), "samples");
	ck_assert_uint_eq(profile_weight(p, &p->samples[0]), 3);
	ck_assert_uint_eq(profile_weight(p, &p->samples[3]), 0);
	/* no rate: nothing was ticked */
	p->off_cpu = true;
	p->hz = 0;
	ck_assert_uint_eq(profile_weight(p, &p->samples[3]), 100000);
}
END_TEST

START_TEST(merge_and_select_carry_states)
{
	_cleanup_(profile_freep) struct profile *from = known_off_cpu(), *p = NULL, *one = NULL;
	_cleanup_(selectors_done) struct selectors s = {};

	ck_assert_int_eq(profile_new(0, 100, &p), 0);
	ck_assert_int_eq(profile_merge(p, from), 0);
	ck_assert_int_eq(profile_merge(p, from), 0);
	ck_assert(p->off_cpu);
	ck_assert_uint_eq(p->nsamples, 5);
	ck_assert_uint_eq(p->samples[2].count, 2);
	ck_assert_uint_eq(p->samples[2].off_cpu_ns, 10000000);
	ck_assert_str_eq(profile_thread_name(p, 0, 101), "worker");
	ck_assert_str_eq(labels_get(&p->labels, "env"), "it's \"prod\"");
	ck_assert_int_eq(selectors_add(&s, "state=waiting for the GIL"), 0);
	ck_assert_int_eq(selectors_add(&s, "state=runnable"), 0);
	ck_assert_int_eq(profile_select(p, &s, &one), 0);
	ck_assert(one->off_cpu);
	ck_assert_str_eq(profile_thread_name(one, 0, 101), "worker");
	ck_assert_uint_eq(one->labels.n, 2);
	ck_assert_uint_eq(one->nsamples, 2);
	ck_assert_uint_eq(one->samples_total, 2);
	ck_assert_uint_eq(one->samples[1].off_cpu_ns, 3000000);
}
END_TEST

START_TEST(select_by_thread_name_and_label)
{
	static const struct {
		const char *selector;
		uint32_t samples;
	} rows[] = { { "thread_name=worker", 5 }, { "thread_name=work", 0 }, { "thread_name=", 0 },
		     { "label.version=7", 5 },    { "label.version=8", 0 },  { "label.x=", 5 },
		     { "version=7", 0 } };
	_cleanup_(profile_freep) struct profile *p = known_off_cpu();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(profile_freep) struct profile *one = NULL;
		_cleanup_(selectors_done) struct selectors s = {};

		ck_assert_int_eq(selectors_add(&s, rows[i].selector), 0);
		ck_assert_int_eq(profile_select(p, &s, &one), 0);
		ck_assert_msg(one->nsamples == rows[i].samples, "%s", rows[i].selector);
	}
}
END_TEST

START_TEST(labels_of_the_first_stay)
{
	_cleanup_(profile_freep) struct profile *p = known_profile(), *from = known_off_cpu();

	ck_assert_int_eq(labels_add(&p->labels, "env", "test"), 0);
	ck_assert_int_eq(profile_merge(p, from), 0);
	ck_assert_str_eq(labels_get(&p->labels, "env"), "test");
	ck_assert_str_eq(labels_get(&p->labels, "version"), "7");
}
END_TEST

START_TEST(tally_sums)
{
	struct tally a = { .ticks = 10, .python = 5, .other = 3, .lost = { 1, 0, 0, 0, 0, 1 } },
		     b = a;

	tally_add(&a, &b);
	ck_assert_uint_eq(a.ticks, 20);
	ck_assert_uint_eq(tally_lost(&a), 4);
	ck_assert_uint_eq(a.ticks, a.python + a.other + tally_lost(&a));
	ck_assert_str_eq(tally_lost_name(PLOP_LOST_FAULT), "fault");
	for (unsigned int i = 0; i < PLOP_LOST_CAUSES; i++)
		ck_assert_str_ne(tally_lost_name(i), "unknown");
	ck_assert_str_eq(tally_lost_name(PLOP_LOST_CAUSES), "unknown");
}
END_TEST

/* What is added later is not in it, and it stays when the profile has gone; the other way round. */
START_TEST(snapshots_stay_as_they_were)
{
	enum { MANY = 3000 };
	struct profile *p = NULL, *before = NULL, *after = NULL, *view = NULL;
	struct process_info info = known_process(7, "x");
	struct selectors thread = {};
	uint32_t process, frame, stack;
	char name[32];

	ck_assert_int_eq(profile_new(5, 99, &p), 0);
	/* one of nothing */
	ck_assert_int_eq(profile_snapshot(p, &before), 0);
	ck_assert_uint_eq(before->nsamples + before->nprocesses + dict_stacks(before->dict), 0);
	profile_free(before);
	ck_assert_int_eq(profile_process(p, &info, "3.12.0", &process), 0);
	ck_assert_int_eq(profile_thread(p, process, 1, "first"), 0);
	ck_assert_int_eq(labels_add(&p->labels, "why", "a test"), 0);
	p->stepped_ns = -3;
	p->running = true;
	p->tally.ticks = 4;
	for (int i = 0; i < MANY; i++) {
		if (i == MANY / 3)
			ck_assert_int_eq(profile_snapshot(p, &before), 0);
		snprintf(name, sizeof(name), "f%d", i);
		frame = known_frame(p, name, "x.py", i, i);
		ck_assert_int_eq(dict_stack(p->dict, &frame, 1, &stack), 0);
		ck_assert_int_eq(profile_add(p, process, i % 2, stack, 2), 0);
	}
	ck_assert_int_eq(profile_thread(p, process, 1, "second"), 0);
	ck_assert_int_eq(profile_snapshot(p, &after), 0);
	ck_assert_uint_eq(before->samples_total, 2 * (MANY / 3));
	ck_assert_uint_eq(before->processes[0].samples, 2 * (MANY / 3));
	ck_assert_uint_eq(before->nsamples, MANY / 3);
	ck_assert_uint_eq(dict_stacks(before->dict), MANY / 3);
	ck_assert(before->running);
	ck_assert_int_eq(before->stepped_ns, -3);
	ck_assert_uint_eq(before->tally.ticks, 4);
	ck_assert_uint_eq(before->hz, 99);
	ck_assert_uint_eq(after->samples_total, 2 * MANY);
	profile_free(p);
	for (int i = 0; i < MANY; i++) {
		const struct dict_stack *s = dict_get_stack(after->dict, after->samples[i].stack);

		snprintf(name, sizeof(name), "f%d", i);
		ck_assert_str_eq(
			dict_get_function(after->dict,
					  dict_get_frame(after->dict, s->frames[0])->function)
				->name,
			name);
	}
	profile_free(after);
	/* all that reads a profile reads it as well */
	ck_assert_int_eq(selectors_add(&thread, "thread_name=first"), 0);
	ck_assert_int_eq(profile_select(before, &thread, &view), 0);
	ck_assert_uint_eq(view->samples_total, 2 * (MANY / 3 / 2));
	ck_assert_uint_eq(view->labels.n, 1);
	profile_free(before);
	profile_free(view);
	selectors_done(&thread);
	/* one that goes before what it is of */
	ck_assert_int_eq(profile_new(5, 99, &p), 0);
	ck_assert_int_eq(profile_snapshot(p, &before), 0);
	profile_free(before);
	ck_assert_int_eq(profile_process(p, &info, "3.12.0", &process), 0);
	frame = known_frame(p, "f", "x.py", 1, 1);
	ck_assert_int_eq(dict_stack(p->dict, &frame, 1, &stack), 0);
	profile_free(p);
}
END_TEST

CHECK_MAIN("profile/profile", counts_add_up, users_are_kept_apart, labels_are_kept_apart,
	   many_keys_are_found_again, merge_translates_ids, select_keeps_the_tally_whole,
	   states_are_kept_apart, threads_have_names, weights, merge_and_select_carry_states,
	   select_by_thread_name_and_label, labels_of_the_first_stay, tally_sums,
	   snapshots_stay_as_they_were);
