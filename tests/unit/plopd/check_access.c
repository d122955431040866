/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "check_main.h"
#include "plopd/access.h"
#include "record/recordings.h"
#include "target/owner.h"
#include "target/shares.h"
#include "util/clock.h"

static const struct api_peer root = { .is_unix = true, .uid = 0, .trusted = true };
static struct recordings all;
static struct targets targets;
static struct shares shares;
static struct cycle cycle;

static void begin(void)
{
	cycle_init(&cycle, NULL, clock_ns, NULL, NULL);
	targets = (struct targets){ .cycle = &cycle, .shares = &shares };
	recordings_init(&all, &cycle, NULL, NULL, &targets);
}

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

/* The one question that all paths end in, against what it means, over all that can be asked. */
START_TEST(who_sees_what)
{
	static const uid_t uids[] = {
		0, 1, 1000, 61001, 61002, 65534, PROCESS_NO_UID - 1, PROCESS_NO_UID
	};
	unsigned int seen = 0;

	for (size_t i = 0; i < ARRAY_SIZE(uids); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(uids); k++) {
			struct api_peer peer = somebody(uids[i]);
			struct profile_process process = { .info = { .uid = uids[k] } };
			struct selectors s = {};
			bool own = uids[i] == uids[k] && uids[k] != PROCESS_NO_UID;

			api_limit(&peer, &s);
			ck_assert_int_eq(selectors_see(&s, uids[k], NULL), own);
			/* samples that are stored */
			ck_assert_int_eq(selectors_match_process(&s, &process), own);
			seen += own;
			peer.trusted = true;
			api_limit(&peer, &s);
			ck_assert(selectors_see(&s, uids[k], NULL));
			ck_assert(selectors_match_process(&s, &process));
		}
	}
	ck_assert_uint_eq(seen, ARRAY_SIZE(uids) - 1);
}
END_TEST

/* Whoever shows a token of one service sees that, whoever's it is, and nothing else. */
START_TEST(one_service)
{
	struct api_peer peer = root, other = root, user = somebody(1000);
	struct target shop = { .info = { .pid = getpid(), .uid = 1000, .service = "shop" } },
		      blog = { .info = { .pid = getpid(), .uid = 1000, .service = "blog" } };
	struct recording r = {};
	struct selectors s;

	strcpy(peer.scope.service, "shop");
	strcpy(other.scope.service, "blog");
	/* one who is not trusted gains nothing by it */
	strcpy(user.scope.service, "blog");
	ck_assert(api_sees_all(&root) && !api_sees_all(&peer) && !api_sees_all(&user));
	ck_assert(access_process(&peer, &shop) && !access_process(&peer, &blog));
	ck_assert(!access_pid(&peer, getpid()) && !access_pid(&peer, 1));
	for (uid_t uid = 0; uid < 3; uid++) {
		api_limit(&peer, &s);
		ck_assert(selectors_see(&s, uid, "shop") && !selectors_see(&s, uid, "blog"));
		ck_assert(!selectors_see(&s, uid, NULL) && !selectors_see(&s, uid, ""));
		api_limit(&user, &s);
		ck_assert(!selectors_see(&s, uid, "blog") && selectors_see(&s, 1000, "shop"));
	}
	api_limit(&peer, &r.whom.selectors);
	ck_assert(access_recording(&peer, &r) && access_recording(&root, &r));
	ck_assert(!access_recording(&other, &r) && !access_recording(&user, &r));
	api_limit(&root, &r.whom.selectors);
	ck_assert(!access_recording(&peer, &r));
}
END_TEST

