/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/check.h"
#include "gateway/gateway.h"
#include "util/log.h"

#define SECRET_HEADER "Plop-Proxy-Secret"
#define WHO_USER      "user "

/* The value of a header that is there once. */
struct once {
	const char *value;
	unsigned int n;
};

static void on_value(const char *value, void *ctx)
{
	struct once *o = ctx;

	o->value = value;
	o->n++;
}

static const char *once(const struct api_request *q, const char *name)
{
	struct once o = {};

	api_each_header(q, name, on_value, &o);
	return o.n == 1 ? o.value : NULL;
}

static bool is_of_proxy(const struct gateway *g, const struct api_request *q)
{
	const char *secret = once(q, SECRET_HEADER);

	if (!nets_have(&g->proxies, &q->peer.address))
		return false;
	return !*g->config->gateway_proxy_secret ||
	       (secret && check_secret(secret, g->config->gateway_proxy_secret));
}

/* Of a name, for bounds: FNV-1a. No session, and no address, has its highest bit. */
static uint64_t number_of(const char *name)
{
	uint64_t n = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++)
		n = (n ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return n | UINT64_C(1) << 63;
}

static void on_forwarded(const char *value, void *ctx)
{
	*(const char **)ctx = value;
}

bool gateway_front(const struct gateway *g, struct api_request *q)
{
	const char *forwarded = NULL, *user;
	struct in6_addr client;

	if (!is_of_proxy(g, q))
		return false;
	/* the last of them is the proxy's own */
	api_each_header(q, "X-Forwarded-For", on_forwarded, &forwarded);
	if (forwarded && check_forwarded(forwarded, &client))
		api_peer_at(&q->peer, &client);
	user = *g->config->gateway_user_header ? once(q, g->config->gateway_user_header) : NULL;
	if (!user || !*user || !scope_text_valid(user, SCOPE_WHO_MAX - strlen(WHO_USER)))
		return false;
	q->peer.session = number_of(user);
	q->peer.scope = (struct scope){ .may = g->config->gateway_users == CONFIG_USERS_RECORD ?
						       SCOPE_RECORD :
						       SCOPE_READ };
	strcpy(stpcpy(q->peer.scope.who, WHO_USER), user);
	return true;
}

int gateway_front_new(struct gateway *g)
{
	const struct config *c = g->config;

	/* it was looked at when it was read */
	if (nets_parse(c->gateway_proxies, &g->proxies) < 0)
		return -EINVAL;
	if (!*c->gateway_user_header)
		return 0;
	if (!g->proxies.n) {
		log_error("user_header is set, and nobody is believed in it: set proxies in "
			  "[gateway] of plop.conf to the address of the proxy");
		return -EINVAL;
	}
	if (nets_have_loopback(&g->proxies) && !*c->gateway_proxy_secret) {
		log_error("proxies has loopback, from where everybody on this host could say who "
			  "he is: set proxy_secret in [gateway] of plop.conf, and have the proxy "
			  "send it as " SECRET_HEADER);
		return -EINVAL;
	}
	return 0;
}
