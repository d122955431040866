/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/viewer.h"

/* How long after the last heartbeat the gateway counts as gone. */
#define GATEWAY_GONE_NS (30 * NSEC_PER_SEC)

void viewer_done(struct viewer *v)
{
	free(v->gateway);
}

const char *viewer_address(const struct viewer *v)
{
	if (cycle_mono_ns(v->cycle) - v->seen_ns >= GATEWAY_GONE_NS)
		return NULL;
	return v->gateway;
}

void viewer_make_token(const struct api_request *q, struct viewer *v)
{
	const char *gateway = viewer_address(v);
	_cleanup_free_ char *url = NULL;
	_cleanup_buf_ struct buf body = {};
	struct json_writer w = json_writer_on(&body);
	char token[TOKEN_HEX + 1];

	if (!q->peer.trusted) {
		api_reply_error(q->call, 403,
				"plopctl ps, top, record and export show your own processes",
				"the viewer shows the processes of all users, and is for root and "
				"members of group plop");
		return;
	}
	if (tokens_new(&v->tokens, cycle_mono_ns(v->cycle), token) < 0) {
		api_reply_error(q->call, 500, NULL, "no random numbers to make a token of");
		return;
	}
	if (gateway && asprintf(&url, "%s/?token=%s", gateway, token) < 0)
		url = NULL;
	json_put_object(&w, NULL);
	json_put_string(&w, "token", token);
	json_put_int(&w, "expires_s", TOKEN_LIFE_S);
	json_put_string(&w, "url", url);
	json_put_end(&w);
	api_reply_writer(q->call, 200, &w);
}

uint64_t viewer_token_left(const struct viewer *v, const char *token)
{
	return tokens_check(&v->tokens, cycle_mono_ns(v->cycle), token);
}

void route_token_revoke(const struct api_request *q, void *ctx)
{
	struct viewer *v = ctx;
	json_t *body;
	const char *token = api_body_string(q, "token", &body);

	if (token) {
		tokens_revoke(&v->tokens, token);
		api_reply_json(q->call, 200, json_object());
	}
	json_decref(body);
}

bool viewer_take_gateway(const struct api_request *q, struct viewer *v)
{
	json_t *body;
	const char *url = api_body_string(q, "url", &body);
	bool good = url && strlen(url) < 512 && strncmp(url, "http", 4) == 0;
	char *copy = good ? strdup(url) : NULL;

	if (copy) {
		free(v->gateway);
		v->gateway = copy;
		v->seen_ns = cycle_mono_ns(v->cycle);
	}
	if (url && !good)
		api_reply_error(q->call, 400, NULL, "\"url\" must be an http address");
	json_decref(body);
	return good;
}
