/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "cycle/cycle.h"
#include "profile/symbolizer.h"
#include "store/store.h"
#include "util/worker.h"
#include "window/store_watch.h"

struct shares;
struct target;

/*
 * The running window, those that ended but are not saved yet, and the worker that saves them.
 * Windows are aligned to the clock: with 30 s they begin at :00 and :30. A full disk loses windows,
 * not samples of the running one.
 */
#define WINDOWS_SAVING_MAX 4

/* A window that takes more memory ends before its time. */
#define WINDOW_BYTES_MAX (8u << 20)

struct window_save {
	struct windows *windows;
	/* owned, NULL: a free place; read by both threads while it is being saved */
	struct profile *window;
	struct store_report report;
	/* as they were when it ended */
	uint64_t retention_ns, retention_10m_ns, retention_6h_ns, retention_recordings_ns,
		max_store;
	uint64_t ended_ns;        /* CLOCK_BOOTTIME: when it did */
	uid_t *users;             /* whose each of its processes is; owned */
	enum profile_part *parts; /* what is saved of each; owned, NULL: all of all */
	uint64_t *bytes;          /* that each took in the store; owned */
	int result;
	bool finished; /* saved or lost; kept only for questions that count on it */
	uint64_t keep; /* ... which are those up to this number */
};

/*
 * The windows that were in memory when a question was asked. The answer takes these from memory,
 * even if they are saved meanwhile, and passes over them in the store: each is counted once,
 * whenever the store is read.
 */
struct windows_held {
	uint64_t starts[WINDOWS_SAVING_MAX + 1];
	size_t n;
};

struct windows {
	/*
	 * borrowed; of the configuration state_dir alone is read by other threads, and never
	 * changes
	 */
	struct cycle *cycle;
	const struct config *config;
	struct shares *shares;
	struct code_pool *codes; /* NULL: none, see windows_share() */
	struct sink *running;
	uint64_t end_ns;      /* CLOCK_REALTIME: when the running window ends */
	uint64_t bound_mono;  /* windows_bound() */
	uint64_t counted_ns;  /* CLOCK_REALTIME: up to when it has what was sampled */
	int64_t stepped_ns;   /* how far the clock was set, which no window says yet */
	uint64_t close_cycle; /* the cycle with which it ends; 0: not asked for yet */
	sd_event_source *timer;
	struct worker *saver,
		*query;           /* the writer, and the readers' thread, first come first served */
	uint64_t asked, answered; /* questions */
	unsigned int tasks;       /* of others that wait for the saver (store_task.h) */
	struct store *store;      /* saver's, while it runs; NULL: could not be opened */
	struct window_save saving[WINDOWS_SAVING_MAX];
	char *error;              /* what is not being saved and why; NULL: all is well */
	uint64_t unsaved;         /* windows lost */
	struct store_facts facts; /* as of the last save, or look */
	struct store_watch watch;
	/* whenever a window was saved, on the loop; may be NULL */
	void (*saved)(const struct profile *window, void *ctx);
	void *saved_ctx;
};

/*
 * Opens the store, and begins a window. All that it is given has to outlive it. -EBUSY, -EPROTO and
 * what else forbids to start: with *ret_error. A full disk does not.
 */
int windows_init(struct windows *w, struct cycle *cycle, const struct config *config,
		 struct shares *shares, char **ret_error);
/* The code objects that windows give up are waste of that pool, which has to outlive them. */
void windows_share(struct windows *w, struct code_pool *codes);
/* Ends the running window with the next cycle. One in which nothing was sampled is not saved. */
void windows_close(struct windows *w);
/*
 * From the next window on somebody ends them at mono_ns, CLOCK_MONOTONIC, by windows_close(): they
 * do not end a moment before that by themselves. 0: they end as windows do. windows_bound_now():
 * the running one as well.
 */
void windows_bound(struct windows *w, uint64_t mono_ns);
void windows_bound_now(struct windows *w, uint64_t mono_ns);
/* Saves the running window; waits for it. */
void windows_end(struct windows *w);
void windows_done(struct windows *w);

/* What the running window takes, and those that ended and are in memory; in bytes. */
size_t windows_bytes(const struct windows *w);

int windows_add(struct windows *w, struct target *k, const struct symbolized_stack *s);
/* A cycle is complete: its number, and what it counted. */
void windows_cycle(struct windows *w, uint64_t number, const struct tally *t);

/* The running window, with end_ns set to now. Borrowed. */
const struct profile *windows_running(struct windows *w);

/*
 * A question begins: submits it to the query worker. Each that was begun is ended, in the same
 * order.
 */
int windows_ask(struct windows *w, void (*run)(void *ctx), void (*done)(void *ctx), void *ctx,
		struct windows_held *held);
void windows_answered(struct windows *w);
/*
 * Calls add() for each window in memory that is held, oldest first, and for the running one, last.
 */
int windows_each_held(struct windows *w, const struct windows_held *held,
		      int (*add)(const struct profile *window, void *ctx), void *ctx);
