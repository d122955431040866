/* SPDX-License-Identifier: BSD-2-Clause */
#include <curl/curl.h>
#include <limits.h>
#include <sys/epoll.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "api/api.h"
#include "gateway/upstream.h"
#include "util/log.h"
#include "util/socket.h"

struct exchange {
	LIST_ENTRY(exchange) exchanges;
	struct upstream *upstream;
	CURL *curl;
	struct curl_slist *headers;
	struct upstream_answer answer;
	char content_type[128];
	struct upstream_callbacks callbacks;
	void *ctx;
	int error; /* why on_data(), or whom it calls, ended it; 0: they did not */
};

struct upstream {
	sd_event *loop;
	char *socket;
	CURLM *multi;
	sd_event_source *timer, *reap;
	LIST_HEAD(, exchange) exchanges;
};

static void exchange_free(struct exchange *e)
{
	LIST_REMOVE(e, exchanges);
	if (e->curl) {
		curl_multi_remove_handle(e->upstream->multi, e->curl);
		curl_easy_cleanup(e->curl);
	}
	curl_slist_free_all(e->headers);
	buf_free(&e->answer.body);
	free(e->answer.disposition);
	free(e);
}

void upstream_cancel(struct exchange *e)
{
	if (e)
		exchange_free(e);
}

void upstream_consume(struct upstream_answer *a, size_t size)
{
	memmove(a->body.data, a->body.data + size, a->body.size - size);
	a->body.size -= size;
}

static int result_of(CURL *curl, CURLcode code)
{
	long os_error = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_COULDNT_CONNECT:
		return os_error > 0 ? -(int)os_error : -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -ECONNRESET;
	}
}

/* Tells those that have ended. Not from within libcurl's callbacks: done() may start the next exchange. */
static int on_reap(sd_event_source *source, void *ctx)
{
	struct upstream *u = ctx;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(u->multi, &left))) {
		struct exchange *e = NULL;
		long status = 0;
		int r;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&e);
		r = e->error ? e->error : result_of(m->easy_handle, m->data.result);
		curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &status);
		e->answer.status = (unsigned int)status;
		e->callbacks.done(r, &e->answer, e->ctx);
		exchange_free(e);
	}
	return 0;
}

static void run(struct upstream *u, int fd, int events)
{
	int running;

	curl_multi_socket_action(u->multi, fd, events, &running);
	sd_event_source_set_enabled(u->reap, SD_EVENT_ONESHOT);
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
	struct upstream *u = ctx;
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
	if (sd_event_add_io(u->loop, &source, fd, events, on_socket, u) < 0)
		return -1;
	curl_multi_assign(u->multi, fd, source);
	return 0;
}

static int want_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct upstream *u = ctx;

	if (timeout_ms < 0) {
		sd_event_source_set_enabled(u->timer, SD_EVENT_OFF);
		return 0;
	}
	sd_event_source_set_time_relative(u->timer, (uint64_t)timeout_ms * USEC_PER_MSEC);
	sd_event_source_set_enabled(u->timer, SD_EVENT_ONESHOT);
	return 0;
}

