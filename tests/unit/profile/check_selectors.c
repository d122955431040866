/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "profile/profile.h"

static struct profile_process process = {
	.info = {
		.pid = 42,
		.uid = 1000,
		.comm = (char *)"app",
		.exe = (char *)"/opt/app/bin/python3",
		.cmdline = (char *)"",
		.cgroup = (char *)"/system.slice/app.service",
		.unit = (char *)"app.service",
		.container = (char *)"",
		.service = (char *)"shop",
		.version = (char *)"v=1",
	},
};

/* Whether a list of selectors, ended by NULL, matches the process and thread 43. */
static bool matches(const char *const *texts)
{
	_cleanup_(selectors_done) struct selectors s = {};

	for (; *texts; texts++)
		ck_assert_int_eq(selectors_add(&s, *texts), 0);
	return selectors_match(&s, &process, 43);
}
#define MATCHES(...) matches((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(bad_ones_are_refused)
{
	static const char *const bad[] = {
		"",        "pid",      "=",          "=1",
		"pids=1",  "PID=1",    "pid =1",     "pid=",
		"pid=-1",  "pid=0",    "pid=1x",     "thread=99999999999",
		"pid=0x1", "state=",   "state=idle", "state=gil held",
		"gil=1",   "gil=HELD", "state"
	};
	_cleanup_(selectors_done) struct selectors s = {};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(selectors_add(&s, bad[i]) == -EINVAL, "%s", bad[i]);
	ck_assert_uint_eq(s.n, 0);
}
END_TEST

START_TEST(every_key_listed_is_known)
{
	_cleanup_(selectors_done) struct selectors s = {};
	_cleanup_free_ char *keys = strdup(selector_keys());
	char text[64], *save = NULL;
	size_t n = 0;

	for (char *k = strtok_r(keys, ", ", &save); k; k = strtok_r(NULL, ", ", &save), n++) {
		const char *value = streq(k, "state") ? "sleeping" : streq(k, "gil") ? "held" : "1";

		snprintf(text, sizeof(text), "%s=%s", k, value);
		ck_assert_msg(selectors_add(&s, text) == 0, "%s", k);
	}
	ck_assert_uint_eq(n, 13);
}
END_TEST

START_TEST(values_compare_exactly)
{
	struct selectors none = {};

	ck_assert(selectors_match(&none, &process, 0));
	ck_assert(MATCHES("pid=42"));
	ck_assert(MATCHES("pid=042"));
	ck_assert(!MATCHES("pid=4"));
	ck_assert(MATCHES("comm=app"));
	ck_assert(!MATCHES("comm=ap"));
	ck_assert(!MATCHES("comm=App"));
	ck_assert(MATCHES("unit=app.service"));
	ck_assert(MATCHES("container="));
	ck_assert(MATCHES("version=v=1"));
	ck_assert(MATCHES("thread=43"));
	ck_assert(!MATCHES("thread=42"));
}
END_TEST

START_TEST(paths_match_what_lies_below)
{
	ck_assert(MATCHES("exe=/opt/app/bin/python3"));
	ck_assert(MATCHES("exe=/opt/app"));
	ck_assert(MATCHES("exe=/opt/app/"));
	ck_assert(MATCHES("exe=/"));
	ck_assert(!MATCHES("exe="));
	ck_assert(!MATCHES("exe=/opt/ap"));
	ck_assert(!MATCHES("exe=opt"));
	ck_assert(MATCHES("cgroup=/system.slice"));
	ck_assert(!MATCHES("cgroup=/system"));
	ck_assert(!MATCHES("unit=app"));
}
END_TEST

START_TEST(one_key_is_ored_keys_are_anded)
{
	ck_assert(MATCHES("pid=1", "pid=42"));
	ck_assert(!MATCHES("pid=1", "pid=2"));
	ck_assert(MATCHES("pid=42", "comm=app"));
	ck_assert(!MATCHES("pid=42", "comm=other"));
	ck_assert(MATCHES("comm=other", "pid=42", "comm=app", "thread=1", "thread=43"));
	ck_assert(!MATCHES("pid=42", "comm=app", "thread=1"));
}
END_TEST

START_TEST(thread_zero_is_no_thread)
{
	_cleanup_(selectors_done) struct selectors s = {};

	ck_assert_int_eq(selectors_add(&s, "thread=43"), 0);
	ck_assert(!selectors_match(&s, &process, 0));
	ck_assert(selectors_match_process(&s, &process));
	ck_assert(selectors_match_thread(&s, 43));
}
END_TEST

