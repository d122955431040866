/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/buf.h"

/*
 * Posts to a store, over a connection that stays open. A call blocks until it is answered or the
 * time is up: it is for a thread that may, one at a time. No redirection is followed.
 */
struct poster;

struct poster_options {
	const char *place;      /* "host:8123", for messages */
	const char *ca_file;    /* certificates that are trusted; NULL or "": the system's */
	unsigned int timeout_s; /* for a call; 0: 30 */
};

/* -ENOMEM. What the options point to is copied. */
int poster_new(const struct poster_options *o, struct poster **ret);
void poster_free(struct poster *p);
DEFINE_FREEP(struct poster, poster_free)
/*
 * From any thread: a call that is under way ends within a second or so, and all later ones at once,
 * as where no answer comes.
 */
void poster_stop(struct poster *p);
/* A line that each call has from now on. */
int poster_header(struct poster *p, const char *line);
/* As whom each call asks from now on, by the header Authorization: Basic. */
int poster_user(struct poster *p, const char *user, const char *password);
/* Bytes that were sent as bodies since the beginning. */
uint64_t poster_sent(const struct poster *p);

struct poster_call {
	const char *url;
	const struct buf *body;
	const char *content_type; /* NULL: none is named */
	bool gzip;                /* the body is */
	struct buf *to;           /* what a status of 200 to 299 brings is added to it */
};

/* Bytes that are kept of an answer that is no success: who reads it needs its first line. */
#define POSTER_SAID_MAX 4096
#define POSTER_WHY      512
struct poster_answer {
	unsigned int status;        /* 0: none came; after -EAGAIN, of a part of an answer */
	unsigned int retry_after_s; /* 3600 at most; 0: it does not say */
	struct buf said;            /* of an answer that is no success; owned */
	char why[POSTER_WHY];       /* a sentence, where the result is below 0 */
};

/*
 * 0: it was answered, whatever the status. -EAGAIN: it was not, or not whole; -EACCES: its
 * certificate is not trusted; -E2BIG: the answer goes beyond to->limit; -ENOMEM.
 */
int poster_post(struct poster *p, const struct poster_call *call, struct poster_answer *ret);
void poster_answer_done(struct poster_answer *a);
/* What a line of an answer's head says of when to ask again, 3600 s at most; 0: it does not. */
unsigned int poster_retry_after(const char *line, size_t size);
/* The first line of an answer that is no success, without what would be no text. */
void poster_first_line(const struct buf *said, char *line, size_t size);

/* The first line of a file that has a secret: -ENODATA: it is empty. Owned by the caller. */
int poster_secret(const char *path, char **ret);
/* Adds bytes to out, compressed as Content-Encoding: gzip wants it. level: of zlib. -E2BIG. */
int poster_gzip(const struct buf *bytes, int level, struct buf *out);
