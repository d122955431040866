/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sys/queue.h>

#include "api/api.h"
#include "config/config.h"
#include "fleet/roll.h"
#include "fleet/source.h"
#include "gateway/check.h"
#include "gateway/notify.h"
#include "gateway/place.h"
#include "gateway/rate.h"
#include "gateway/session.h"
#include "gateway/upstream.h"
#include "ship/shipper.h"
#include "tls/tls.h"
#include "util/nets.h"
#include "util/parse.h"
#include "util/worker.h"

/* Of the sessions that are made from tokens of plopctl token, whether they still are good. */
struct recheck {
	struct gateway *gateway;
	uint64_t number;  /* of plopd's tokens, as it was told last; 0: plopd knows no scopes */
	size_t at;        /* the next one of the sessions */
	uint64_t session; /* that plopd is asked about just now; 0: none */
};

/*
 * plop-gateway: the viewer's files and the API on a TCP port, for whoever has a token. It asks
 * plopd for everything; while plopd is down it answers from plop.db what can be answered from
 * there.
 */
struct gateway {
	sd_event *loop;
	const struct config *config;
	struct parsed_address listen;
	char own_name[256]; /* of this host, for check_host() */
	char url[576];      /* "http://127.0.0.1:7567" */
	struct place place; /* where a proxy has it; all "": there is none */
	struct nets proxies;
	struct tls *tls; /* NULL: there is none, or a proxy has it */
	/* how often: tokens are tried, and anything is asked without one, of an address; and what
	 * sessions, tokens and users ask */
	struct rate tries, strangers, sessions;
	struct upstream *upstream;
	struct fleet *fleet; /* of all hosts; NULL: of this one, and it asks plopd */
	/* the same for what takes long, so that no picture waits for that; likewise */
	struct fleet *slow_fleet;
	struct worker *slow_worker;
	struct fleet_roller *roller; /* of that store */
	struct command *command;     /* that is run where something is slower; or NULL */
	struct notify *notify;       /* NULL: nobody is to be told */
	struct shipper *ship;        /* NULL: there is no store of a fleet */
	struct worker *worker;
	struct api_server *server;
	struct api_route *routes;
	/* the name of the session's; with the port, for cookies do not tell ports apart */
	char cookie[32];
	struct sessions cookies; /* sessions */
	struct sessions tokens;  /* that plopd has vouched for */
	unsigned int checks;     /* tokens that plopd is asked about just now */
	struct recheck recheck;
	sd_event_source *heartbeat;
	struct exchange *registration; /* under way, or NULL */
	LIST_HEAD(, proxied) proxied;  /* requests that plopd is asked just now */
	bool registered, said_down;
	bool untrusted; /* plopd refuses to register it */
};

/*
 * of_fleet: it answers from the fleet's store, and asks no plopd. listen_fd: a listening socket
 * (taken over). listen: what it is bound to, for the URL and the Host header. command: [notify]'s,
 * or NULL.
 */
int gateway_new(sd_event *loop, const struct config *config, const struct parsed_address *listen,
		int listen_fd, bool of_fleet, struct command *command, struct gateway **ret);
void gateway_free(struct gateway *g);
DEFINE_FREEP(struct gateway, gateway_free)

/* Private to the room. */
/* Tokens that are tried, and requests without one, of an address; and requests of a session. */
#define TRIES_AT_ONCE     20
#define TRIES_SECOND      2
#define STRANGERS_AT_ONCE 300
#define STRANGERS_SECOND  30
#define SESSION_AT_ONCE   500
#define SESSION_SECOND    100
#define COOKIE_HOURS      24
#define QUESTIONS_MAX     8 /* to plop.db, or a fleet's store, that may wait */
#define GATEWAY_STATIC    1 /* api_peer.session of who shows the token of plop.conf */
/* What a proxy may say of clients. It has complained. */
int gateway_front_new(struct gateway *g);
/*
 * Takes what a proxy says of its client: the address, and who it is. Whether that is somebody whom
 * it vouches for.
 */
bool gateway_front(const struct gateway *g, struct api_request *q);
/*
 * The request's parameters but the token, as a query behind an address; in an attribute of HTML
 * (html) or not.
 */
void gateway_put_query(struct buf *b, const struct api_request *q, bool html);
int gateway_authorize(struct api_request *q, const char *const *headers, void *ctx);
/* The token of an Authorization header, or NULL. */
const char *gateway_bearer(const struct api_request *q);
void gateway_asset(const struct api_request *q, void *ctx);
bool gateway_is_page(const char *path);
/* What a page may load and do; and the headers that go with the viewer's files. */
#define GATEWAY_POLICY                                                                       \
	"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; " \
	"connect-src 'self'; "                                                               \
	"img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
#define GATEWAY_PAGE_HEADERS GATEWAY_POLICY, "Referrer-Policy: no-referrer"
/* May everybody have this file? The same for all: nothing of this host is in it. */
bool gateway_is_open(const char *path);
/* The pages of the gateway itself. */
enum gateway_page { PAGE_LOGIN, PAGE_BAD_TOKEN, PAGE_TOO_OFTEN, PAGE_DOWN, PAGE_OTHER_PLACE };
void gateway_reply_page(const struct api_request *q, enum gateway_page page);
void gateway_proxy(const struct api_request *q, void *ctx);
/*
 * plopd has taken this gateway on, and answered so. Where a token was taken away since the last
 * time, what was made from one is asked about anew, and ends if it is good no more.
 */
void gateway_recheck(struct gateway *g, const struct buf *answer);
/* Ends the streams of a session that has logged out. */
void gateway_proxy_end(struct gateway *g, uint64_t session);
/* POST /v1/logout: ends the session, and the token that it was made from. */
void gateway_logout(const struct api_request *q, void *ctx);
/* GET /v1/fleet: what was shipped, and what was not. */
void gateway_fleet(const struct api_request *q, void *ctx);
/* What a request asks a source, enum question_about; -ENOENT: nothing. */
int gateway_about(const struct api_request *q);
/* The store of all hosts, of g->config, in the place of plopd. It has complained. */
int gateway_hosts_new(struct gateway *g);
void gateway_hosts(const struct gateway *g, const struct api_request *q);
/*
 * What is asked for by POST /v1/fleet/record; and of which request, by GET /v1/fleet/record/ID.
 * -EINVAL: *ret_why says why; -ENOMEM. ret: its selectors are the caller's, on failure too.
 */
int gateway_wish(const struct api_request *q, struct query *query, struct fleet_wish *ret,
		 struct refusal *ret_why);
int gateway_requested(const struct api_request *q, struct query *query, struct refusal *ret_why);
/* What only a fleet can answer. */
void gateway_of_fleet(const struct api_request *q, void *ctx);
/* Without plopd; r: why it cannot be asked. */
void gateway_offline(const struct gateway *g, const struct api_request *q, int r);
