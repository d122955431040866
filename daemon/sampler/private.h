/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "plop/events.h"

/* has variables of types that are declared above */
#include "plop.skel.h"
#include "sampler/period.h"
#include "sampler/records.h"
#include "sampler/sampler.h"
#include "util/worker.h"

/* What the files of this room share. */

/*
 * What is read of an event that was opened with PERF_FORMAT_TOTAL_TIME_RUNNING
 * (perf_event_open(2)).
 */
struct event_count {
	uint64_t counted_ns; /* the time that it has counted, as it is one of a clock */
	uint64_t running_ns;
};
int event_read(int fd, struct event_count *ret);

/* The event of one CPU. */
struct cpu_event {
	struct bpf_link *link; /* NULL: the CPU is offline */
	int fd;                /* owned by the link */
	struct period period;
	uint64_t since; /* CLOCK_MONOTONIC, ns: when it got its period */
	/* ... when a tick of a process that is profiled was last seen here; see events_change() */
	uint64_t python_ns;
};

/* The event of one thread. */
struct thread_event {
	uint32_t tid;
	int fd;
	bool parent; /* threads have inherited it that have none of their own yet */
	struct period period;
	/* its thread's CPU time when it got its period, as the event counts it; ns */
	uint64_t since;
};

/* Perf events of the threads of some processes. */
struct thread_events {
	uint32_t *tgids; /* of these processes */
	size_t ntgids;
	struct thread_event items[PLOP_MAX_THREAD_EVENTS];
	size_t n;
	/*
	 * threads that have an inherited one: to get one of their own at renew_at (CLOCK_MONOTONIC,
	 * ns; 0: none has)
	 */
	uint32_t born[PLOP_MAX_THREAD_EVENTS];
	size_t nborn;
	uint64_t renew_at;
	unsigned int attempts;
};

/* The perf events of one channel: one for each CPU that is online, or those of threads. */
struct events {
	struct bpf_program *program;
	struct cpu_event *cpus; /* by CPU; NULL: closed, or they are on threads */
	uint64_t cookie;        /* the channel */
	double hz;              /* those of PLOP_CHANNEL_ALWAYS may be fewer than asked for */
	bool tasks;             /* with the asyncio tasks */
	struct thread_events *threads; /* NULL: they are on the CPUs */
	uint64_t due;                  /* of the next change of periods: CLOCK_MONOTONIC, ns */
	struct period when;            /* draws that */
};

/* Who has a layout. */
struct layout_use {
	bool known;         /* its place is taken */
	uid_t user;         /* who brought it; SAMPLER_TRUSTED: it counts for nobody */
	uint32_t processes; /* that are known to have it */
};

/* The same programs and maps again, of which only these programs are loaded. */
struct part {
	struct sampler *sampler;
	enum sampler_part which;
	struct plop *skel; /* NULL: it is not loaded */
	bool loading;      /* the loader has it */
	struct plop *coming;
	int r;
	uint64_t failed_ns; /* CLOCK_MONOTONIC: when it could not be loaded; 0: it was not tried */
};
#define PARTS 3

struct sampler {
	struct sampler_options options;
	struct sampler_handlers handlers;
	struct plop *skel;
	struct bpf_program *tick; /* with or without bpf_loop() */
	struct records records;
	size_t dispatched;          /* bytes of records, by the dispatch under way */
	uint64_t dispatch_until_ns; /* ... which goes on until then, CLOCK_MONOTONIC */
	struct plop_cpu *cpus;      /* the mmapped map */
	struct {
		/* what is next: records, until no tick is under way, again, or stacks */
		enum { REVIEW_BEFORE = 0, REVIEW_BUSY, REVIEW_AFTER, REVIEW_STACKS } stage;
		size_t bytes;   /* of records so far */
		int cpu;        /* whose half is next */
		uint32_t stack; /* ... and which of its stacks */
	} reviewed;             /* how far sampler_review() has come */
	struct {
		int cpu;        /* whose half is next */
		uint32_t stack; /* ... and which of its stacks */
		/* ... and which of its threads' counts, when all stacks are handed up */
		uint32_t thread;
	} collected;          /* how far sampler_collect() has come */
	uint32_t collections; /* how often it was done */
	/* up to where the frames of each half are mapped, bytes of the map; see tables.c */
	size_t (*reached)[2];
	struct plop_thread_bucket *buckets; /* the mmapped map of thread states */
	int ncpus;                          /* possible ones */
	struct events events[PLOP_MAX_CHANNELS + 1];
	/* what a tick of PLOP_CHANNEL_ALWAYS counts, and what it did in the halves taken last */
	uint32_t weight, weight_taken;
	int timer; /* a timerfd, for what the events have to be given in time; see jitter.c */
	uint64_t map_bytes;
	uint64_t quiet[PLOP_USER_PLACES / 64]; /* sampler_quiet_add() */
	struct plop_layout layouts[PLOP_MAX_LAYOUTS];
	struct layout_use layout_uses[PLOP_MAX_LAYOUTS];
	uint32_t nlayouts;  /* places that were ever taken */
	bool have_channels; /* what sampler_need() loads can be loaded */
	struct part parts[PARTS];
	struct worker *loader;          /* NULL: nothing was to be loaded yet */
	struct bpf_link *wall_links[2]; /* of what sampler_watch_off_cpu() watches */
	bool off_cpu_tasks;             /* which program watches the switches */
	/* the mmapped map, PLOP_MAX_SLEEPERS of them; NULL: nobody watches the switches */
	struct plop_sleeper *sleepers;
	struct plop_budget *budgets; /* the mmapped map */
	/* each channel's budget, 0: none, and the user whose processes it may be of */
	struct {
		uint32_t budget;
		uid_t uid;
	} charged[PLOP_MAX_CHANNELS + 1];
	struct plop_async asyncs[PLOP_MAX_LAYOUTS];     /* from 1 on */
	struct layout_use async_uses[PLOP_MAX_LAYOUTS]; /* ... as well */
	uint32_t nasyncs;                               /* places that were ever taken */
};

