/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "config/config.h"
#include "cycle/cycle.h"
#include "profile/symbolizer.h"
#include "record/reason.h"
#include "record/waits.h"
#include "record/whom.h"
#include "target/targets.h"

struct recording;

/*
 * Profiles on request, beside the running window and beside each other. One at the daemon's own
 * rate, of processes or of all, takes its share of the ticks that are always on: exactly those
 * between two swaps that match its selectors. Any other has perf events of its own, a channel
 * (plop/events.h), for as long as it runs, which the kernel filters for it.
 */
#define RECORDINGS_MAX PLOP_MAX_CHANNELS
/* One of a trusted user's that takes more memory ends before its time; of others, see shares.h. */
#define RECORDING_BYTES_MAX (32u << 20)
/* Of code objects that its process has forgotten. */
#define RECORDING_CODE_BYTES (2u << 20)
/* How long the result of an ended one is kept for its client. */
#define RECORDINGS_KEEP_NS (300 * NSEC_PER_SEC)

enum recording_state {
	RECORDING_WAITING,   /* for the swap that it begins with */
	RECORDING_LOADING,   /* until the programs that it needs are loaded */
	RECORDING_PREPARING, /* until it is known where its processes have their asyncio tasks */
	RECORDING_RUNNING,
	RECORDING_STOPPING, /* waits for the swap that it ends with */
	RECORDING_NAMING,   /* has all its samples, and waits for the names of its threads */
	RECORDING_KEEPING,  /* has a name, and all that is to be kept: it is being saved */
	RECORDING_DONE,
};

/* Of what, how long and how often. */
struct recording_request {
	struct whom whom;
	uint64_t duration_ns;
	unsigned int hz; /* 0: the daemon's */
	struct labels labels;
	bool off_cpu; /* time off CPU as well */
	bool tasks;   /* with asyncio tasks */
	char *name;   /* it is to be kept, by it; NULL: it has none; owned */
	char *target; /* of whom it is, as a text for people; NULL: not said; owned */
	char *why;    /* what for, as who asks says it; NULL: not said; owned */
	uid_t maker;  /* who asked for it */
};
void recording_request_done(struct recording_request *q);

struct recording {
	char id[16];
	enum recording_state state;
	char *name, *target, *why; /* as of the request; owned */
	uid_t maker;
	char *not_kept; /* why it could not be kept, though it has a name; owned */
	struct whom whom;
	struct sink *sink;
	uint64_t cycle; /* with which the next state comes */
	uint64_t duration_ns;
	uint64_t begun_mono; /* CLOCK_MONOTONIC of its first swap; 0: waits for it */
	uint64_t ended_mono; /* ... of its last */
	bool fetched;        /* DONE, and the client has the result */
	unsigned int lent;   /* how many read its profile, see recording_lend() */
	bool dropped;        /* it is in all->dropped, as it was lent when it was dropped */
	struct recording *next_dropped;
	uid_t user;          /* whom it counts for; SHARES_NOBODY: one who is trusted */
	uint64_t keep_until; /* CLOCK_MONOTONIC */
	enum recording_reason reason;
	uint32_t channel;     /* PLOP_CHANNEL_ALWAYS: shares those ticks */
	uint32_t budget;      /* that its samples are taken from; 0: none, its maker is trusted */
	uint64_t threads;     /* that the processes made, while its events were on threads */
	unsigned int naming;  /* processes that were asked for names of threads, at the end */
	uint64_t undelivered; /* samples of the cycle under way that found no home */
	uint64_t tallied;     /* samples that its profile's tally has; see recording_tally_now() */
	/* ticks of its processes that were lost, as far as that is known */
	uint64_t lost[PLOP_LOST_CAUSES];
	sd_event_source *tree_ends;
	struct waits *waits; /* NULL: no time off CPU */
	uint32_t asleep;     /* threads that were asked for, see asleep.h */
	uint32_t unread;     /* ... that did not wake, and have no stack */
	/*
	 * Some of its processes have a GIL and plop can tell who holds it; some are free-threaded.
	 */
	bool gil_known, gil_none;
	uint64_t truncated; /* samples without their root */
	/* samples of those that have one of which it is not known whether they held it */
	uint64_t gil_untold;
	/* what the kernel did to its ticks: recording_throttling(); before: when it began */
	struct throttling throttling, throttling_before;
	bool tasks;          /* with asyncio tasks */
	bool tasks_possible; /* there is, or was, a process that may have some */
	sd_event_source *timer;
	/* looks who has joined, or how the events do; NULL: nobody has to */
	sd_event_source *follow;
	/*
	 * Called once when it is not LOADING any more. k < 0: it cannot begin, as of
	 * recordings_start(), and is forgotten afterwards. NULL: nobody waits for that.
	 */
	void (*loaded)(struct recording *recording, int k, void *ctx);
	/* called once when it is done; NULL: the client asks */
	void (*done)(struct recording *recording, void *ctx);
	void *ctx;
	struct recordings *all;
};

