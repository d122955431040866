/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/follow.h"

#define MAX_FDS 4

struct http_follower {
	struct http_exchange *exchange;
	CURLM *multi;
	bool ended;
	int result;
};

int http_follower_new(struct http_exchange *e, const char *socket, struct http_follower **ret)
{
	_cleanup_(http_follower_freep) struct http_follower *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->multi = curl_multi_init();
	if (!f->multi)
		return -ENOMEM;
	http_exchange_to(e, socket);
	if (curl_multi_add_handle(f->multi, e->curl) != CURLM_OK)
		return -ENOMEM;
	f->exchange = e;
	*ret = TAKE_PTR(f);
	return 0;
}

void http_follower_free(struct http_follower *f)
{
	if (!f)
		return;
	if (f->exchange)
		curl_multi_remove_handle(f->multi, f->exchange->curl);
	curl_multi_cleanup(f->multi);
	free(f);
}

static void follower_end(struct http_follower *f, int result)
{
	if (!f->ended)
		f->result = result;
	f->ended = true;
}

void http_follower_step(struct http_follower *f)
{
	const CURLMsg *message;
	int running, left;

	if (curl_multi_perform(f->multi, &running) != CURLM_OK)
		follower_end(f, -ECONNRESET);
	message = curl_multi_info_read(f->multi, &left);
	if (message && message->msg == CURLMSG_DONE)
		follower_end(f, http_exchange_result(f->exchange, message->data.result));
}

void http_follower_wait(struct http_follower *f, const int *fds, unsigned int n, int timeout_ms)
{
	struct curl_waitfd extra[MAX_FDS] = {};

	n = MIN(n, (unsigned int)MAX_FDS);
	for (unsigned int i = 0; i < n; i++)
		extra[i] = (struct curl_waitfd){ .fd = fds[i], .events = CURL_WAIT_POLLIN };
	curl_multi_poll(f->multi, extra, n, timeout_ms, NULL);
}

bool http_follower_ended(const struct http_follower *f, int *ret_result)
{
	if (f->ended)
		*ret_result = f->result;
	return f->ended;
}
