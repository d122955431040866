/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/gateway.h"
#include "util/clock.h"
#include "util/log.h"

static void ask_next(struct recheck *k);

static struct session *find(struct recheck *k)
{
	struct sessions *s = &k->gateway->cookies;

	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (s->items[i].number == k->session)
			return &s->items[i];
	return NULL;
}

/* What cannot be asked about stays: where plopd does not answer, nobody takes a token away. */
static void on_checked(int r, struct upstream_answer *a, void *ctx)
{
	struct recheck *k = ctx;
	struct session *s = find(k);

	if (s && r >= 0 && a->status == 403) {
		gateway_proxy_end(k->gateway, k->session);
		*s = (struct session){};
	} else if (r < 0 || a->status != 200) {
		log_debug("A token could not be checked again");
	}
	k->session = 0;
	ask_next(k);
}

static void ask_next(struct recheck *k)
{
	static const struct upstream_callbacks callbacks = { .done = on_checked };
	struct gateway *g = k->gateway;
	uint64_t now = clock_ns(CLOCK_BOOTTIME);
	char body[SESSION_TEXT_MAX + 32];
	const struct upstream_request request = {
		.method = "POST", .target = "/v1/tokens/check", .body = body, .timeout_s = 5
	};
	struct exchange *exchange;

	while (k->at < SESSIONS_MAX) {
		const struct session *s = &g->cookies.items[k->at++];

		if (!s->terms.named || s->terms.until_ns <= now)
			continue;
		snprintf(body, sizeof(body), "{\"token\":\"%s\"}", s->token);
		k->session = s->number;
		if (upstream_start(g->upstream, &request, &callbacks, k, &exchange) == 0)
			return;
		k->session = 0;
		log_debug("Out of memory, a token is not checked again");
	}
}

/* Those that were shown by themselves are asked about when they come again. */
static void forget_tokens(struct gateway *g)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *s = &g->tokens.items[i];

		if (!s->terms.named)
			continue;
		gateway_proxy_end(g, s->number);
		*s = (struct session){};
	}
}

void gateway_recheck(struct gateway *g, const struct buf *answer)
{
	struct recheck *k = &g->recheck;
	json_t *o = json_loadb(answer->size ? answer->data : "", answer->size, 0, NULL);
	json_int_t number = json_integer_value(json_object_get(o, "tokens"));

	json_decref(o);
	if ((uint64_t)number == k->number)
		return;
	k->number = (uint64_t)number;
	forget_tokens(g);
	k->at = 0;
	if (!k->session)
		ask_next(k);
}
