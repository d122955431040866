/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "proc/process.h"
#include "python/python.h"
#include "sampler/sampler.h"

/*
 * What processes were found to be, by how they were launched (PLOP_LAUNCHES of plop/events.h). A
 * command that is run again and again is looked at once in ten seconds: all other processes of it
 * are profiled from their first tick on, and nobody is woken for them, or reads anything of them.
 * Only those whose interpreter is the program itself, or the libpython that this is linked to. What
 * is known of other files than the program, as a version, is believed for one second.
 */
#define LAUNCH_LASTS_NS      (10 * NSEC_PER_SEC)
#define LAUNCH_FILES_LAST_NS NSEC_PER_SEC
/* A process that began in that time may not be known here yet. */
#define LAUNCH_LATE_NS (5 * NSEC_PER_SEC)

/* Processes whose launch was told, and which are being looked at; one has the place of another. */
#define LAUNCHES_MET 256

struct launch {
	uint64_t launch; /* 0: none */
	uint64_t until_ns;
	uid_t uid;
	uint32_t layout; /* in use, for the sampler */
	struct process_info info;
	struct python_process python; /* runtime: of the program's own from its code; else 0 */
};

struct launch_met {
	uint32_t tgid;
	uid_t uid;
	uint64_t image, launch, code;
};

struct launches {
	struct launch *of[PLOP_LAUNCHES]; /* owned; NULL: none */
	struct launch_met met[LAUNCHES_MET];
};

/* A process was launched that has to be looked at. */
void launches_meet(struct launches *l, const struct plop_record_exec *r);
/*
 * What it was found to be, when it was looked at: layout is the sampler's number of its layout. The
 * next of that launch is so as well.
 */
void launches_learn(struct launches *l, struct sampler *s, uint32_t tgid, uint64_t image,
		    const struct process_info *info, const struct python_process *python,
		    uint32_t layout, uint64_t now_ns);
/*
 * What a process is that is profiled by its launch: *ret_info is the caller's. ret_python->runtime:
 * 0: the kernel side has it. -ENOENT: it is not known any more. -ENOMEM.
 */
int launches_find(const struct launches *l, const struct plop_record_exec *r,
		  struct python_process *ret_python, struct process_info *ret_info);
/* Gives up what is over. */
void launches_cycle(struct launches *l, struct sampler *s, uint64_t now_ns);
void launches_done(struct launches *l);
size_t launches_bytes(const struct launches *l);
