/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "api/scope.h"
#include "query/query.h"
#include "util/buf.h"
#include "util/json.h"

/*
 * The HTTP side: one small server for plopd's Unix socket and the gateway's TCP port, one route
 * table. A backend says what a program can answer.
 */
struct api_peer {
	bool is_unix;
	uid_t uid; /* SO_PEERCRED; -1 over TCP */
	gid_t gid;
	pid_t pid;
	/* may ask for anything: root, the daemon's own uid, group plop, or a good token */
	bool trusted;
	/*
	 * Who it is where what one may have is bounded: the user that uid counts as; over TCP the
	 * address (IPv6: its /64).
	 */
	uint64_t from;
	struct in6_addr address; /* over TCP; of IPv4 ::ffff:a.b.c.d */
	/* over TCP, of the trusted: which session or token, as authorize() numbers them */
	uint64_t session;
	struct scope scope; /* of the trusted: what is left of that */
};

/* Over TCP: who it is by its address, as of from. */
void api_peer_at(struct api_peer *peer, const struct in6_addr *address);
/* Whether a peer sees all processes. */
bool api_sees_all(const struct api_peer *peer);
/* Leaves only the processes in that a peer may see: for whom something is asked, or recorded. */
void api_limit(const struct api_peer *peer, struct selectors *s);

struct api_request {
	const char *method; /* "GET", also where it is HEAD */
	bool head;          /* ... which sends no body */
	const char *path;   /* decoded, "/v1/status" */
	const char *body;   /* NUL-terminated, at most API_MAX_BODY */
	size_t body_size;
	struct api_peer peer;
	const struct query_parameter *parameters; /* decoded query, in order */
	size_t nparameters;
	struct api_call *call; /* private */
};
/* A request and its strings live until its call is answered (a stream: ended) or gone. */
#define API_MAX_BODY       (64 * 1024)
#define API_MAX_PARAMETERS 32
#define API_MAX_HEAD       (16 * 1024) /* request line and headers */
/*
 * Connections at once of one user who is not trusted, on a Unix socket; and streams, of a user or a
 * session.
 */
#define API_PEER_CONNECTIONS 32
#define API_PEER_STREAMS     8
/* Connections of one TCP address whose request is not whole: one more, and its oldest gives way. */
#define API_PEER_UNREADY 64
/*
 * Seconds that a silent client, or one that does not read, is kept; and that a whole request may
 * take to come.
 */
#define API_CLIENT_TIMEOUT 10
/* Bytes a second at which an answer must be fetched on the whole, on top of that time. */
#define API_SLOWEST_READER (64 * 1024)
/*
 * Bytes of one answer, for the trusted and for others. What is larger is refused, and by then no
 * more memory was used than that: see api_answer_max(). With what waits to be fetched they stay
 * below plopd.service's MemoryHigh of 192M.
 */
#define API_MAX_ANSWER        (32 * 1024 * 1024)
#define API_MAX_ANSWER_OTHERS (8 * 1024 * 1024)
/*
 * Bytes of answers and events that wait to be fetched by their clients: in all; of all who are not
 * trusted; and of one user, or one session. Answers up to API_SMALL_ANSWER are always given:
 * connections bound them.
 */
#define API_WAITING_MAX    (64 * 1024 * 1024)
#define API_WAITING_OTHERS (24 * 1024 * 1024)
#define API_WAITING_USER   (12 * 1024 * 1024)
#define API_WAITING_ONE    (48 * 1024 * 1024) /* one session, or one trusted user */
#define API_SMALL_ANSWER   (64 * 1024)

/* The request's parameters; it is answered (400, 500) on failure. */
int api_query(const struct api_request *q, struct query *ret);
/* The same of two sides that are compared: query_parse_sides(). */
int api_query_sides(const struct api_request *q, struct query *ret_base, struct query *ret_new);
/* The last value of a query key, or NULL. */
const char *api_parameter(const struct api_request *q, const char *key);
/*
 * A string member of a body that is a JSON object; NULL after having answered. *ret_body keeps it
 * alive.
 */
const char *api_body_string(const struct api_request *q, const char *key, json_t **ret_body);
/* A request header, or NULL; name in any case. */
const char *api_header(const struct api_request *q, const char *name);
/* Each header of that name, in order. */
void api_each_header(const struct api_request *q, const char *name,
		     void (*each)(const char *value, void *ctx), void *ctx);

/*
 * A handler answers exactly once: now, by one of the api_reply_*() functions, or later, after
 * api_defer(). A deferred call is answered from the loop thread by the same functions; if the
 * client goes away first, gone is called and the handle must not be used again.
 */
struct api_call;
struct api_call *api_defer(const struct api_request *q, void (*gone)(void *ctx), void *ctx);
/*
 * The same by the call, also of one that is deferred already: gone and ctx are others from now on.
 */
void api_defer_call(struct api_call *c, void (*gone)(void *ctx), void *ctx);
/*
 * Takes *body over (b is empty after). extra headers: "Name: value" strings, NULL-terminated, or
 * NULL. A body that is larger than one may be (or whose error is -EFBIG) is answered by 413, one
 * for which there is no room just now by 503.
 */
