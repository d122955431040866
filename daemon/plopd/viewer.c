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

void route_token(const struct api_request *q, void *ctx)
{
	struct viewer *v = ctx;
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

/* A string member of the body; NULL after having answered. *ret_body keeps it alive. */
static const char *body_string(const struct api_request *q, const char *key, json_t **ret_body)
{
	const char *value;

	*ret_body = json_loadb(q->body, q->body_size, JSON_REJECT_DUPLICATES, NULL);
	value = json_string_value(json_object_get(*ret_body, key));
	if (!value)
		api_reply_error(q->call, 400, NULL, "the body must be a JSON object with \"%s\"",
				key);
	return value;
}

static void reply_left(const struct api_request *q, uint64_t seconds)
{
	_cleanup_buf_ struct buf body = {};
	struct json_writer w = json_writer_on(&body);

	json_put_object(&w, NULL);
	json_put_uint(&w, "expires_s", seconds);
	json_put_end(&w);
	api_reply_writer(q->call, 200, &w);
}

void route_token_check(const struct api_request *q, void *ctx)
{
	struct viewer *v = ctx;
	json_t *body;
	const char *token = body_string(q, "token", &body);
	uint64_t left = token ? tokens_check(&v->tokens, cycle_mono_ns(v->cycle), token) : 0;

	if (token && left)
		reply_left(q, left);
	else if (token)
		api_reply_error(q->call, 403, "plopctl open makes a fresh one",
				"this token is not good (any more)");
	json_decref(body);
}

void route_token_revoke(const struct api_request *q, void *ctx)
{
	struct viewer *v = ctx;
	json_t *body;
	const char *token = body_string(q, "token", &body);

	if (token) {
		tokens_revoke(&v->tokens, token);
		api_reply_json(q->call, 200, json_object());
	}
	json_decref(body);
}

void route_gateway(const struct api_request *q, void *ctx)
{
	struct viewer *v = ctx;
	json_t *body;
	const char *url = body_string(q, "url", &body);
	char *copy;

	if (url && strlen(url) < 512 && strncmp(url, "http", 4) == 0) {
		copy = strdup(url);
		if (copy) {
			free(v->gateway);
			v->gateway = copy;
			v->seen_ns = cycle_mono_ns(v->cycle);
		}
		api_reply_json(q->call, 200, json_object());
	} else if (url) {
		api_reply_error(q->call, 400, NULL, "\"url\" must be an http address");
	}
	json_decref(body);
}