int upstream_new(sd_event *loop, const char *socket, struct upstream **ret)
{
	_cleanup_(upstream_freep) struct upstream *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	u->loop = sd_event_ref(loop);
	LIST_INIT(&u->exchanges);
	u->socket = strdup(socket);
	u->multi = curl_multi_init();
	if (!u->socket || !u->multi)
		return -ENOMEM;
	r = sd_event_add_time(loop, &u->timer, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_timer, u);
	if (r < 0)
		return r;
	sd_event_source_set_enabled(u->timer, SD_EVENT_OFF);
	r = sd_event_add_defer(loop, &u->reap, on_reap, u);
	if (r < 0)
		return r;
	sd_event_source_set_enabled(u->reap, SD_EVENT_OFF);
	curl_multi_setopt(u->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(u->multi, CURLMOPT_SOCKETDATA, u);
	curl_multi_setopt(u->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(u->multi, CURLMOPT_TIMERDATA, u);
	*ret = TAKE_PTR(u);
	return 0;
}

void upstream_free(struct upstream *u)
{
	struct exchange *e;

	if (!u)
		return;
	while ((e = LIST_FIRST(&u->exchanges)))
		exchange_free(e);
	if (u->multi)
		curl_multi_cleanup(u->multi);
	sd_event_source_disable_unref(u->timer);
	sd_event_source_disable_unref(u->reap);
	sd_event_unref(u->loop);
	free(u->socket);
	free(u);
}

static bool is_too_much(const struct upstream *u, size_t size)
{
	const struct exchange *e;
	size_t all = size;

	LIST_FOREACH(e, &u->exchanges, exchanges)
	all += e->answer.body.size;
	return all > UPSTREAM_COMING;
}

static size_t on_data(char *data, size_t one, size_t size, void *ctx)
{
	struct exchange *e = ctx;
	long status = 0;

	/* Small answers always pass: how many there are at once is bounded. */
	if (e->answer.body.size > API_SMALL_ANSWER && is_too_much(e->upstream, size))
		e->error = -ENOBUFS;
	else
		buf_append(&e->answer.body, data, size);
	if (e->answer.body.error)
		e->error = e->answer.body.error;
	if (e->error)
		return 0;
	if (!e->callbacks.data)
		return size;
	curl_easy_getinfo(e->curl, CURLINFO_RESPONSE_CODE, &status);
	e->answer.status = (unsigned int)status;
	e->error = e->callbacks.data(&e->answer, e->ctx);
	return e->error < 0 ? 0 : size;
}

static size_t on_header(char *data, size_t one, size_t size, void *ctx)
{
	struct exchange *e = ctx;
	size_t n = size;

	while (n > 0 && (data[n - 1] == '\r' || data[n - 1] == '\n'))
		n--;
	if (n > 14 && n - 14 < sizeof(e->content_type) &&
	    strncasecmp(data, "Content-Type: ", 14) == 0) {
		memcpy(e->content_type, data + 14, n - 14);
		e->content_type[n - 14] = '\0';
	} else if (n > 21 && n < 256 && strncasecmp(data, "Content-Disposition: ", 21) == 0) {
		free(e->answer.disposition);
		e->answer.disposition = strndup(data, n);
	}
	return size;
}

static int set_up(struct exchange *e, const char *method, const char *target, const char *body,
		  unsigned int timeout_s)
{
	_cleanup_free_ char *url = NULL;
	char trusted[PATH_MAX];
	CURL *c = e->curl;

	if (asprintf(&url, "http://plopd%s", target) < 0)
		return -ENOMEM;
	/* each time anew: plopd may have come, or gone */
	curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH,
			 socket_choose(e->upstream->socket, trusted, sizeof(trusted)));
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, 2000L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)timeout_s);
	curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, e);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, e);
	curl_easy_setopt(c, CURLOPT_PRIVATE, e);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	if (body) {
		e->headers = curl_slist_append(NULL, "Content-Type: application/json");
		if (!e->headers)
			return -ENOMEM;
		curl_easy_setopt(c, CURLOPT_HTTPHEADER, e->headers);
		if (curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, body) != CURLE_OK)
			return -ENOMEM;
	}
	return 0;
}

int upstream_start(struct upstream *u, const char *method, const char *target, const char *body,
		   unsigned int timeout_s, const struct upstream_callbacks *callbacks, void *ctx,
		   struct exchange **ret)
{
	struct exchange *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->upstream = u;
	e->callbacks = *callbacks;
	e->ctx = ctx;
	e->answer.content_type = e->content_type;
	e->answer.body.limit = API_MAX_ANSWER;
	LIST_INSERT_HEAD(&u->exchanges, e, exchanges);
	e->curl = curl_easy_init();
	r = e->curl ? set_up(e, method, target, body, timeout_s) : -ENOMEM;
	if (r >= 0 && curl_multi_add_handle(u->multi, e->curl) != CURLM_OK)
		r = -ENOMEM;
	if (r < 0) {
		exchange_free(e);
		return r;
	}
	*ret = e;
	return 0;
}
