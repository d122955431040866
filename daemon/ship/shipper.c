/* SPDX-License-Identifier: BSD-2-Clause */
#include "ship/shipper.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>

#include "ship/any.h"
#include "ship/batch.h"
#include "ship/cursor.h"
#include "ship/link.h"
#include "ship/weigh.h"
#include "util/clock.h"
#include "util/heap.h"
#include "util/log.h"

/* Until plop.db is looked at again, at most; less where windows are short. */
#define LOOK_NS NSEC_PER_SEC
/* What waits is sent so much faster than it came about. */
#define CATCH_UP 20
/* All hosts' windows end at once: each host has a time of its own within this part of a window. */
#define SPREAD_PART 4
/* From one attempt to the next: twice as long each time, up to the second of these. */
#define RETRY_NS      NSEC_PER_SEC
#define RETRY_MOST_NS (300 * NSEC_PER_SEC)
/* A window that the store finds too large has half the rows, down to so many. */
#define ROWS_LEAST 100
/* How often the store is asked what it has of this host's services. */
#define ASK_NS (3600 * NSEC_PER_SEC)

struct shipper {
	const struct config *config;
	struct ship_plan plan;
	struct ship_host host;
	char name[256]; /* of the host */
	pthread_t thread;
	bool running;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t woken;
	bool stop;
	struct ship_facts facts;

	/* the thread's */
	struct ship_link link;
	int lock_fd;
	bool begun; /* it is known who the host is, and what was sent */
	struct store_reader *reader;
	/* All up to there is in the store; what is from there to place is in the batch. */
	struct store_place there, place;
	struct ship_batch batch;
	struct ship_pace pace;
	struct head next; /* the window that is to be sent, and the place behind it */
	struct store_place next_place;
	uint64_t behind;         /* windows behind place */
	struct cursor_part part; /* of a window that may be the next one */
	int64_t waited_for;      /* its host's time has come */
	uint32_t rows;
	unsigned int failed; /* times one after the other */
	int said;            /* why, the last time that it was logged: a negative errno */
	char why[512];
	bool refusing; /* the store did not take what it was sent last */
	unsigned int retry_after_s;
	uint64_t retry_ns;        /* nothing is tried before, CLOCK_MONOTONIC */
	bool away;                /* the store, when a call failed last */
	struct services services; /* where the plan tells them apart */
	uint64_t ask_ns;          /* when the store is asked of them, CLOCK_MONOTONIC */
	struct requests requests; /* what this host is asked for beyond the plan */
};

static int say(struct shipper *s, int r, const char *sentence)
{
	snprintf(s->why, sizeof(s->why), "%s", sentence);
	return r;
}

/* Within both bounds. */
static uint64_t between(uint64_t n, uint64_t least, uint64_t most)
{
	return n > most ? most : MAX(n, least);
}

bool ship_wanted(const struct config *c)
{
	return *c->fleet_store;
}

/* A call has failed. */
static int trouble(struct shipper *s, int r, const struct ship_trouble *why)
{
	s->retry_after_s = why->retry_after_s;
	s->away = why->away;
	return say(s, r, *why->sentence ? why->sentence : strerror(-r));
}

