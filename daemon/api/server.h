/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <microhttpd.h>
#include <sys/queue.h>

#include "api/api.h"

/*
 * Private to the room. A connection begins at the gate (gate.c): accepted, and looked at without
 * taking anything from the socket until its head is whole and good. Then libmicrohttpd has it
 * (server.c), makes one api_call of it (call.c), and closes it after the answer: one request for
 * each connection, so that every head passes the gate.
 */
struct api_gate {
	LIST_ENTRY(api_gate) gates;
	struct api_server *server;
	int fd;
	struct sockaddr_storage address; /* of the client, whatever fd is */
	socklen_t address_size;
	struct api_peer peer;
	uint64_t begun_usec; /* CLOCK_MONOTONIC */
	unsigned int looks;
	bool told_continue;
	sd_event_source *io, *timer;
};

/* A socket that is listened on. */
struct api_door {
	struct api_server *server;
	int fd;
	sd_event_source *source;
};

struct api_server {
	sd_event *loop;
	struct api_door doors[2]; /* the second: api_server_prefer(); fd -1: there is none */
	bool is_unix;
	gid_t group; /* of trusted peers; -1: there is none */
	struct api_options options;
	struct MHD_Daemon *daemon;
	sd_event_source *io, *timer;
	uint64_t cpu_ns;    /* of the loop's thread, at requests */
	bool accept_paused; /* it failed: timer goes on with it */
	LIST_HEAD(, api_gate) gates;
	LIST_HEAD(, api_call) calls;
};

struct api_chunk {
	STAILQ_ENTRY(api_chunk) chunks;
	size_t size, sent;
	char data[];
};

struct api_call {
	LIST_ENTRY(api_call) calls;
	struct api_server *server;
	struct MHD_Connection *connection;
	struct api_request request;
	struct query_parameter parameters[API_MAX_PARAMETERS];
	char *storage; /* path and parameters */
	struct buf body;
	unsigned int bad_target;   /* HTTP status, if target_decode() refused it */
	uint64_t begun_usec;       /* CLOCK_MONOTONIC */
	sd_event_source *deadline; /* for the whole request, then for its answer to be fetched */

	bool started, dispatched, routed; /* routed: a route's handler has it */
	bool deferred;                    /* api_defer() was called and no answer has begun */
	bool suspended; /* libmicrohttpd does not look at the connection; watch does */
	bool gone;      /* the client went away while suspended */
	bool cut;       /* by call_cut(): libmicrohttpd is to find out */
	bool streaming, ended;
	void (*on_gone)(void *ctx);
	void *on_gone_ctx;
	sd_event_source *watch;

	unsigned int status;
	struct MHD_Response *response;
	/* bytes of the answer that are kept for the client, those of chunks not counted */
	size_t waiting;
	STAILQ_HEAD(, api_chunk) chunks;
	size_t nchunks, chunk_bytes;
	struct coding *coding; /* of the stream; NULL: it is sent as it is */
};

/* gate.c */
int gate_accept(struct api_server *s, int listen_fd);
void gate_free(struct api_gate *g);
/*
 * A short answer in JSON on a socket on which libmicrohttpd has sent nothing. It fits in the
 * socket's buffer or is not sent.
 */
void gate_refuse(int fd, unsigned int status, const char *error, bool with_body);

/*
 * bounds.c: what one peer may have of what all share. Whether one more connection of peer may be;
 * where that takes it, another that has not sent a whole request gives way. 0, or the HTTP status
 * of the refusal and a sentence.
 */
unsigned int bounds_admit(struct api_server *s, const struct api_peer *peer, char *error,
			  size_t size);
/*
 * Whether the call may go to its handler: if that is a stream, whether its peer may have one more.
 */
bool bounds_stream(const struct api_call *c);
/* Whether size more bytes may wait for the call's client. */
bool bounds_waiting(const struct api_call *c, size_t size);
/* Refuses a body that is larger than one may be. */
void bounds_refuse_body(struct api_call *c);

/* server.c: run libmicrohttpd soon. */
void server_kick(struct api_server *s);

/* answer.c: the headers of every answer, and those of its handler. */
int call_headers(struct MHD_Response *response, const char *content_type,
		 const char *const *headers);
/* Gives libmicrohttpd the response (taken over). */
int call_answer(struct api_call *c, unsigned int status, struct MHD_Response *response);

/* stream.c: frees what waits in a stream. */
void stream_done(struct api_call *c);

/* call.c: what libmicrohttpd calls. */
void *call_begin(void *ctx, const char *uri, struct MHD_Connection *connection);
enum MHD_Result call_access(void *ctx, struct MHD_Connection *connection, const char *url,
			    const char *method, const char *version, const char *data, size_t *size,
			    void **call);
void call_completed(void *ctx, struct MHD_Connection *connection, void **call,
		    enum MHD_RequestTerminationCode code);
/* libmicrohttpd lets the connection be, until there is something to send. */
void call_suspend(struct api_call *c);
void call_resume(struct api_call *c);
/* Tells the handler that the client is gone and lets libmicrohttpd close the connection. */
void call_abandon(struct api_call *c);
/*
 * Cuts the connection: by an answer if status is not 0 (nothing must have been sent yet), and
 * whatever its state.
 */
void call_cut(struct api_call *c, unsigned int status, const char *error);

/* peer.c: who is at the other end of fd, which over TCP is at that address. */
void peer_of(const struct api_server *s, int fd, const struct sockaddr *address,
	     struct api_peer *ret);
/* The gid of group "plop", -1 if there is none. */
gid_t peer_group(void);