struct recordings {
	/* borrowed */
	struct cycle *cycle;
	const struct config *config;
	struct sampler *sampler;
	struct targets *targets;
	struct recording *items[2 * RECORDINGS_MAX];
	struct recording *dropped; /* ... but somebody reads them still: they hold their memory */
	/* by channel: the cycle from which on another may have it */
	uint64_t channel_from[PLOP_MAX_CHANNELS + 1];
	uint64_t next_id;
	/*
	 * Whether one that has a name is being saved: recording_kept() is called then. NULL: nobody
	 * keeps any.
	 */
	bool (*keep)(struct recording *recording, void *ctx);
	void *keep_ctx;
};

/* All that it is given has to outlive it. It is told of the targets' asyncio tasks from then on. */
void recordings_init(struct recordings *all, struct cycle *cycle, const struct config *config,
		     struct sampler *sampler, struct targets *targets);
void recordings_done(struct recordings *all);
/*
 * Takes the request over, if it returns 0; otherwise it is as it was. -EBUSY, -EDQUOT, -ENOSPC: see
 * recordings_admit(); -EOPNOTSUPP: this kernel has no perf events for one recording, or cannot
 * watch the scheduler for one (Linux 5.17). The recording belongs to *all. Its time counts from its
 * first tick on, which comes later if it is RECORDING_LOADING now.
 */
int recordings_start(struct recordings *all, struct recording_request *q, struct recording **ret);
struct recording *recordings_find(struct recordings *all, const char *id);
/* Ends it at the next swap; harmless when it has ended. */
void recording_stop(struct recording *recording, enum recording_reason reason);
/* Forgets it now, running or not; done is not called. */
void recording_drop(struct recording *recording);
/*
 * plopd ends. Those that run and have a name end with the next cycle; and are then saved, without
 * the names of threads that were not told by then.
 */
void recordings_end_named(struct recordings *all);
void recordings_keep_now(struct recordings *all);
/* It was kept, and is forgotten here; or why it could not be: a sentence, taken over. */
void recording_kept(struct recording *recording, char *why_not);
/*
 * The profile of one that is DONE or KEEPING, which does not change any more, for a worker to read;
 * NULL: it is not. It stays until it is given back, whatever becomes of the recording.
 */
const struct profile *recording_lend(struct recording *recording);
void recording_give_back(struct recording *recording);
/*
 * Whether it may have anything of a process: its selectors are for it, as far as that is known
 * while it runs, and who asked for it may see it (target/owner.h). Nothing of any other is looked
 * at, however it came.
 */
bool recording_wants(const struct recording *recording, struct target *k);
/* Parts of the sampler (enum sampler_part) that some wait for are loaded or, k < 0, cannot be. */
void recordings_loaded(struct recordings *all, unsigned int parts, int k);
/* One of the processes that thread_names_last() asked has answered. */
void recording_named(struct recording *recording);
unsigned int recordings_running(const struct recordings *all);

/*
 * Notes whether what the recording has of a process can tell of the GIL, as the kernel side has it
 * (gil_flags(), is_gil()).
 */
void recording_note_gil(struct recording *recording, const struct plop_layout *l);
void recordings_add(struct recordings *all, struct target *k, const struct symbolized_stack *s);
/* A stack of one recording's own channel whose process is not known (any more). */
void recordings_undelivered(struct recordings *all, const struct plop_stack *stack);
/*
 * A cycle is complete: its number, what it counted, and what of it was counted for the channels (1
 * and up).
 */
void recordings_cycle(struct recordings *all, uint64_t number, const struct tally *t,
		      const struct plop_channel_counters *channels);
