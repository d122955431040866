/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "examiner/private.h"
#include "plop/limits.h"
#include "util/clock.h"
#include "util/log.h"

/*
 * A user is distrusted whose processes have kept helpers waiting so often, and for how long from
 * the last time on. Once may happen to anybody whose memory is on a slow disk.
 */
#define DISTRUST_TIMES 3
#define DISTRUST_NS    (600 * NSEC_PER_SEC)
/* Users remembered so; when there are more, the one whose time is over first goes. */
#define DISTRUSTED_MAX 1024

int examiner_new(struct examiner **ret)
{
	_cleanup_(examiner_freep) struct examiner *e = calloc(1, sizeof(*e));
	int ends[2];

	if (!e)
		return -ENOMEM;
	e->spawner = -EBADF;
	e->still_usec = 500 * USEC_PER_MSEC;
	e->fork_usec = 10 * USEC_PER_MSEC;
	e->idle_usec = 5 * USEC_PER_SEC;
	TAILQ_INIT(&e->refused);
	for (int i = 0; i < LANES; i++) {
		TAILQ_INIT(&e->waiting[i]);
		for (int r = 0; r < LANE_HELPERS; r++)
			e->helpers[i][r] = (struct helper){ .examiner = e,
							    .lane = (enum lane)i,
							    .fd = -EBADF };
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	e->spawner_pid = fork();
	if (e->spawner_pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return -errno;
	}
	if (e->spawner_pid == 0) {
		close(ends[0]);
		spawner_run(ends[1]);
	}
	close(ends[1]);
	e->spawner = ends[0];
	*ret = TAKE_PTR(e);
	return 0;
}

static struct helper *helper_of(struct examiner *e, uint32_t serial)
{
	for (int i = 0; i < LANES; i++) {
		for (int r = 0; r < LANE_HELPERS; r++) {
			if (e->helpers[i][r].fd >= 0 && e->helpers[i][r].serial == serial)
				return &e->helpers[i][r];
		}
	}
	return NULL;
}

/* What the spawner tells: a helper was forked, or has ended. */
static int spawner_event(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct examiner *e = ctx;
	struct spawner_message m;
	struct helper *h;
	ssize_t n = recv(fd, &m, sizeof(m), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n != sizeof(m)) {
		return sd_event_exit(e->loop, EXAMINER_ENDED);
	}
	h = helper_of(e, m.serial);
	if (h && m.pid)
		h->pid = m.pid;
	/* what ends by itself is noticed by its socket */
	for (unsigned int i = 0; !m.pid && i < e->given_up; i++) {
		if (e->given_up_serials[i] == m.serial)
			e->given_up_serials[i] = e->given_up_serials[--e->given_up];
	}
	return 0;
}

static void answer_refused(struct examiner *e, int result)
{
	struct unpack nothing = {};
	struct question *q;

	while ((q = TAILQ_FIRST(&e->refused))) {
		TAILQ_REMOVE(&e->refused, q, questions);
		question_answer(e, q, result ? result : q->result, &nothing);
	}
}

static int refuse_due(sd_event_source *s, void *ctx)
{
	answer_refused(ctx, 0);
	return 0;
}

/* Whoever is asked has been at it for a while: others may be forked for those that wait. */
static int fork_due(sd_event_source *s, uint64_t usec, void *ctx)
{
	for (int i = 0; i < LANES; i++)
		examiner_dispatch(ctx, (enum lane)i);
	return 0;
}

static void question_refuse(struct examiner *e, struct question *q, int result)
{
	q->result = result;
	TAILQ_INSERT_TAIL(&e->refused, q, questions);
	sd_event_source_set_enabled(e->refuse, SD_EVENT_ONESHOT);
}

int examiner_start(struct examiner *e, sd_event *loop)
{
	int r;

	e->loop = sd_event_ref(loop);
	r = sd_event_add_defer(loop, &e->refuse, refuse_due, e);
	if (r >= 0)
		r = sd_event_source_set_enabled(e->refuse, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(loop, &e->fork, CLOCK_MONOTONIC, 0, USEC_PER_MSEC,
					       fork_due, e);
	if (r >= 0)
		r = sd_event_source_set_enabled(e->fork, SD_EVENT_OFF);
	return r < 0 ? r : sd_event_add_io(loop, &e->io, e->spawner, EPOLLIN, spawner_event, e);
}

void examiner_free(struct examiner *e)
{
	struct unpack nothing = {};
	struct distrusted *d, *next;

	if (!e)
		return;
	e->ending = true;
	for (int i = 0; i < LANES; i++) {
		struct question *q;

		for (int r = 0; r < LANE_HELPERS; r++) {
			q = TAKE_PTR(e->helpers[i][r].question);
			helper_close(&e->helpers[i][r], false);
			if (q)
				question_answer(e, q, -ECANCELED, &nothing);
		}
		while ((q = TAILQ_FIRST(&e->waiting[i]))) {
			TAILQ_REMOVE(&e->waiting[i], q, questions);
			question_answer(e, q, -ECANCELED, &nothing);
		}
	}
	answer_refused(e, -ECANCELED);
	HASH_ITER(hh, e->distrusted, d, next)
	{
		HASH_DEL(e->distrusted, d);
		free(d);
	}
	sd_event_source_disable_unref(e->refuse);
	sd_event_source_disable_unref(e->fork);
	sd_event_source_disable_unref(e->io);
	/* the spawner ends with its socket, at once, and kills what is left */
	if (e->spawner >= 0) {
		close(e->spawner);
		waitpid(e->spawner_pid, NULL, 0);
	}
	sd_event_unref(e->loop);
	free(e);
}

void examiner_keep_account(struct examiner *e, const struct examiner_account *a)
{
	e->account = *a;
}

void examiner_spent(struct examiner *e, const struct question *q, uint64_t ns)
{
	if (e->account.spent && !q->who.on_house)
		e->account.spent(e->account.ctx, q->who.user, ns);
}

static enum examiner_credit credit_of(const struct examiner *e, uid_t user)
{
	return e->account.credit ? e->account.credit(e->account.ctx, user) : EXAMINER_CREDIT_EASY;
}

void question_answer(struct examiner *e, struct question *q, int r, struct unpack *body)
{
	uint64_t began = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	q->done(q->ctx, r, body);
	if (r != -ECANCELED)
		examiner_spent(e, q, clock_ns(CLOCK_THREAD_CPUTIME_ID) - began);
	buf_free(&q->body);
	free(q);
}

bool examiner_distrusts(const struct examiner *e, uid_t user)
{
	struct distrusted *d;

	HASH_FIND(hh, e->distrusted, &user, sizeof(user), d);
	return (d && d->times >= DISTRUST_TIMES && clock_ns(CLOCK_MONOTONIC) < d->until_ns) ||
	       credit_of(e, user) != EXAMINER_CREDIT_EASY;
}

void examiner_timed_out(struct examiner *e, const struct question *q)
{
	struct distrusted *d, *k, *next;

	e->timeouts++;
	HASH_FIND(hh, e->distrusted, &q->who.user, sizeof(q->who.user), d);
	if (!d && HASH_COUNT(e->distrusted) >= DISTRUSTED_MAX) {
		d = e->distrusted;
		HASH_ITER(hh, e->distrusted, k, next)
		{
			if (k->until_ns < d->until_ns)
				d = k;
		}
		HASH_DEL(e->distrusted, d);
		free(TAKE_PTR(d));
	}
	if (!d) {
		d = calloc(1, sizeof(*d));
		if (!d)
			return;
		d->user = q->who.user;
		HASH_ADD(hh, e->distrusted, user, sizeof(d->user), d);
	}
	if (clock_ns(CLOCK_MONOTONIC) >= d->until_ns)
		d->times = 0;
	d->times++;
	d->until_ns = clock_ns(CLOCK_MONOTONIC) + DISTRUST_NS;
}

/*
 * Whether a question waits for one that is at work, rather than that another is asked or forked:
 * each reads by itself the binaries that it meets, most questions take less than a millisecond, and
 * one that is not needed ends.
 */
static bool lane_is_patient(struct examiner *e, enum lane lane)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (e->nwaiting[lane] > LANE_PATIENT)
		return false;
	for (int r = 0; r < LANE_HELPERS; r++) {
		struct helper *h = &e->helpers[lane][r];

		if (h->question && now - h->asked_ns < e->fork_usec * 1000)
			return sd_event_source_get_enabled(e->fork, NULL) > 0 ||
			       (sd_event_source_set_time_relative(e->fork, e->fork_usec) >= 0 &&
				sd_event_source_set_enabled(e->fork, SD_EVENT_ONESHOT) >= 0);
	}
	return false;
}

/* A free helper of a lane that may be asked about this process now; NULL: none. */
static struct helper *lane_helper(struct examiner *e, enum lane lane, const struct question *q)
{
	bool distrusted = examiner_distrusts(e, q->who.user);
	struct helper *found = NULL;

	for (int r = 0; r < LANE_HELPERS; r++) {
		struct helper *h = &e->helpers[lane][r];

		/* one that is there rather than one that has to be forked */
		if (!h->question) {
			if (!found || (found->fd < 0 && h->fd >= 0))
				found = h;
		} else if (h->question->who.pid == q->who.pid) {
			return NULL;
		} else if (distrusted && examiner_distrusts(e, h->question->who.user)) {
			return NULL;
		}
	}
	return found && found != &e->helpers[lane][0] && lane_is_patient(e, lane) ? NULL : found;
}

/* Whether nothing more is asked about whoever it is about. */
static bool question_is_hopeless(const struct examiner *e, const struct question *q)
{
	return e->given_up >= 2 * GIVEN_UP_MAX ||
	       (e->given_up >= GIVEN_UP_MAX && examiner_distrusts(e, q->who.user));
}

/* Why it is not asked; 0: it may be. */
static int question_refusal(const struct examiner *e, const struct question *q)
{
	if (question_is_hopeless(e, q))
		return -EBUSY;
	if (q->who.on_house || credit_of(e, q->who.user) != EXAMINER_CREDIT_NONE)
		return 0;
	e->account.refused(e->account.ctx, q->who.user);
	return -EAGAIN;
}

static bool lane_is_busy(const struct examiner *e, enum lane lane)
{
	for (int r = 0; r < LANE_HELPERS; r++) {
		if (!e->helpers[lane][r].question)
			return false;
	}
	return true;
}

/*
 * What a question is answered that could not be asked: that its helper ended, or could not be
 * forked, says nothing of whom it is about.
 */
static int not_asked(struct examiner *e, int r)
{
	if (r == -EBUSY || r == -EAGAIN || r == -ENOMEM || r == -E2BIG)
		return r;
	/* that a helper, or the spawner, has ended is said where its socket tells of it */
	if (r != -EPIPE && r != -ECONNRESET)
		seldom_warn(&e->unasked, r, "Cannot have a process read, trying again");
	return -EAGAIN;
}

void examiner_dispatch(struct examiner *e, enum lane lane)
{
	struct question *q, *next;

	if (e->ending)
		return;
	for (q = TAILQ_FIRST(&e->waiting[lane]); q && !lane_is_busy(e, lane); q = next) {
		struct helper *h = lane_helper(e, lane, q);
		int r = question_refusal(e, q);

		next = TAILQ_NEXT(q, questions);
		if (!h && r == 0)
			continue;
		TAILQ_REMOVE(&e->waiting[lane], q, questions);
		e->nwaiting[lane]--;
		if (r == 0)
			r = helper_ask(h, q);
		if (r < 0)
			question_refuse(e, q, not_asked(e, r));
	}
}

void examiner_ask(struct examiner *e, enum examiner_op op, const struct examinee *who,
		  struct buf *body, examiner_done_t done, void *ctx)
{
	bool people = op == EXAMINE_DUMP || op == EXAMINE_ASLEEP || op == EXAMINE_SOURCE;
	enum lane lane = people ? LANE_PEOPLE : LANE_TICKS;
	struct question *q = calloc(1, sizeof(*q));
	struct unpack nothing = {};

	if (!q || e->ending) {
		buf_free(body);
		free(q);
		done(ctx, e->ending ? -ECANCELED : -ENOMEM, &nothing);
		return;
	}
	*q = (struct question){ .op = op, .who = *who, .body = *body, .done = done, .ctx = ctx };
	*body = (struct buf){};
	if (e->nwaiting[lane] >= LANE_QUESTIONS) {
		question_refuse(e, q, -EAGAIN);
		return;
	}
	TAILQ_INSERT_TAIL(&e->waiting[lane], q, questions);
	e->nwaiting[lane]++;
	examiner_dispatch(e, lane);
}

size_t examiner_pending(const struct examiner *e)
{
	size_t n = 0;

	for (int i = 0; i < LANES; i++) {
		n += e->nwaiting[i];
		for (int r = 0; r < LANE_HELPERS; r++)
			n += e->helpers[i][r].question != NULL;
	}
	return n;
}

void examiner_facts(struct examiner *e, struct examiner_facts *ret)
{
	struct helper spawner = { .pid = e->spawner_pid };
	uint64_t ticks = e->cpu_ticks, used;
	char state;

	*ret = (struct examiner_facts){ .given_up = e->given_up, .timeouts = e->timeouts };
	helper_look(&spawner, &used, &state);
	ticks += used;
	ret->private_bytes = helper_bytes(e->spawner_pid);
	ret->helpers = 1;
	for (int i = 0; i < LANES; i++) {
		for (int r = 0; r < LANE_HELPERS; r++) {
			if (e->helpers[i][r].fd < 0)
				continue;
			helper_look(&e->helpers[i][r], &used, &state);
			ticks += used;
			ret->private_bytes += helper_bytes(e->helpers[i][r].pid);
			ret->helpers++;
		}
	}
	ret->cpu_seconds = (double)ticks / (double)sysconf(_SC_CLK_TCK);
}
