/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/assets.h"
#include "gateway/gateway.h"
#include "http/server.h"
#include "util/log.h"

#define HEARTBEAT_S 10
#define RETRY_S     1 /* until plopd has answered: they start together */
/* At once, and the part of them for those who have shown a token or a session. */
#define MAX_CONNECTIONS     256
#define TRUSTED_CONNECTIONS 128

/*
 * What plopd is asked, down to /metrics. Every path needs a token, but for the looks of the
 * page to log in: gateway_authorize() sees each request first, and answers that page's form.
 */
static const struct api_route fixed[] = {
	{ "GET", "/v1/status", false, NEEDS_READ, gateway_proxy },
	{ "GET", "/v1/processes", false, NEEDS_READ, gateway_proxy },
	{ "GET", "/v1/windows", false, NEEDS_READ, gateway_proxy },
	{ "GET", "/v1/profile", false, NEEDS_READ, gateway_proxy },
	{ "GET", "/v1/deploys", false, NEEDS_READ, gateway_proxy },
	{ "GET", "/v1/regressions", false, NEEDS_READ, gateway_proxy },
	{ "GET", "/v1/diff", false, NEEDS_READ, gateway_proxy },
	{ "GET", "/v1/series", false, NEEDS_READ, gateway_proxy },
	{ "GET", "/v1/labels/*", false, NEEDS_READ, gateway_proxy },
	{ "GET", "/v1/lines", false, NEEDS_READ, gateway_proxy },
	{ "GET", "/v1/sd", false, NEEDS_READ, gateway_proxy },
	{ "GET", "/v1/source", false, NEEDS_READ, gateway_proxy },
	{ "GET", "/v1/stream", false, NEEDS_READ, gateway_proxy },
	{ "GET", "/v1/recordings", false, NEEDS_READ, gateway_proxy },
	{ "POST", "/v1/recordings", false, NEEDS_RECORD, gateway_proxy },
	{ "GET", "/v1/recordings/*", false, NEEDS_READ, gateway_proxy },
	{ "DELETE", "/v1/recordings/*", false, NEEDS_RECORD, gateway_proxy },
	{ "GET", "/debug/pprof/profile", false, NEEDS_READ, gateway_proxy },
	{ "GET", "/metrics", false, NEEDS_READ_ALL, gateway_proxy },
	{ "POST", "/v1/logout", false, NEEDS_READ, gateway_logout },
	{ "GET", "/v1/fleet", false, NEEDS_READ_ALL, gateway_fleet },
	{ "POST", "/v1/fleet/record", false, NEEDS_RECORD, gateway_of_fleet },
	{ "GET", "/v1/fleet/record/*", false, NEEDS_READ_ALL, gateway_of_fleet },
	{ "GET", "/v1/outliers", false, NEEDS_READ_ALL, gateway_of_fleet },
	{ "GET", "/v1/hosts", false, NEEDS_READ_ALL, gateway_of_fleet },
};

static int make_routes(struct gateway *g, struct api_options *options)
{
	size_t n = ARRAY_SIZE(fixed);

	g->routes = calloc(n + viewer_nfiles, sizeof(*g->routes));
	if (!g->routes)
		return -ENOMEM;
	memcpy(g->routes, fixed, sizeof(fixed));
	for (size_t i = 0; i < viewer_nfiles; i++)
		g->routes[n++] = (struct api_route){ .method = "GET",
						     .path = viewer_files[i].path,
						     .open = viewer_files[i].open,
						     .needs = NEEDS_READ,
						     .handle = gateway_asset };
	options->routes = g->routes;
	options->nroutes = n;
	return 0;
}

/* Where a proxy has it. It has complained. */
static int take_url(struct gateway *g)
{
	_cleanup_free_ char *base = NULL;
	const char *why = "it has characters that a path of plop's must not have";
	int r = http_server_parse(g->config->gateway_url, &base, &why);

	if (r == 0)
		r = place_parse(base, &g->place);
	if (r < 0)
		log_error("url = %s in [gateway] of plop.conf cannot be used: %s",
			  g->config->gateway_url, r == -ENOMEM ? strerror(-r) : why);
	else
		snprintf(g->url, sizeof(g->url), "%s%s", g->place.origin, g->place.prefix);
	return r;
}

/* Where a browser finds it: by a proxy's address, or on this host what listens on listen. */
static int make_url(struct gateway *g)
{
	const char *host = g->listen.host, *scheme = g->tls ? "https" : "http";

	if (*g->config->gateway_url)
		return take_url(g);
	if (streq(host, "0.0.0.0") || streq(host, "::"))
		host = "127.0.0.1";
	snprintf(g->url, sizeof(g->url), strchr(host, ':') ? "%s://[%s]:%u" : "%s://%s:%u", scheme,
		 host, g->listen.port);
	return 0;
}

/* It has complained. */
static int start_tls(struct gateway *g)
{
	const struct config *c = g->config;
	_cleanup_free_ char *error = NULL;
	int r;

	if (!*c->gateway_certificate && !*c->gateway_key)
		return 0;
	if (!*c->gateway_certificate || !*c->gateway_key) {
		log_error("certificate and key go together in [gateway] of plop.conf: set both");
		return -EINVAL;
	}
	r = tls_new(g->loop, c->gateway_certificate, c->gateway_key, &g->tls, &error);
	if (r < 0)
		log_error("cannot serve TLS: %s", error ? error : strerror(-r));
	return r;
}