START_TEST(owned_ones_match_one_user)
{
	_cleanup_(selectors_done) struct selectors s = { .owned = true, .uid = 1000 };
	struct profile_process nobody = process;

	ck_assert(selectors_match(&s, &process, 0));
	s.uid = 1001;
	ck_assert(!selectors_match(&s, &process, 0));
	s.uid = 0;
	ck_assert(!selectors_match(&s, &process, 0));
	/* whatever else is asked for */
	ck_assert_int_eq(selectors_add(&s, "pid=42"), 0);
	ck_assert(!selectors_match(&s, &process, 0));
	s.uid = 1000;
	ck_assert(selectors_match(&s, &process, 0));
	ck_assert_int_eq(selectors_add(&s, "comm=other"), 0);
	ck_assert(!selectors_match(&s, &process, 0));
	/* nobody's is not that of a user who is not known */
	selectors_done(&s);
	nobody.info.uid = PROCESS_NO_UID;
	ck_assert(selectors_match(&s, &nobody, 0));
	s.owned = true;
	s.uid = PROCESS_NO_UID;
	ck_assert(!selectors_match(&s, &nobody, 0));
}
END_TEST

/* Which of the states a selector leaves in, as digits. */
static const char *states(const char *text)
{
	_cleanup_(selectors_done) struct selectors s = {};
	static char found[SAMPLE_STATES + 1];
	size_t n = 0;

	ck_assert_int_eq(selectors_add(&s, text), 0);
	for (uint32_t i = 0; i < SAMPLE_STATES; i++)
		if (selectors_match_sample(&s, 43, "worker", i))
			found[n++] = (char)('0' + i);
	found[n] = '\0';
	return found;
}

START_TEST(states_of_samples)
{
	ck_assert_str_eq(states("state=running"), "012");
	ck_assert_str_eq(states("state=waiting for the GIL"), "3");
	ck_assert_str_eq(states("state=sleeping"), "4");
	ck_assert_str_eq(states("state=runnable"), "5");
	ck_assert_str_eq(states("state=off CPU"), "6");
	ck_assert_str_eq(states("gil=held"), "1");
	ck_assert_str_eq(states("gil=released"), "2");
	ck_assert_str_eq(states("gil=waiting"), "3");
	ck_assert_str_eq(states("gil="), "0456");
	ck_assert_str_eq(states("thread=43"), "0123456");
	ck_assert_str_eq(states("thread_name=worker"), "0123456");
	ck_assert_str_eq(states("thread_name=work"), "");
	ck_assert_str_eq(states("pid=1"), "0123456");
}
END_TEST

START_TEST(labels_of_the_profile)
{
	_cleanup_(selectors_done) struct selectors s = {};
	struct labels l = {};

	ck_assert_int_eq(labels_add(&l, "env", "prod"), 0);
	ck_assert_int_eq(selectors_add(&s, "label.env=test"), 0);
	ck_assert(!selectors_match_labeled(&s, &process, &l));
	ck_assert_int_eq(selectors_add(&s, "label.env=prod"), 0);
	ck_assert(selectors_match_labeled(&s, &process, &l));
	/* one that has none */
	ck_assert(!selectors_match_process(&s, &process));
	ck_assert_int_eq(selectors_add(&s, "label.run="), 0);
	ck_assert(selectors_match_labeled(&s, &process, &l));
	ck_assert_int_eq(selectors_add(&s, "label.x=1"), 0);
	ck_assert(!selectors_match_labeled(&s, &process, &l));
	ck_assert_int_eq(selectors_add(&s, "label.=1"), -EINVAL);
	ck_assert_int_eq(selectors_add(&s, "label.a b=1"), -EINVAL);
	ck_assert_int_eq(selectors_add(&s, "label=1"), -EINVAL);
	labels_done(&l);
}
END_TEST

START_TEST(what_is_kept_without_states_ran)
{
	ck_assert(MATCHES("state=running"));
	ck_assert(!MATCHES("state=sleeping"));
	ck_assert(!MATCHES("gil=held"));
	ck_assert(!MATCHES("thread_name=worker"));
}
END_TEST

CHECK_MAIN("profile/selectors", bad_ones_are_refused, every_key_listed_is_known,
	   values_compare_exactly, paths_match_what_lies_below, one_key_is_ored_keys_are_anded,
	   thread_zero_is_no_thread, owned_ones_match_one_user, states_of_samples,
	   labels_of_the_profile, what_is_kept_without_states_ran);
