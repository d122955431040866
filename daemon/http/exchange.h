/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <curl/curl.h>

#include "http/server.h"
#include "util/buf.h"

/*
 * HTTP to plopd's Unix socket, or to a plop-gateway, by libcurl: what every exchange has, whoever
 * runs it: run.h to its end, follow.h piece by piece, loop.h many at once in an event loop.
 */
struct http_request {
	const struct http_server *server; /* borrowed; NULL: plopd, on its socket */
	const char *method;
	const char *target;      /* "/v1/status?a=b", escaped */
	const char *body;        /* JSON, or NULL */
	const char *header;      /* one more, "Name: value", or NULL */
	unsigned int connect_s;  /* that a connection may take to come about */
	unsigned int timeout_ms; /* that all of it may take; 0: any time */
	size_t limit;            /* bytes that the body may have at once */
};

struct http_exchange {
	CURL *curl;
	struct curl_slist *headers;
	unsigned int status; /* of HTTP; 0: no answer came */
	struct buf body;
	int error; /* why the receiver ended it; 0: it did not */
	size_t headers_size;
	char said[CURL_ERROR_SIZE]; /* libcurl's words for why it failed, or "" */
	/*
	 * The receiver's, each may be NULL. admit: size more bytes have come; arrived: they are in
	 * the body; a negative errno ends the exchange with it. header: a line without its end.
	 */
	int (*admit)(struct http_exchange *e, size_t size);
	int (*arrived)(struct http_exchange *e);
	void (*header)(struct http_exchange *e, const char *line, size_t size);
	void (*done)(struct http_exchange *e, int r); /* set by http_loop_add() */
	void *ctx;
};

/* Once in a program, before any thread, and at its end. */
int http_init(void);
void http_end(void);

/* Sets up e, whose receiver is filled in and all else 0. -ENOMEM: end it all the same. */
int http_exchange_begin(struct http_exchange *e, const struct http_request *q);
void http_exchange_to(struct http_exchange *e, const char *socket);
/*
 * What became of it: 0, plopd answered, whatever its status; what the receiver or the body's limit
 * ended it with; or why plopd was not reached. -EAGAIN: the socket's queue is full.
 * -EKEYREJECTED: a server's certificate is not trusted.
 */
int http_exchange_result(struct http_exchange *e, CURLcode code);
void http_exchange_end(struct http_exchange *e);

/* Adds text to a URL as RFC 3986 wants it: all but unreserved characters in %XX. */
void http_escape(struct buf *b, const char *text);
