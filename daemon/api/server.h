/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <microhttpd.h>
#include <sys/queue.h>

#include "api/api.h"

/*
 * Private to the room. A connection begins at the gate (gate.c): accepted, and looked at without taking anything
 * from the socket until its head is whole and good. Then libmicrohttpd has it (server.c), makes one api_call of it
 * (call.c), and closes it after the answer: one request for each connection, so that every head passes the gate.
 */
struct api_gate {
	LIST_ENTRY(api_gate) gates;
	struct api_server *server;
	int fd;
	struct api_peer peer;
	sd_event_source *io, *timer;
};

struct api_server {
	sd_event *loop;
	int listen_fd;
	bool is_unix;
	gid_t group; /* of trusted peers; -1: there is none */
	struct api_options options;
	struct MHD_Daemon *daemon;
	sd_event_source *accept, *io, *timer;
	bool accept_paused; /* out of descriptors: timer goes on with it */
	unsigned int ngates;
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
	struct api_parameter parameters[API_MAX_PARAMETERS];
	char *storage; /* path and parameters */
	struct buf body;
	unsigned int bad_target; /* HTTP status, if target_decode() refused it */

	bool started, dispatched;
	bool deferred;  /* api_defer() was called and no answer has begun */
	bool suspended; /* libmicrohttpd does not look at the connection; watch does */
	bool gone;      /* the client went away while suspended */
	bool streaming, ended;
	void (*on_gone)(void *ctx);
	void *on_gone_ctx;
	sd_event_source *watch;

	unsigned int status;
	struct MHD_Response *response;
	STAILQ_HEAD(, api_chunk) chunks;
	size_t nchunks, chunk_bytes;
};

/* gate.c */
int gate_accept(struct api_server *s);
void gate_free(struct api_gate *g);

/* server.c: run libmicrohttpd soon. */
void server_kick(struct api_server *s);

/* call.c: what libmicrohttpd calls. */
void *call_begin(void *ctx, const char *uri, struct MHD_Connection *connection);
enum MHD_Result call_access(void *ctx, struct MHD_Connection *connection, const char *url,
			    const char *method, const char *version, const char *data, size_t *size,
			    void **call);
void call_completed(void *ctx, struct MHD_Connection *connection, void **call,
		    enum MHD_RequestTerminationCode code);
/* Tells the handler that the client is gone and lets libmicrohttpd close the connection. */
void call_abandon(struct api_call *c);

/* peer.c: who is at the other end of fd. */
void peer_of(const struct api_server *s, int fd, struct api_peer *ret);
/* The gid of group "plop", -1 if there is none. */
gid_t peer_group(void);