/* Who the host is, and what was sent. */
static int begin(struct shipper *s)
{
	const char *folder = s->config->fleet_state_dir;
	_cleanup_free_ char *error = NULL;
	int r;

	if (s->begun)
		return 0;
	if (s->lock_fd < 0)
		s->lock_fd = cursor_lock(folder);
	if (s->lock_fd == -EBUSY) {
		snprintf(s->why, sizeof(s->why),
			 "another plop-gateway ships from %.200s: give this one a state_dir of its "
			 "own in [fleet] of plop.conf",
			 folder);
		return -EBUSY;
	}
	if (s->lock_fd < 0) {
		snprintf(s->why, sizeof(s->why),
			 "cannot write to %.200s: %s; see state_dir in [fleet] of plop.conf",
			 folder, strerror(-s->lock_fd));
		return s->lock_fd;
	}
	r = cursor_host_id(folder, &s->host.id, &error);
	if (r < 0)
		return say(s, r, error ? error : strerror(-r));
	r = cursor_read(folder, &s->there);
	if (r == -EBADMSG)
		log_warning("what was sent to the store is not known any more, as %s/shipped is "
			    "damaged: all that plop.db has is sent again, which %s",
			    folder, s->link.adds_up ? "counts twice there" : "doubles nothing");
	else if (r < 0 && r != -ENOENT)
		return say(s, r, strerror(-r));
	s->place = s->there;
	/* where it is not known, what went of a window goes again */
	cursor_read_part(folder, &s->part);
	/* versions that were there before are no new ones; where that cannot be read they are */
	if (ship_tells_services(&s->plan) && s->there.any)
		services_learn(&s->services, s->config->state_dir, s->there.end_ns);
	s->begun = true;
	pthread_mutex_lock(&s->lock);
	s->pace.part = s->host.id;
	snprintf(s->facts.host_id, sizeof(s->facts.host_id), "%016" PRIx64, s->host.id);
	s->facts.last_end_ns = s->place.any ? s->place.end_ns : 0;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* 1: there is one to send; 0: there is none. */
static int find_next(struct shipper *s)
{
	_cleanup_free_ char *error = NULL;
	uint64_t behind = 0;
	int r = 0;

	s->behind = 0;
	if (!s->reader)
		r = store_reader_open(s->config->state_dir, &s->reader, &error);
	if (r == 0)
		r = store_follow(s->reader, &s->place, &s->next, &s->next_place);
	if (r == 0)
		r = store_behind(s->reader, &s->place, &s->behind);
	if (r == 0)
		r = store_behind(s->reader, &s->there, &behind);
	if (r < 0 && s->reader) {
		store_reader_close(s->reader);
		s->reader = NULL;
	}
	pthread_mutex_lock(&s->lock);
	s->facts.behind = behind;
	pthread_mutex_unlock(&s->lock);
	/* there is no plop.db yet, or nothing in it */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return say(s, r, error ? error : "plop.db cannot be read: see plopd's log");
	return 1;
}

/* All up to place is in the store, or was left out. */
static void arrived(struct shipper *s)
{
	const struct ship_batch *b = &s->batch;

	s->there = s->place;
	s->rows = (uint32_t)s->config->fleet_rows;
	services_keep(&s->services);
	pthread_mutex_lock(&s->lock);
	s->facts.windows += b->windows;
	s->facts.cpu_ns += b->cpu_ns;
	s->facts.passed_over += b->passed_over;
	s->facts.missed += b->missed;
	s->facts.behind = s->behind;
	s->facts.last_end_ns = s->there.end_ns;
	pthread_mutex_unlock(&s->lock);
	s->batch = (struct ship_batch){};
}

static void kept(struct shipper *s, int r)
{
	if (r < 0)
		log_warning_r(r, "Cannot write to %s: windows may be sent twice, which %s",
			      s->config->fleet_state_dir,
			      s->link.adds_up ? "counts twice in the store" : "doubles nothing");
}

/* A part of the window that is sent is there, or never will be. */
static void went(void *ctx, const struct ship_part *part)
{
	struct shipper *s = ctx;

	pthread_mutex_lock(&s->lock);
	if (part->refused) {
		s->facts.refused += part->samples;
		snprintf(s->facts.refusal, sizeof(s->facts.refusal), "%s", part->refused);
	} else {
		s->facts.samples += part->samples;
		s->facts.rows += part->rows;
		s->facts.last_sent_ns = clock_ns(CLOCK_REALTIME);
	}
	pthread_mutex_unlock(&s->lock);
	if (part->refused && !s->refusing)
		log_warning("%s", part->refused);
	s->refusing = part->refused;
	s->failed = 0;
	if (part->done == part->all)
		return;
	s->part = (struct cursor_part){ .writer = s->next_place.writer,
					.id = s->next_place.id,
					.rows = part->done,
					.all = part->all };
	kept(s, cursor_write_part(s->config->fleet_state_dir, &s->part));
}

/* What is not in the store for sure is sent again. */
static void go_back(struct shipper *s)
{
	s->place = s->there;
	services_go_back(&s->services);
	s->batch = (struct ship_batch){};
}

/* Goes past a window, which is counted there. */
static void pass(struct shipper *s, uint64_t *counter)
{
	if (s->place.any && s->place.writer == s->next_place.writer &&
	    s->next_place.id > s->place.id)
		s->batch.missed += (uint64_t)(s->next_place.id - s->place.id - 1);
	services_count(&s->services);
	s->place = s->next_place;
	(*counter)++;
	if (s->behind)
		s->behind--;
	if (!s->batch.windows)
		arrived(s);
}

/* Sends the batch. */
static int flush(struct shipper *s)
{
	uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID), most = s->batch.windows;
	struct ship_trouble why = {};
	struct ship_part all = {};
	int r = s->link.target->ops->flush ?
			s->link.target->ops->flush(s->link.target, &all, &why) :
			0;

	if (r == -E2BIG && (most > 1 || s->rows > ROWS_LEAST)) {
		if (most == 1)
			s->rows = (uint32_t)between(all.rows / 2, ROWS_LEAST, s->rows);
		s->pace.most = MAX(most / 2, UINT64_C(1));
		go_back(s);
		return 0;
	}
	if (r < 0)
		return trouble(s, r, &why);
	kept(s, cursor_write(s->config->fleet_state_dir, &s->place));
	if (s->link.target->ops->flush)
		went(s, &all);
	s->batch.cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	s->pace.most = MIN(s->pace.most + 1, (uint64_t)SHIP_BATCH_MOST);
	arrived(s);
	pthread_mutex_lock(&s->lock);
	s->facts.bytes = link_sent(&s->link);
	pthread_mutex_unlock(&s->lock);
	/* a window with many new stacks takes more than all that follow */
	heap_give_back();
	return 0;
}

