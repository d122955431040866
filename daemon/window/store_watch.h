/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <systemd/sd-event.h>

#include "store/store.h"
#include "util/json.h"

struct windows;

/*
 * What becomes of the store beside the saving of windows: every few seconds it is looked at, on the
 * saver's thread; what a query finds damaged is set aside; and what a person should know is logged
 * and told by status.
 */

/* What the saver's thread found, for the loop. */
struct store_report {
	int result;
	char *error;            /* why, for a person; owned */
	char *news[STORE_NEWS]; /* owned */
	bool mending;
	bool known; /* facts are */
	struct store_facts facts;
};

/* Things that status tells: those of the store, and of the clock. */
#define NOTICE_CLOCK STORE_NEWS
#define NOTICES      (NOTICE_CLOCK + 1)
struct notice {
	char *text; /* owned; NULL: there was none */
	uint64_t at_ns;
};

struct store_watch {
	struct windows *windows;
	sd_event_source *timer;
	bool busy, again, failed, stopped, mending;
	bool distrusted; /* somebody found file damaged */
	struct store_file file, asked;
	bool asks; /* ... which asked is, on the saver's thread */
	struct store_report report;
	struct notice notices[NOTICES];
};

int store_watch_init(struct windows *w);
/* Nothing more is handed to the saver, which ends. */
void store_watch_stop(struct windows *w);
void store_watch_done(struct windows *w);

/*
 * On the saver's thread: the store, opened if it is not; and what came of a call to it. known: its
 * windows are counted.
 */
int store_watch_open(struct windows *w, struct store_report *report);
/* ... why that call failed, before the next one. */
void store_watch_failed(struct windows *w, int r, struct store_report *report);
void store_watch_report(struct windows *w, int r, bool known, struct store_report *report);
/* On the loop: takes over what a report says, but for its result and error, which stay. */
void store_watch_take(struct windows *w, struct store_report *report);
void store_report_done(struct store_report *report);

/* A reading of that file gave -EBADMSG. */
void store_watch_distrust(struct windows *w, const struct store_file *file);
/* Logs a sentence, which it takes over, and keeps it for status; NULL: nothing. */
void notice_take(struct windows *w, int what, char *text);
/* [{"time": 1700000000.0, "text": "..."}], oldest first. */
void notices_put(struct json_writer *w, const char *key, const struct windows *windows);
