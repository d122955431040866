/* SPDX-License-Identifier: BSD-2-Clause */
#include <check.h>

#include "host/access.h"
#include "host/manager.h"

static const struct api_peer root = { .is_unix = true, .uid = 0, .trusted = true };
static struct manager m;

static struct api_peer somebody(uid_t uid)
{
	return (struct api_peer){ .is_unix = true, .uid = uid };
}

START_TEST(ones_own_process)
{
	struct target k = { .info = { .pid = getpid(), .uid = getuid() } };
	struct api_peer self = somebody(getuid()), other = somebody(61001),
			nobody = somebody(PROCESS_NO_UID);

	ck_assert(access_process(&root, &k));
	ck_assert(access_process(&self, &k));
	ck_assert(!access_process(&other, &k));
	ck_assert(!access_process(&nobody, &k));
	ck_assert(access_pid(&root, 1) && access_pid(&self, getpid()));
	ck_assert(!access_pid(&other, getpid()) && !access_pid(&nobody, getpid()));
	ck_assert(!access_pid(&self, 0) && !access_pid(&self, -1));
}
END_TEST

/* It has to be the peer's now, and when its image began. */
START_TEST(now_and_then)
{
	struct api_peer self = somebody(getuid()), other = somebody(61001);
	struct target k = { .info = { .pid = getpid(), .uid = PROCESS_NO_UID } };

	ck_assert(!access_process(&self, &k));
	ck_assert(access_process(&root, &k));
	k.info.uid = 61001;
	ck_assert(!access_process(&self, &k));
	ck_assert(!access_process(&other, &k));
}
END_TEST

START_TEST(profiles)
{
	struct api_peer one = somebody(61001);
	struct selectors s = {};
	struct tally whole = { .ticks = 10, .python = 5, .other = 3, .lost = { 2 } };
	struct profile p = { .tally = whole, .samples_total = 4 };

	access_limit(&root, &s);
	ck_assert(!s.owned);
	access_tally(&s, &p);
	ck_assert_mem_eq(&p.tally, &whole, sizeof(whole));
	access_limit(&one, &s);
	ck_assert(s.owned);
	ck_assert_uint_eq(s.uid, 61001);
	access_tally(&s, &p);
	ck_assert_uint_eq(p.tally.ticks, 4);
	ck_assert_uint_eq(p.tally.python, 4);
	ck_assert_uint_eq(p.tally.other + tally_lost(&p.tally), 0);
}
END_TEST

static struct recording *add_recording(const struct api_peer *peer, size_t at,
				       enum recording_state state)
{
	struct recording *r = calloc(1, sizeof(*r));

	ck_assert_ptr_nonnull(r);
	ck_assert_ptr_null(m.recordings.items[at]);
	r->all = &m.recordings;
	r->state = state;
	r->keep_until = 1000 - at;
	access_limit(peer, &r->selectors);
	m.recordings.items[at] = r;
	return r;
}

START_TEST(recordings_are_their_makers)
{
	struct api_peer one = somebody(61001), two = somebody(61002),
			nobody = somebody(PROCESS_NO_UID);
	struct recording *r;

	recordings_init(&m.recordings, &m);
	r = add_recording(&one, 0, RECORDING_RUNNING);
	ck_assert(access_recording(&one, r) && access_recording(&root, r));
	ck_assert(!access_recording(&two, r) && !access_recording(&nobody, r));
	r = add_recording(&root, 1, RECORDING_RUNNING);
	ck_assert(access_recording(&root, r));
	ck_assert(!access_recording(&one, r) && !access_recording(&nobody, r));
	r = add_recording(&nobody, 2, RECORDING_RUNNING);
	ck_assert(!access_recording(&nobody, r));
	recordings_done(&m.recordings);
}
END_TEST

/* A user's own recordings that have ended make room for the user's next one, and nobody else's do. */
START_TEST(room_for_one_more)
{
	struct api_peer one = somebody(61001), two = somebody(61002);
	struct api_request q = { .peer = one };
	struct recording *other;
	size_t at = 0;

	recordings_init(&m.recordings, &m);
	other = add_recording(&two, at++, RECORDING_DONE);
	for (; at < ACCESS_RECORDINGS_MAX; at++)
		add_recording(&one, at, at % 2 ? RECORDING_DONE : RECORDING_RUNNING);
	ck_assert_int_eq(access_record(&q, &m.recordings), 0);
	ck_assert_ptr_nonnull(m.recordings.items[ACCESS_RECORDINGS_MAX - 1]);
	add_recording(&one, at++, RECORDING_DONE);
	/* the last has the least time left */
	ck_assert_int_eq(access_record(&q, &m.recordings), 0);
	ck_assert_ptr_null(m.recordings.items[ACCESS_RECORDINGS_MAX]);
	ck_assert_ptr_eq(m.recordings.items[0], other);
	recordings_done(&m.recordings);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("access");
	TCase *t = tcase_create("access");
	SRunner *r;
	int failed;

	tcase_add_test(t, ones_own_process);
	tcase_add_test(t, now_and_then);
	tcase_add_test(t, profiles);
	tcase_add_test(t, recordings_are_their_makers);
	tcase_add_test(t, room_for_one_more);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