static pid_t make_child(int *ret_fd)
{
	int fds[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		/* what the kernel makes of a program that is setuid or was root's */
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		if (write(fds[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(read(fds[0], &c, 1), 1);
	close(fds[0]);
	*ret_fd = fds[1];
	return pid;
}

/*
 * One that is its user's no more is nobody's for good; the kernel is asked once a cycle, and not of
 * one that ended.
 */
START_TEST(owners_are_lost)
{
	uid_t uid = getuid() ? getuid() : 61001;
	int fd;
	pid_t pid = make_child(&fd);
	struct target k = { .info = { .pid = pid, .uid = uid } }, own = k, rooted = k, dying = k;
	struct api_peer peer = somebody(uid);
	struct selectors s = {};

	api_limit(&peer, &s);
	/* asked in this cycle already */
	k.owner_asked = 7;
	ck_assert_uint_eq(target_owner(&k, 6), uid);
	ck_assert(target_is_visible(&k, &s, 6));
	ck_assert(!target_is_visible(&k, &s, 7));
	ck_assert_uint_eq(k.info.uid, PROCESS_NO_UID);
	ck_assert(!target_is_visible(&k, &s, 8));
	s.owned = false;
	ck_assert(target_is_visible(&k, &s, 8));
	s.owned = true;
	dying.dying = 3;
	ck_assert(target_is_visible(&dying, &s, 7));
	rooted.info.uid = 0;
	ck_assert_uint_eq(target_owner(&rooted, 7), 0);
	ck_assert(!target_is_visible(&rooted, &s, 7));
	/* gone: what it was last */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_uint_eq(target_owner(&own, 7), uid);
	ck_assert(!access_process(&peer, &own));
	own = (struct target){ .info = { .pid = getpid(), .uid = getuid() } };
	ck_assert_uint_eq(target_owner(&own, 9), getuid());
	close(fd);
}
END_TEST

/* Recordings have what their maker may see and their selectors are for, and nothing else. */
START_TEST(recordings_want)
{
	struct api_peer one = somebody(61001);
	struct recording r = { .all = &all };
	struct target k = { .info = { .pid = 4711, .uid = 61001 },
			    .python = { .version = "3.13.0" },
			    .dying = 3 };

	begin();
	api_limit(&one, &r.whom.selectors);
	ck_assert(recording_wants(&r, &k));
	k.info.uid = 61002;
	ck_assert(!recording_wants(&r, &k));
	k.info.uid = PROCESS_NO_UID;
	ck_assert(!recording_wants(&r, &k));
	k.info.uid = 61001;
	ck_assert_int_eq(whom_add_pid(&r.whom, 4712), 0);
	ck_assert(!recording_wants(&r, &k));
	ck_assert_int_eq(whom_add_pid(&r.whom, 4711), 0);
	ck_assert(recording_wants(&r, &k));
	k.info.uid = 0;
	ck_assert(!recording_wants(&r, &k));
	api_limit(&root, &r.whom.selectors);
	ck_assert(recording_wants(&r, &k));
	whom_done(&r.whom);
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

	api_limit(&root, &s);
	ck_assert(!s.owned);
	selectors_tally(&s, &p);
	ck_assert_mem_eq(&p.tally, &whole, sizeof(whole));
	api_limit(&one, &s);
	ck_assert(s.owned);
	ck_assert_uint_eq(s.uid, 61001);
	selectors_tally(&s, &p);
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
	ck_assert_ptr_null(all.items[at]);
	r->all = &all;
	r->state = state;
	r->keep_until = 1000 - at;
	api_limit(peer, &r->whom.selectors);
	all.items[at] = r;
	return r;
}

START_TEST(recordings_are_their_makers)
{
	struct api_peer one = somebody(61001), two = somebody(61002),
			nobody = somebody(PROCESS_NO_UID);
	struct recording *r;

	begin();
	r = add_recording(&one, 0, RECORDING_RUNNING);
	ck_assert(access_recording(&one, r) && access_recording(&root, r));
	ck_assert(!access_recording(&two, r) && !access_recording(&nobody, r));
	r = add_recording(&root, 1, RECORDING_RUNNING);
	ck_assert(access_recording(&root, r));
	ck_assert(!access_recording(&one, r) && !access_recording(&nobody, r));
	r = add_recording(&nobody, 2, RECORDING_RUNNING);
	ck_assert(!access_recording(&nobody, r));
	recordings_done(&all);
}
END_TEST

/*
 * A user's own recordings that have ended make room for the user's next one, and nobody else's do.
 */
START_TEST(room_for_one_more)
{
	struct api_peer one = somebody(61001), two = somebody(61002);
	struct api_request q = { .peer = one };
	struct recording *other;
	size_t at = 0;

	begin();
	other = add_recording(&two, at++, RECORDING_DONE);
	for (; at < ACCESS_RECORDINGS_MAX; at++)
		add_recording(&one, at, at % 2 ? RECORDING_DONE : RECORDING_RUNNING);
	ck_assert_int_eq(access_record(&q, &all), 0);
	ck_assert_ptr_nonnull(all.items[ACCESS_RECORDINGS_MAX - 1]);
	add_recording(&one, at++, RECORDING_DONE);
	/* the last has the least time left */
	ck_assert_int_eq(access_record(&q, &all), 0);
	ck_assert_ptr_null(all.items[ACCESS_RECORDINGS_MAX]);
	ck_assert_ptr_eq(all.items[0], other);
	recordings_done(&all);
}
END_TEST

CHECK_MAIN("plopd/access", ones_own_process, now_and_then, who_sees_what, one_service,
	   owners_are_lost, recordings_want, profiles, recordings_are_their_makers,
	   room_for_one_more);
