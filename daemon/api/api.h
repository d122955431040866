/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "format/format.h"
#include "util/buf.h"

/*
 * The HTTP side: one small server for plopd's Unix socket and the gateway's TCP port, one route table. A backend says
 * what a program can answer.
 */
struct api_peer {
	bool is_unix;
	uid_t uid; /* SO_PEERCRED; -1 over TCP */
	gid_t gid;
	pid_t pid;
	bool trusted; /* may ask for anything: root, the daemon's own uid, group plop, or a good token */
};

struct api_request {
	const char *method; /* "GET" */
	const char *path;   /* decoded, "/v1/status" */
	const char *body;   /* NUL-terminated, at most API_MAX_BODY */
	size_t body_size;
	struct api_peer peer;
	const struct api_parameter *parameters; /* decoded query, in order */
	size_t nparameters;
	struct api_call *call; /* private */
};
/* A request and its strings live until its call is answered (a stream: ended) or gone. */
struct api_parameter {
	const char *key, *value;
};
#define API_MAX_BODY       (64 * 1024)
#define API_MAX_PARAMETERS 32
#define API_MAX_HEAD       (16 * 1024) /* request line and headers */
#define API_PEER_CONNECTIONS \
	32 /* that one user who is not trusted may have at once, on a Unix socket */
#define API_CLIENT_TIMEOUT 10 /* seconds that a silent client, or one that does not read, is kept */

/* The last value of a query key, or NULL. */
const char *api_parameter(const struct api_request *q, const char *key);
/* A request header, or NULL; name in any case. */
const char *api_header(const struct api_request *q, const char *name);

/*
 * A handler answers exactly once: now, by one of the api_reply_*() functions, or later, after api_defer().
 * A deferred call is answered from the loop thread by the same functions; if the client goes away first, gone is called
 * and the handle must not be used again.
 */
struct api_call;
struct api_call *api_defer(const struct api_request *q, void (*gone)(void *ctx), void *ctx);
/* Takes *body over (b is empty after). extra headers: "Name: value" strings, NULL-terminated, or NULL. */
int api_reply(struct api_call *c, unsigned int status, const char *content_type, struct buf *body,
	      const char *const *headers);
/* {"error": ..., "hint": ...}; hint may be NULL. */
int api_reply_error(struct api_call *c, unsigned int status, const char *hint, const char *format,
		    ...) _printf_(4, 5);
/* Takes the reference of value (NULL: out of memory, answers 500). */
int api_reply_json(struct api_call *c, unsigned int status, json_t *value);
/* Encodes the profile; binary formats get a file name for browsers. An encoder's failure is answered as 500. */
int api_reply_profile(struct api_call *c, const struct profile *p, const struct format *f);
/* The same for what was encoded elsewhere (on a worker). Takes *body over. */
int api_reply_encoded(struct api_call *c, const struct profile *p, const struct format *f,
		      struct buf *body);
/*
 * Server-sent events: begin (after api_defer()), then any number of events (data: one line of JSON), then end, after
 * which the handle must not be used. A client that reads too slowly loses the oldest events that it was not sent yet.
 */
int api_stream_begin(struct api_call *c);
int api_stream_event(struct api_call *c, const char *event, const char *data, size_t size);
/* One event in its wire form, blank line included: what a proxy passes on. */
int api_stream_raw(struct api_call *c, const char *data, size_t size);
int api_stream_end(struct api_call *c);
#define API_STREAM_EVENTS 16                 /* waiting for one client at most */
#define API_STREAM_BYTES  (16 * 1024 * 1024) /* ... and their size */

struct api_route {
	const char *method;
	const char *
		path; /* a "*" at the end stands for one last component, as in "/v1/recordings/ID" */
	bool open;    /* also for a peer that is not trusted: the handler looks at the peer */
	void (*handle)(const struct api_request *q, void *ctx);
};

struct api_options {
	const struct api_route *routes;
	size_t nroutes;
	void *ctx; /* handed to each handler */
	/*
	 * TCP only: decides peer.trusted from token, cookie and Host. 0: go on; 1: it has answered (redirect, 403), or has
	 * called api_defer() and will answer or api_continue(). NULL: Unix socket. headers: "Name: value".
	 */
	int (*authorize)(struct api_request *q, const char *const *headers, void *ctx);
	unsigned int max_connections;
};

/* After a deferred authorize(): the request goes on to its route. The handle must not be used again. */
void api_continue(struct api_call *c, bool trusted);

struct api_server;
/* Serves on a listening socket (taken over) inside the loop. */
int api_server_new(sd_event *loop, int listen_fd, const struct api_options *options,
		   struct api_server **ret);
void api_server_free(struct api_server *s);
DEFINE_FREEP(struct api_server, api_server_free)