/*
 * A process has executed a program: makes the table say so, if plopd's own change of it came after
 * that.
 */
void process_restore(struct sampler *s, uint32_t tgid, uint64_t image);

/* Whether a user may bring one more to the n that are there. -EDQUOT. */
int layout_admit(const struct layout_use *uses, uint32_t n, uid_t user);
/* The first place of n that is free; n: none is. */
uint32_t layout_free_place(const struct layout_use *uses, uint32_t n);
/* Forgets where tasks are kept in a way that no process has any more; the places stay. */
void asyncs_forget(struct sampler *s);

/* Opens them on all CPUs that are online; closes them all again on failure. */
int events_open(struct sampler *s, struct events *e);
void events_close(struct sampler *s, struct events *e);
/* As sampler_follow_cpus(). */
int events_follow(struct sampler *s, struct events *e, const bool *online, size_t n);
/*
 * Gives each event of the CPUs its next period. Those of PLOP_CHANNEL_ALWAYS on CPUs where no
 * Python ran of late change seldom (plop_cpu.still), every EVENTS_STILL-th time; returns whether
 * all are such.
 */
#define EVENTS_STILL 8
bool events_change(struct sampler *s, struct events *e);
/* Gives each event of the CPUs another nominal rate. */
void events_turn(struct sampler *s, struct events *e, double hz);
/* A half of a CPU is about to be emptied: whether a profiled process had a tick there. */
void events_seen(struct sampler *s, int cpu, const struct plop_half *half);
/* A CPU is none any more whose period changes seldom: it begins with another. */
void events_wake(struct sampler *s, struct events *e, uint32_t cpu);

/*
 * Opens events for all threads of the processes, and enables them: exactly once for each thread,
 * those included that begin meanwhile or later. -E2BIG: there are more than PLOP_MAX_THREAD_EVENTS;
 * -EAGAIN: they come too fast; -EINVAL: this kernel cannot (Linux 5.13); -EMFILE. Then none is
 * open.
 */
int threads_open(struct sampler *s, struct events *e, const uint32_t *tgids, size_t n);
void threads_close(struct sampler *s, struct events *e);
/* Gives each that its thread has used for long enough its next period. */
void threads_change(struct events *e);
/* A thread of a process was made, and has inherited the event of its maker. */
void threads_born(struct sampler *s, uint32_t tgid, uint32_t maker, uint32_t tid);
/*
 * Gives those events of their own. Errors as threads_open(), which leave all as it was; 0 if it is
 * to be tried again.
 */
int threads_renew(struct events *e);

int jitter_init(struct sampler *s);
void jitter_done(struct sampler *s);
/* The events of this channel were opened: their periods are to be changed from now on. */
void jitter_begin(struct sampler *s, struct events *e);
/* Wakes up in time for the next thing that is due. */
void jitter_arm(struct sampler *s);
/* A PLOP_RECORD_PERIOD has come of this CPU. */
void jitter_wake(struct sampler *s, uint32_t cpu);

/* Moves the counters of the recordings' channels from a half to *counters. */
void channels_collect(struct plop_half *half, struct sampler_counters *counters);
/* No PLOP_RECORD_THREAD for this channel any more. */
void channels_unreport(struct sampler *s, uint32_t channel);
/* states.c */
int states_map(struct sampler *s);
void states_unmap(struct sampler *s);
int sampler_map_budgets(struct sampler *s);
void sampler_unmap(struct sampler *s);

/*
 * Maps what the ticks count, of all CPUs. Of the frames of a half, which are most of it, only as
 * many are mapped as tables_reach() says: -EAGAIN, there is no memory for it now.
 */
int tables_map(struct sampler *s);
void tables_unmap(struct sampler *s);
int tables_reach(struct sampler *s, int cpu, uint32_t half, uint32_t nframes);
void tables_let_go(struct sampler *s, int cpu, uint32_t half);

/* Has what sampler_need() loads not be loaded with the rest. */
void parts_leave_out(struct sampler *s, struct plop *skel);
/* The programs and maps of a part; NULL: they are not loaded. */
struct plop *part_skel(const struct sampler *s, enum sampler_part which);
/* Waits for what is being loaded. */
void parts_free(struct sampler *s);
/* What a map takes, as the kernel accounts it. */
uint64_t sampler_one_map_bytes(int fd);
