/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/loop.h"

#include <sys/epoll.h>

struct http_loop {
	sd_event *loop;
	CURLM *multi;
	sd_event_source *timer, *reap;
};

static int on_reap(sd_event_source *source, void *ctx)
{
	struct http_loop *l = ctx;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(l->multi, &left))) {
		struct http_exchange *e = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&e);
		e->done(e, http_exchange_result(e, m->data.result));
	}
	return 0;
}

static void run(struct http_loop *l, int fd, int events)
{
	int running;

	curl_multi_socket_action(l->multi, fd, events, &running);
	sd_event_source_set_enabled(l->reap, SD_EVENT_ONESHOT);
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	int mask = 0;

	if (events & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR | CURL_CSELECT_IN;
	run(ctx, fd, mask);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	run(ctx, CURL_SOCKET_TIMEOUT, 0);
	return 0;
}

static int want_socket(CURL *curl, curl_socket_t fd, int what, void *ctx, void *socket)
{
	struct http_loop *l = ctx;
	sd_event_source *source = socket;
	uint32_t events = 0;

	if (what == CURL_POLL_REMOVE) {
		sd_event_source_disable_unref(source);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	if (source)
		return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
	if (sd_event_add_io(l->loop, &source, fd, events, on_socket, l) < 0)
		return -1;
	curl_multi_assign(l->multi, fd, source);
	return 0;
}

static int want_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http_loop *l = ctx;

	if (timeout_ms < 0) {
		sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
		return 0;
	}
	sd_event_source_set_time_relative(l->timer, (uint64_t)timeout_ms * USEC_PER_MSEC);
	sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
	return 0;
}

int http_loop_new(sd_event *loop, struct http_loop **ret)
{
	_cleanup_(http_loop_freep) struct http_loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->loop = sd_event_ref(loop);
	l->multi = curl_multi_init();
	if (!l->multi)
		return -ENOMEM;
	r = sd_event_add_time_relative(loop, &l->timer, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_timer,
				       l);
	if (r < 0)
		return r;
	sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
	r = sd_event_add_defer(loop, &l->reap, on_reap, l);
	if (r < 0)
		return r;
	sd_event_source_set_enabled(l->reap, SD_EVENT_OFF);
	curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
	curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
	*ret = TAKE_PTR(l);
	return 0;
}

void http_loop_free(struct http_loop *l)
{
	if (!l)
		return;
	if (l->multi)
		curl_multi_cleanup(l->multi);
	sd_event_source_disable_unref(l->timer);
	sd_event_source_disable_unref(l->reap);
	sd_event_unref(l->loop);
	free(l);
}

int http_loop_add(struct http_loop *l, struct http_exchange *e,
		  void (*done)(struct http_exchange *e, int r))
{
	e->done = done;
	return curl_multi_add_handle(l->multi, e->curl) == CURLM_OK ? 0 : -ENOMEM;
}

void http_loop_remove(struct http_loop *l, struct http_exchange *e)
{
	if (e->curl)
		curl_multi_remove_handle(l->multi, e->curl);
}