/* What the store has of this host's services; where it does not say, what it said last holds. */
static void ask_of_services(struct shipper *s)
{
	if (!s->link.target->ops->ask || clock_ns(CLOCK_MONOTONIC) < s->ask_ns || !s->services.n)
		return;
	s->link.target->ops->ask(s->link.target, &s->services);
	s->ask_ns = clock_ns(CLOCK_MONOTONIC) + ASK_NS / 2 + any_below(ASK_NS);
}

/*
 * No window is passed over, or waits for others, before it is known that nobody has asked for it. A
 * plan that takes all at once needs not be told.
 */
static int look_for_requests(struct shipper *s)
{
	struct ship_trouble why = {};
	int r = 0;

	if ((!ship_takes_all(&s->plan) || s->config->fleet_delay_ns) &&
	    requests_due(&s->requests, s->config->fleet_poll_ns))
		r = link_requests(&s->link, s->host.id, &s->requests, &why);
	return r < 0 ? trouble(s, r, &why) : 0;
}

static void weights_done(struct ship_weights *w)
{
	free(w->processes);
}

/* 1: there is something to send; 0: the window is passed over. */
static int read_window(struct shipper *s, struct profile **ret, struct ship_weights *ret_weights)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int r = store_followed(s->reader, &s->next_place, &p);

	if (r == 0)
		r = ship_bound(&p, s->rows);
	if (r < 0)
		return r;
	ret_weights->processes = calloc(p->nprocesses + (size_t)1, sizeof(uint64_t));
	if (!ret_weights->processes)
		return -ENOMEM;
	if (ship_tells_services(&s->plan)) {
		/* all of them are known before the store is asked */
		ship_weigh(&s->plan, s->host.id, p, &s->services, ret_weights);
		ask_of_services(s);
	}
	ret_weights->all = requests_want(&s->requests, p->start_ns, p->end_ns);
	if (!ship_weigh(&s->plan, s->host.id, p, &s->services, ret_weights) && !ret_weights->all)
		return 0;
	*ret = TAKE_PTR(p);
	return 1;
}

/* The window is in the batch. */
static void joins(struct shipper *s, bool full, bool urgent, uint64_t cpu_ns)
{
	struct ship_batch *b = &s->batch;

	if (!b->windows) {
		b->since_ns = clock_ns(CLOCK_MONOTONIC);
		b->end_ns = s->next.end_ns;
	}
	/* after a failure it shows soon whether all is well again */
	b->full = full || !s->link.target->ops->flush || s->failed;
	b->urgent = b->urgent || urgent;
	b->windows++;
	pass(s, &(uint64_t){ 0 });
	b->cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
}

