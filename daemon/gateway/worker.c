/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "gateway/worker.h"

struct worker {
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t wake;
	bool quit;
	struct worker_job *first, **last;
	unsigned int waiting;
	struct worker_job *done; /* newest first */
	int event;
	sd_event_source *source;
};

static void *work(void *ctx)
{
	struct worker *w = ctx;

	pthread_mutex_lock(&w->lock);
	while (!w->quit) {
		struct worker_job *job = w->first;

		if (!job) {
			pthread_cond_wait(&w->wake, &w->lock);
			continue;
		}
		w->first = job->next;
		if (!w->first)
			w->last = &w->first;
		w->waiting--;
		pthread_mutex_unlock(&w->lock);
		job->run(job);
		pthread_mutex_lock(&w->lock);
		job->next = w->done;
		w->done = job;
		eventfd_write(w->event, 1);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void finish(struct worker_job *job)
{
	while (job) {
		struct worker_job *next = job->next;

		job->done(job);
		job = next;
	}
}

static int on_done(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct worker *w = ctx;
	struct worker_job *done;
	eventfd_t n;

	eventfd_read(fd, &n);
	pthread_mutex_lock(&w->lock);
	done = TAKE_PTR(w->done);
	pthread_mutex_unlock(&w->lock);
	finish(done);
	return 0;
}

int worker_new(sd_event *loop, struct worker **ret)
{
	_cleanup_(worker_freep) struct worker *w = calloc(1, sizeof(*w));
	sigset_t all, old;
	int r;

	if (!w)
		return -ENOMEM;
	w->last = &w->first;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->event < 0)
		return -errno;
	r = sd_event_add_io(loop, &w->source, w->event, EPOLLIN, on_done, w);
	if (r < 0)
		return r;
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	r = pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r > 0)
		return -r;
	w->started = true;
	*ret = TAKE_PTR(w);
	return 0;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	if (w->started) {
		pthread_mutex_lock(&w->lock);
		w->quit = true;
		pthread_cond_signal(&w->wake);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
	}
	finish(w->done);
	finish(w->first);
	sd_event_source_disable_unref(w->source);
	if (w->event >= 0)
		close(w->event);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

int worker_submit(struct worker *w, struct worker_job *job)
{
	int r = -EBUSY;

	pthread_mutex_lock(&w->lock);
	if (w->waiting < WORKER_QUEUE) {
		job->next = NULL;
		*w->last = job;
		w->last = &job->next;
		w->waiting++;
		pthread_cond_signal(&w->wake);
		r = 0;
	}
	pthread_mutex_unlock(&w->lock);
	return r;
}
