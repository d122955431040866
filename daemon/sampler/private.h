/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "plop.skel.h"
#include "sampler/sampler.h"

/* What the files of this room share. */

/* Perf events of the threads of some processes; those of threads that these make come and go with them. */
struct thread_events {
	int fds[PLOP_MAX_THREAD_EVENTS];
	size_t n;
};

/* The perf events of one set: one for each CPU that is online, or those of threads. */
struct events {
	struct bpf_program *program;
	struct bpf_link **links; /* by CPU; NULL: offline. NULL altogether: closed */
	int *fds;                /* by CPU, owned by links[] */
	uint64_t cookie;         /* the set */
	unsigned int hz;
	bool tasks;                    /* with the asyncio tasks */
	struct thread_events *threads; /* NULL: they are on the CPUs */
};

/* Who has a layout. */
struct layout_use {
	bool known;         /* its place is taken */
	uid_t user;         /* who brought it; SAMPLER_TRUSTED: it counts for nobody */
	uint32_t processes; /* that are known to have it */
};

struct sampler {
	struct sampler_options options;
	struct sampler_handlers handlers;
	struct plop *skel;
	struct bpf_program *tick; /* with or without bpf_loop() */
	struct ring_buffer *ring;
	size_t ring_size;
	size_t dispatched;     /* bytes of records, by the dispatch under way */
	struct plop_cpu *cpus; /* the mmapped map */
	size_t cpus_size;
	int ncpus; /* possible ones */
	struct events events[PLOP_MAX_SETS + 1];
	uint64_t map_bytes;
	struct plop_layout layouts[PLOP_MAX_LAYOUTS];
	struct layout_use layout_uses[PLOP_MAX_LAYOUTS];
	uint32_t nlayouts; /* places that were ever taken */
	bool have_sets, have_wall;
	bool wall_tasks; /* which program watches the switches */
	struct plop_sleeper *
		sleepers; /* the mmapped map, PLOP_MAX_SLEEPERS of them; NULL: have_wall is false */
	size_t sleepers_size;
	struct plop_budget *budgets;         /* the mmapped map */
	uint32_t charged[PLOP_MAX_SETS + 1]; /* each set's budget; 0: none */
	/* sampler_async(): the same programs and maps again, of which only these programs are loaded; NULL: not yet */
	struct plop *async;
	struct plop_async asyncs[PLOP_MAX_LAYOUTS];     /* from 1 on */
	struct layout_use async_uses[PLOP_MAX_LAYOUTS]; /* ... as well */
	uint32_t nasyncs;
};

/* Whether a user may bring one more to the n that are there. -EDQUOT. */
int layout_admit(const struct layout_use *uses, uint32_t n, uid_t user);

/* Opens them on all CPUs that are online; closes them all again on failure. */
int events_open(struct sampler *s, struct events *e);
void events_close(struct sampler *s, struct events *e);
/* As sampler_follow_cpus() and sampler_jitter(). */
int events_follow(struct sampler *s, struct events *e, const bool *online, size_t n);
void events_jitter(struct sampler *s, struct events *e);

/*
 * Opens events for all threads of the processes, and enables them: exactly once for each thread, those included that begin
 * meanwhile or later. -E2BIG: there are more than PLOP_MAX_THREAD_EVENTS; -EAGAIN: they come too fast; -EINVAL: this kernel
 * cannot (Linux 5.13); -EMFILE. Then none is open.
 */
int threads_open(struct sampler *s, struct events *e, const uint32_t *tgids, size_t n);
void threads_close(struct sampler *s, struct events *e);

/* Moves the counters of the recordings' sets from a half to *counters. */
void sets_collect(struct plop_half *half, struct sampler_counters *counters);
/* No PLOP_RECORD_THREAD for this set any more. */
void sets_unreport(struct sampler *s, uint32_t set);
int sampler_map_sleepers(struct sampler *s);
int sampler_map_budgets(struct sampler *s);
void sampler_unmap(struct sampler *s);

/* Has what sampler_async() loads not be loaded with the rest. */
void async_leave_out(struct plop *skel);
void async_free(struct sampler *s);
/* What a map takes, as the kernel accounts it. */
uint64_t sampler_one_map_bytes(int fd);