static int send_window(struct shipper *s)
{
	_cleanup_(weights_done) struct ship_weights weights = {};
	_cleanup_(profile_freep) struct profile *p = NULL;
	uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct ship_trouble why = {};
	struct ship_window window;
	uint32_t rows = 0;
	int r = read_window(s, &p, &weights);

	if (r == -ENOENT || r == 0) {
		pass(s, r ? &s->batch.missed : &s->batch.passed_over);
		return 0;
	}
	if (r < 0)
		return say(s, r, "a window cannot be read from plop.db: see plopctl fsck");
	window = (struct ship_window){ .profile = p,
				       .host = &s->host,
				       .place = &s->next_place,
				       .weights = &weights,
				       .went = went,
				       .ctx = s };
	if (s->part.writer == s->next_place.writer && s->part.id == s->next_place.id) {
		window.done = s->part.rows;
		window.all = s->part.all;
	}
	r = s->link.target->ops->send(s->link.target, &window, &rows, &why);
	if (r == -E2BIG && s->rows > ROWS_LEAST) {
		s->rows = (uint32_t)between(rows / 2, ROWS_LEAST, s->rows);
		return 0;
	}
	if (r < 0)
		return trouble(s, r, &why);
	joins(s, r > 0, weights.urgent || weights.all, cpu_ns);
	return 0;
}

static bool is_due(const struct shipper *s)
{
	return ship_batch_due(&s->batch, &s->pace, s->behind, clock_ns(CLOCK_MONOTONIC),
			      clock_ns(CLOCK_REALTIME));
}

/* The next window, if there is one. How long to wait then, or a negative errno. */
static int64_t go_on(struct shipper *s)
{
	uint64_t length = s->next.end_ns > s->next.start_ns ? s->next.end_ns - s->next.start_ns : 0;
	struct ship_trouble why = {};
	int r;

	length = MIN(length, 3600 * NSEC_PER_SEC);
	if (!ship_tells_services(&s->plan) &&
	    !ship_takes_head(&s->plan, s->host.id, s->next.start_ns) &&
	    !requests_want(&s->requests, s->next.start_ns, s->next.end_ns)) {
		pass(s, &s->batch.passed_over);
		/* those that come between count in how fast it catches up, too */
		return (int64_t)(s->behind ? length / CATCH_UP : 0);
	}
	if (s->behind == 1 && s->waited_for != s->next_place.id) {
		s->waited_for = s->next_place.id;
		return (int64_t)(s->host.id % (length / SPREAD_PART + 1));
	}
	r = link_reach(&s->link, &why);
	r = r < 0 ? trouble(s, r, &why) : send_window(s);
	if (r == 0 && is_due(s))
		r = flush(s);
	return r < 0 ? r : (int64_t)(length / CATCH_UP);
}

static int64_t step(struct shipper *s)
{
	uint64_t look = between(s->config->window_ns / 5, LOOK_NS / 5, LOOK_NS);
	bool later = clock_ns(CLOCK_MONOTONIC) < s->retry_ns;
	int r = later && !s->begun ? 0 : begin(s);

	/* how much waits is looked at meanwhile, too */
	if (r == 0 && s->begun && !later)
		r = look_for_requests(s);
	if (r == 0 && s->begun)
		r = find_next(s);
	if (later)
		return (int64_t)look;
	/* what cannot be read keeps nobody waiting who could be */
	if (s->batch.windows && (r < 0 || is_due(s)))
		return flush(s);
	if (r <= 0)
		return r < 0 ? r : (int64_t)look;
	return go_on(s);
}