static int make_clear(int fd, int *ret_clear, void *ctx)
{
	const struct gateway *g = ctx;

	return tls_take(g->tls, fd, ret_clear);
}

static void set_rates(struct gateway *g)
{
	g->tries = (struct rate){ .burst = TRIES_AT_ONCE, .second = TRIES_SECOND };
	g->strangers = (struct rate){ .burst = STRANGERS_AT_ONCE, .second = STRANGERS_SECOND };
	g->sessions = (struct rate){ .burst = SESSION_AT_ONCE, .second = SESSION_SECOND };
}

static void registered(int r, struct upstream_answer *a, void *ctx)
{
	struct gateway *g = ctx;
	bool now = r >= 0 && a->status < 300;

	g->registration = NULL;
	g->untrusted = r >= 0 && (a->status == 401 || a->status == 403);
	if (now && !g->registered)
		log_info("plopd answers at %s", g->config->socket);
	else if (!now && r >= 0)
		log_warning("plopd does not take this gateway on (HTTP status %u): is its user in "
			    "group plop?",
			    a->status);
	else if (!now && (g->registered || !g->said_down))
		log_warning("plopd does not answer at %s: %s; serving what plop.db holds",
			    g->config->socket, strerror(-r));
	g->said_down = !now;
	g->registered = now;
	if (now)
		gateway_recheck(g, a->body);
}

/* plopd tells plopctl where the viewer is, and drops what has not been heard of for a while. */
static int on_heartbeat(sd_event_source *source, uint64_t usec, void *ctx)
{
	static const struct upstream_callbacks callbacks = { .done = registered };
	struct gateway *g = ctx;
	char body[sizeof(g->url) + 16];
	const struct upstream_request request = { .method = "POST",
						  .target = "/v1/gateway",
						  .body = body,
						  .timeout_s = HEARTBEAT_S - 1 };

	snprintf(body, sizeof(body), "{\"url\":\"%s\"}", g->url);
	if (!g->registration &&
	    upstream_start(g->upstream, &request, &callbacks, g, &g->registration) < 0)
		log_warning("Failed to register with plopd: out of memory");
	sd_event_source_set_time_relative(source,
					  (g->registered ? HEARTBEAT_S : RETRY_S) * USEC_PER_SEC);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* It has complained. */
static int start_shipping(struct gateway *g)
{
	_cleanup_free_ char *error = NULL;
	int r;

	if (!ship_wanted(g->config))
		return 0;
	r = ship_new(g->config, &g->ship, &error);
	if (r < 0)
		log_error("cannot ship windows: %s", error ? error : strerror(-r));
	else
		log_info("shipping windows to %s", g->config->fleet_store);
	return r;
}

/* What is of this host, and of its plopd. */
static int follow_plopd(struct gateway *g)
{
	int r = notify_new(g->loop, g->config, g->upstream, g->command, &g->notify);

	if (r >= 0)
		r = start_shipping(g);
	return r < 0 ? r :
		       sd_event_add_time_relative(g->loop, &g->heartbeat, CLOCK_MONOTONIC, 0,
						  100 * USEC_PER_MSEC, on_heartbeat, g);
}

static int set_up(struct gateway *g, int listen_fd, bool of_fleet)
{
	struct api_options options = { .ctx = g,
				       .authorize = gateway_authorize,
				       .max_connections = MAX_CONNECTIONS,
				       .trusted_connections = TRUSTED_CONNECTIONS,
				       .stream = "/v1/stream" };
	int r;

	if (gethostname(g->own_name, sizeof(g->own_name) - 1) < 0)
		return -errno;
	set_rates(g);
	r = start_tls(g);
	if (r >= 0)
		r = make_url(g);
	if (r >= 0)
		r = gateway_front_new(g);
	if (r < 0)
		return r;
	options.clear = g->tls ? make_clear : NULL;
	snprintf(g->cookie, sizeof(g->cookie), "plop_session_%u", g->listen.port);
	LIST_INIT(&g->proxied);
	r = make_routes(g, &options);
	if (r < 0)
		return r;
	r = upstream_new(g->loop, g->config->socket, &g->upstream);
	if (r < 0)
		return r;
	r = worker_new(g->loop, "plop-offline", QUESTIONS_MAX, &g->worker);
	if (r < 0)
		return r;
	r = of_fleet ? gateway_hosts_new(g) : follow_plopd(g);
	if (r < 0)
		return r;
	return api_server_new(g->loop, listen_fd, &options, &g->server);
}

int gateway_new(sd_event *loop, const struct config *config, const struct parsed_address *listen,
		int listen_fd, bool of_fleet, struct command *command, struct gateway **ret)
{
	_cleanup_(gateway_freep) struct gateway *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	g->recheck.gateway = g;
	g->loop = sd_event_ref(loop);
	g->config = config;
	g->listen = *listen;
	g->command = command;
	r = set_up(g, listen_fd, of_fleet);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(g);
	return 0;
}

void gateway_free(struct gateway *g)
{
	if (!g)
		return;
	/* The server first: it tells everything that waits that its client is gone. */
	api_server_free(g->server);
	tls_free(g->tls);
	worker_free(g->worker);
	fleet_roller_free(g->roller);
	worker_free(g->slow_worker);
	fleet_free(g->fleet);
	fleet_free(g->slow_fleet);
	ship_free(g->ship);
	notify_free(g->notify);
	upstream_free(g->upstream);
	sd_event_source_disable_unref(g->heartbeat);
	sd_event_unref(g->loop);
	free(g->routes);
	free(g);
}