int api_reply(struct api_call *c, unsigned int status, const char *content_type, struct buf *body,
	      const char *const *headers);
/* {"error": ..., "hint": ...}; hint may be NULL. */
int api_reply_error(struct api_call *c, unsigned int status, const char *hint, const char *format,
		    ...) _printf_(4, 5);
/* Takes the reference of value (NULL: out of memory, answers 500). */
int api_reply_json(struct api_call *c, unsigned int status, json_t *value);
/* What a writer has written, in which all that was begun has ended. Takes its buffer over. */
int api_reply_writer(struct api_call *c, unsigned int status, struct json_writer *w);
/* The largest body that api_reply() takes for this call: what an encoder's buf.limit should be. */
size_t api_answer_max(const struct api_call *c);
/*
 * Encodes the profile; binary formats get a file name for browsers. An encoder's failure is
 * answered as 500 or 413.
 */
int api_reply_profile(struct api_call *c, const struct profile *p, const struct format *f);
struct worker;
/* Makes a profile on a worker; done() is called on the loop thread when it was written, or not. */
struct api_profile_maker {
	int (*make)(void *ctx, struct profile **ret);
	void (*done)(void *ctx);
	void *ctx;
	bool begun; /* it was asked for before, and there is room for it */
	/* Writes it, on the worker; NULL: its format does. */
	int (*encode)(void *ctx, const struct profile *p, struct buf *out);
};
/*
 * ... which is then written there. The call counts as deferred until then, and the server must end
 * before the worker. -EAGAIN: it was answered that the worker has too much to do.
 */
int api_reply_profile_made(struct api_call *c, const struct api_profile_maker *maker,
			   const struct format *f, struct worker *w);
/* The same for what was encoded elsewhere; r: what the encoder returned. Takes *body over. */
int api_reply_written(struct api_call *c, const struct profile *p, const struct format *f, int r,
		      struct buf *body);
/* ... and returned 0, or left its error in body. */
int api_reply_encoded(struct api_call *c, const struct profile *p, const struct format *f,
		      struct buf *body);
struct question;
/*
 * Defers the call, has the question read, added to and written as its source does it, and answers.
 * Then, and when it cannot be asked at all, k->done() is called. The server must end before the
 * source's worker.
 */
void api_ask(const struct api_request *q, struct question *k);
/*
 * Server-sent events: begin (after api_defer()), then any number of events (data: one line of
 * JSON), then end, after which the handle must not be used. A client that reads too slowly loses
 * the oldest events that it was not sent yet.
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
	/* a "*" at the end stands for one last component, as in "/v1/recordings/ID" */
	const char *path;
	bool open; /* also for a peer that is not trusted: the handler looks at the peer */
	enum scope_needs needs; /* of the scope of one that is */
	void (*handle)(const struct api_request *q, void *ctx);
};
/*
 * Every GET route takes HEAD as well: the handler sees a GET, and its answer is sent without the
 * body.
 */

struct api_options {
	const struct api_route *routes;
	size_t nroutes;
	void *ctx; /* handed to each handler */
	/*
	 * TCP only: decides peer.trusted from token, cookie and Host. 0: go on; 1: it has answered
	 * (redirect, 403), or has called api_defer() and will answer or api_continue(). NULL: Unix
	 * socket. headers: "Name: value".
	 */
	int (*authorize)(struct api_request *q, const char *const *headers, void *ctx);
	/*
	 * TCP only: makes of a connection one on which is in the clear what is said, which ends
	 * where that is closed. Takes fd over, whatever comes of it. NULL: it is in the clear.
	 */
	int (*clear)(int fd, int *ret_clear, void *ctx);
	/*
	 * max_connections at once, of which trusted_connections are kept for the trusted. Where no
	 * more may come, the oldest one gives way whose request is not whole.
	 */
	unsigned int max_connections, trusted_connections;
	/*
	 * path of the route that answers by a stream: API_PEER_STREAMS of one user or session; or
	 * NULL
	 */
	const char *stream;
	/* of what in a body there are limits, said where one is too large; or NULL */
	const char *body_hint;
	/*
	 * Whom uid counts as where what one user may have is bounded (the owner of a sub-uid);
	 * NULL: itself.
	 */
	uid_t (*user)(uid_t uid, void *ctx);
	/* Before each handler, which answers by what is known then; or NULL. */
	void (*asked)(void *ctx);
};

/*
 * After a deferred authorize(): the request goes on to its route. The handle must not be used
 * again.
 */
void api_continue(struct api_call *c, bool trusted);

struct api_server;
/* Serves on a listening socket (taken over) inside the loop. */
int api_server_new(sd_event *loop, int listen_fd, const struct api_options *options,
		   struct api_server **ret);
/*
 * The same server on a second listening socket (taken over on success), whose connections are
 * accepted before any of the first's: for clients that others must not be able to keep out. Who
 * they are is looked at all the same.
 */
int api_server_prefer(struct api_server *s, int listen_fd);
/* CPU time of the loop's thread at requests, but what is answered later; ns. */
uint64_t api_server_cpu_ns(const struct api_server *s);
void api_server_free(struct api_server *s);
DEFINE_FREEP(struct api_server, api_server_free)