/* Says when to try again after a failure, which is told once as long as it is the same. */
static void fail(struct shipper *s, int r)
{
	uint64_t ns = s->failed < 10 ? MIN(RETRY_NS << s->failed, RETRY_MOST_NS) : RETRY_MOST_NS;

	s->failed++;
	go_back(s);
	/* another password may be there, or other tables; what it had may be lost */
	if (r == -EACCES || r == -ENOENT || (r == -EAGAIN && s->away))
		link_leave(&s->link);
	ns = ns / 2 + any_below(ns / 2);
	ns = MAX(ns, s->retry_after_s * NSEC_PER_SEC);
	s->retry_after_s = 0;
	if (s->said != r)
		log_warning("%s; windows wait in plop.db", s->why);
	s->said = r;
	pthread_mutex_lock(&s->lock);
	s->facts.failures++;
	s->facts.retry_ns = clock_ns(CLOCK_REALTIME) + ns;
	memcpy(s->facts.error, s->why, sizeof(s->facts.error));
	pthread_mutex_unlock(&s->lock);
	s->retry_ns = clock_ns(CLOCK_MONOTONIC) + ns;
}

static void went_well(struct shipper *s)
{
	if (s->said)
		log_info("windows go to %s again", s->facts.place);
	s->failed = 0;
	s->said = 0;
	pthread_mutex_lock(&s->lock);
	s->facts.retry_ns = 0;
	*s->facts.error = '\0';
	pthread_mutex_unlock(&s->lock);
}

/* False: it is to end. */
static bool wait_for(struct shipper *s, uint64_t ns)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + ns;
	const struct timespec at = { .tv_sec = (time_t)(until / NSEC_PER_SEC),
				     .tv_nsec = (long)(until % NSEC_PER_SEC) };
	bool stop;

	pthread_mutex_lock(&s->lock);
	while (!s->stop && clock_ns(CLOCK_MONOTONIC) < until)
		pthread_cond_timedwait(&s->woken, &s->lock, &at);
	stop = s->stop;
	pthread_mutex_unlock(&s->lock);
	return !stop;
}

static void *run(void *ctx)
{
	struct shipper *s = ctx;
	uint64_t ns = 0, windows;

	/* by itself: another's is written to /proc */
	pthread_setname_np(pthread_self(), "plop-ship");
	while (wait_for(s, ns)) {
		bool tried = clock_ns(CLOCK_MONOTONIC) >= s->retry_ns;
		int64_t r;

		windows = s->facts.windows;
		r = step(s);
		if (r < 0)
			fail(s, (int)r);
		ns = r < 0 ? 0 : (uint64_t)r;
		/* what has failed goes well when a window has arrived, or all is there */
		if (r >= 0 && tried && s->said && (s->facts.windows != windows || !s->facts.behind))
			went_well(s);
	}
	return NULL;
}

static int start(struct shipper *s)
{
	sigset_t all, before;
	int r;

	/* signals are the loop's business */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r < 0)
		return r;
	s->running = true;
	return 0;
}

int ship_new(const struct config *c, struct shipper **ret, char **ret_error)
{
	_cleanup_(ship_freep) struct shipper *s = calloc(1, sizeof(*s));
	pthread_condattr_t attributes;
	int r;

	if (!s)
		return -ENOMEM;
	s->config = c;
	s->lock_fd = -EBADF;
	s->rows = (uint32_t)c->fleet_rows;
	s->pace = (struct ship_pace){ .delay_ns = c->fleet_delay_ns, .most = SHIP_BATCH_MOST };
	s->plan = ship_plan_of(c);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&s->woken, &attributes);
	pthread_condattr_destroy(&attributes);
	r = link_open(&s->link, c, ret_error);
	if (r < 0)
		return r;
	if (gethostname(s->name, sizeof(s->name) - 1) < 0)
		return -errno;
	s->host = (struct ship_host){ .name = s->name, .region = c->fleet_region };
	snprintf(s->facts.place, sizeof(s->facts.place), "%s", c->fleet_store);
	r = start(s);
	if (r == 0)
		*ret = TAKE_PTR(s);
	return r;
}

void ship_free(struct shipper *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->woken);
	pthread_mutex_unlock(&s->lock);
	link_stop(&s->link);
	if (s->running)
		pthread_join(s->thread, NULL);
	link_close(&s->link);
	services_done(&s->services);
	store_reader_close(s->reader);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	pthread_cond_destroy(&s->woken);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void ship_look(struct shipper *s, struct ship_facts *ret)
{
	pthread_mutex_lock(&s->lock);
	*ret = s->facts;
	pthread_mutex_unlock(&s->lock);
}
