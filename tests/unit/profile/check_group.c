/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "../format/known_off_cpu.h"

/* How much of a profile is below a frame of a name at a depth. */
static uint64_t below(const struct profile *p, uint32_t depth, const char *name)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < p->nsamples; i++) {
		const struct dict_stack *s = dict_get_stack(p->dict, p->samples[i].stack);
		const struct dict_frame *f;

		if (s->depth <= depth)
			continue;
		f = dict_get_frame(p->dict, s->frames[depth]);
		if (streq(dict_get_function(p->dict, f->function)->name, name))
			sum += profile_weight(p, &p->samples[i]);
	}
	return sum;
}

START_TEST(keys)
{
	static const char *const good[] = { "pid", "service,version", "label.a-b.c,state",
					    "pid,comm,exe,cgroup,unit,container,service,version" };
	static const char *const bad[] = {
		"",        ",",         "pid,",
		",pid",    "pid, comm", "pids",
		"pid,pid", "label.",    "label.9",
		"PID",     "pid=1",     "pid,comm,exe,cgroup,unit,container,service,version,gil"
	};
	_cleanup_(profile_freep) struct profile *p = known_profile();
	struct profile *none = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ck_assert_msg(group_keys_check(good[i]) == 0, "%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(group_keys_check(bad[i]) == -EINVAL, "%s", bad[i]);
		ck_assert_int_eq(profile_group(p, bad[i], &none), -EINVAL);
	}
	ck_assert_ptr_null(none);
}
END_TEST

START_TEST(by_process_and_thread)
{
	_cleanup_(profile_freep) struct profile *p = known_profile(), *g = NULL;

	ck_assert_int_eq(profile_group(p, "pid,thread", &g), 0);
	ck_assert_uint_eq(g->samples_total, KNOWN_TOTAL);
	ck_assert_uint_eq(g->nprocesses, 2);
	ck_assert_uint_eq(g->processes[0].samples, 84);
	ck_assert_uint_eq(g->end_ns, KNOWN_END);
	ck_assert_uint_eq(g->tally.ticks, 6000);
	ck_assert_uint_eq(below(g, 0, "pid=100"), 84);
	ck_assert_uint_eq(below(g, 0, "pid=200"), 16);
	ck_assert_uint_eq(below(g, 1, "thread=101"), 70);
	ck_assert_uint_eq(below(g, 1, "thread=102"), 10);
	ck_assert_uint_eq(below(g, 2, "<module>"), 91);
	ck_assert_uint_eq(below(g, 3, "Job.work"), 61);
	ck_assert_uint_eq(below(g, 4, "Job.work"), 20);
	/* what is not known groups, too */
	profile_free(TAKE_PTR(g));
	ck_assert_int_eq(profile_group(p, "service", &g), 0);
	ck_assert_uint_eq(below(g, 0, "service="), KNOWN_TOTAL);
}
END_TEST

START_TEST(by_what_recordings_have)
{
	_cleanup_(profile_freep) struct profile *p = known_off_cpu(), *g = NULL;

	ck_assert_int_eq(profile_group(p, "label.version,thread_name,gil,state", &g), 0);
	ck_assert(g->off_cpu);
	ck_assert_uint_eq(g->labels.n, 2);
	ck_assert_str_eq(profile_thread_name(g, 0, 101), "worker");
	ck_assert_uint_eq(below(g, 0, "label.version=7"), KNOWN_TIME_US);
	ck_assert_uint_eq(below(g, 1, "thread_name=worker"), KNOWN_TIME_US);
	ck_assert_uint_eq(below(g, 2, "gil=held"), 30000);
	ck_assert_uint_eq(below(g, 2, "gil="), 101500);
	ck_assert_uint_eq(below(g, 3, "state=running"), 50000);
	ck_assert_uint_eq(below(g, 3, "state=sleeping"), 100000);
	ck_assert_uint_eq(below(g, 5, "work"), KNOWN_TIME_US);
}
END_TEST

/* Frames deeper than any room that was made before. */
START_TEST(deep_stacks)
{
	enum { DEPTH = 1000 };
	_cleanup_(profile_freep) struct profile *p = known_profile(), *g = NULL;
	static uint32_t frames[DEPTH];

	for (int i = 0; i < DEPTH; i++)
		frames[i] = known_frame(p, "f", "/srv/deep.py", 1, i + 1);
	known_add(p, 0, 101, frames, DEPTH, 5);
	ck_assert_int_eq(profile_group(p, "comm", &g), 0);
	ck_assert_uint_eq(below(g, DEPTH, "f"), 5);
	ck_assert_uint_eq(below(g, 0, "comm=app"), 89);
}
END_TEST

CHECK_MAIN("profile/group", keys, by_process_and_thread, by_what_recordings_have, deep_stacks);
