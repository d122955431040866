/* SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/eventfd.h>

#include "util/clock.h"
#include "util/loop_timing.h"
#include "util/worker.h"

struct job {
	void (*run)(void *ctx);
	void (*done)(void *ctx);
	void *ctx;
	struct job *next;
};

struct job_list {
	struct job *first, **last;
};

struct worker {
	pthread_t thread;
	const char *name;
	bool running;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job_list waiting, finished;
	unsigned int queued, max;
	bool stop;
	int fd; /* eventfd: finished is not empty */
	sd_event_source *source;
};

static void job_list_add(struct job_list *l, struct job *j)
{
	j->next = NULL;
	*l->last = j;
	l->last = &j->next;
}

static struct job *job_list_take(struct job_list *l)
{
	struct job *j = l->first;

	if (j) {
		l->first = j->next;
		if (!l->first)
			l->last = &l->first;
	}
	return j;
}

static void *worker_main(void *ctx)
{
	struct worker *w = ctx;
	uint64_t one = 1;

	/* by itself: another's is written to /proc */
	pthread_setname_np(pthread_self(), w->name);
	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct job *j = job_list_take(&w->waiting);

		if (!j) {
			if (w->stop)
				break;
			pthread_cond_wait(&w->more, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		j->run(j->ctx);
		pthread_mutex_lock(&w->lock);
		w->queued--;
		job_list_add(&w->finished, j);
		if (write(w->fd, &one, sizeof(one)) < 0) {
			/* only a full counter could refuse, and then the loop is woken anyway */
		}
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void worker_finish(struct worker *w)
{
	struct job *j;

	for (;;) {
		pthread_mutex_lock(&w->lock);
		j = job_list_take(&w->finished);
		pthread_mutex_unlock(&w->lock);
		if (!j)
			return;
		if (j->done)
			j->done(j->ctx);
		free(j);
	}
}

static int worker_event(sd_event_source *source, int fd, uint32_t revents, void *ctx)
{
	uint64_t n;

	loop_part("what a worker has done");
	if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return -errno;
	worker_finish(ctx);
	return 0;
}

int worker_new(sd_event *loop, const char *name, unsigned int max, struct worker **ret)
{
	_cleanup_(worker_freep) struct worker *w = calloc(1, sizeof(*w));
	sigset_t all, before;
	int r;

	if (!w)
		return -ENOMEM;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	w->waiting.last = &w->waiting.first;
	w->finished.last = &w->finished.first;
	w->max = max;
	w->name = name;
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd < 0)
		return -errno;
	r = sd_event_add_io(loop, &w->source, w->fd, 1 /* EPOLLIN */, worker_event, w);
	if (r < 0)
		return r;
	/* signals are the loop's business */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return -r;
	w->running = true;
	*ret = TAKE_PTR(w);
	return 0;
}

static int submit(struct worker *w, unsigned int max, void (*run)(void *ctx),
		  void (*done)(void *ctx), void *ctx)
{
	_cleanup_free_ struct job *j = malloc(sizeof(*j));
	int r = 0;

	if (!j)
		return -ENOMEM;
	*j = (struct job){ .run = run, .done = done, .ctx = ctx };
	pthread_mutex_lock(&w->lock);
	if (w->queued >= max) {
		r = -EAGAIN;
	} else {
		w->queued++;
		job_list_add(&w->waiting, TAKE_PTR(j));
		pthread_cond_signal(&w->more);
	}
	pthread_mutex_unlock(&w->lock);
	return r;
}

int worker_submit(struct worker *w, void (*run)(void *ctx), void (*done)(void *ctx), void *ctx)
{
	return submit(w, w->max, run, done, ctx);
}

int worker_continue(struct worker *w, void (*run)(void *ctx), void (*done)(void *ctx), void *ctx)
{
	return submit(w, UINT_MAX, run, done, ctx);
}

uint64_t worker_cpu_ns(const struct worker *w)
{
	clockid_t clock;

	return pthread_getcpuclockid(w->thread, &clock) == 0 ? clock_ns(clock) : 0;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	if (w->running) {
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		pthread_cond_signal(&w->more);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
		worker_finish(w);
	}
	sd_event_source_disable_unref(w->source);
	if (w->fd >= 0)
		close(w->fd);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->more);
	free(w);
}
