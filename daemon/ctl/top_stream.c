/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/top_stream.h"

#include <curl/curl.h>
#include <limits.h>

#include "util/socket.h"

/* Larger than any event of a plopd that works. */
#define MAX_EVENT (64u << 20)
#define MAX_FDS   4

struct top_stream {
	CURLM *multi;
	CURL *easy;
	struct buf buffer; /* what came and is no whole event yet */
	json_t *newest;
	int ended;
};

/* One event without its empty line. Others than of a window, and those that are no JSON, are passed over. */
static void event_take(struct top_stream *s, const char *event, size_t size)
{
	static const char window[] = "event: window\n";
	const char *data = memmem(event, size, "data: ", 6);
	json_t *o;

	if (!data || size < sizeof(window) || memcmp(event, window, sizeof(window) - 1) != 0)
		return;
	data += 6;
	o = json_loadb(data, size - (size_t)(data - event), 0, NULL);
	if (!o)
		return;
	json_decref(s->newest);
	s->newest = o;
}

static size_t on_data(char *data, size_t one, size_t size, void *ctx)
{
	struct top_stream *s = ctx;
	size_t taken = 0;
	const char *end;

	if (size > MAX_EVENT - s->buffer.size)
		return 0;
	buf_append(&s->buffer, data, size);
	if (s->buffer.error)
		return 0;
	while ((end = memmem(s->buffer.data + taken, s->buffer.size - taken, "\n\n", 2))) {
		event_take(s, s->buffer.data + taken, (size_t)(end - s->buffer.data) - taken);
		taken = (size_t)(end - s->buffer.data) + 2;
	}
	memmove(s->buffer.data, s->buffer.data + taken, s->buffer.size - taken);
	s->buffer.size -= taken;
	return size;
}

int top_stream_new(const struct ctl *ctl, const char *path, struct top_stream **ret)
{
	struct top_stream *s = calloc(1, sizeof(*s));
	_cleanup_free_ char *url = NULL;
	char trusted[PATH_MAX];

	if (!s)
		return -ENOMEM;
	s->multi = curl_multi_init();
	s->easy = curl_easy_init();
	if (asprintf(&url, "http://plopd%s", path) < 0)
		url = NULL;
	if (!s->multi || !s->easy || !url) {
		top_stream_free(s);
		return -ENOMEM;
	}
	curl_easy_setopt(s->easy, CURLOPT_UNIX_SOCKET_PATH,
			 socket_choose(ctl->config->socket, trusted, sizeof(trusted)));
	curl_easy_setopt(s->easy, CURLOPT_URL, url);
	curl_easy_setopt(s->easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(s->easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(s->easy, CURLOPT_CONNECTTIMEOUT, 5L);
	curl_easy_setopt(s->easy, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s);
	if (curl_multi_add_handle(s->multi, s->easy) != CURLM_OK) {
		top_stream_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void top_stream_free(struct top_stream *s)
{
	if (!s)
		return;
	if (s->multi && s->easy)
		curl_multi_remove_handle(s->multi, s->easy);
	curl_easy_cleanup(s->easy);
	curl_multi_cleanup(s->multi);
	buf_free(&s->buffer);
	json_decref(s->newest);
	free(s);
}

static void end_take(struct top_stream *s)
{
	int left;
	const CURLMsg *message = curl_multi_info_read(s->multi, &left);

	if (!message || message->msg != CURLMSG_DONE)
		return;
	s->ended = message->data.result == CURLE_COULDNT_CONNECT ? -ECONNREFUSED : -ECONNRESET;
}

void top_stream_wait(struct top_stream *s, const int *fds, unsigned int n, int timeout_ms)
{
	struct curl_waitfd extra[MAX_FDS] = {};
	int running;

	n = MIN(n, (unsigned int)MAX_FDS);
	for (unsigned int i = 0; i < n; i++)
		extra[i] = (struct curl_waitfd){ .fd = fds[i], .events = CURL_WAIT_POLLIN };
	if (curl_multi_perform(s->multi, &running) != CURLM_OK)
		s->ended = -ECONNRESET;
	end_take(s);
	if (!s->newest)
		curl_multi_poll(s->multi, extra, n, timeout_ms, NULL);
	if (curl_multi_perform(s->multi, &running) != CURLM_OK)
		s->ended = -ECONNRESET;
	end_take(s);
}

json_t *top_stream_take(struct top_stream *s)
{
	return TAKE_PTR(s->newest);
}

int top_stream_ended(const struct top_stream *s)
{
	return s->ended;
}
