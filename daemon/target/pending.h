/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <uthash.h>

#include "util/macro.h"

/* A process between two exec calls. */
struct target_key {
	uint64_t image;
	uint32_t tgid;
	uint32_t pad;
};

/* How many wait at most: those beyond are asked for by their ticks. */
#define PENDING_MAX 4096

/*
 * A process that is to be looked at: its interpreter is not there yet, or its program is a plain
 * one (target/plain.h).
 */
struct pending {
	struct target_key key;
	UT_hash_handle hh;
	uint64_t due_ns; /* CLOCK_MONOTONIC; 0: it is being looked at */
	uint64_t wait_ns;
	uint64_t file; /* of the program that it has executed, where that was told; else 0 */
	bool plain;    /* the program is a plain one: ticks do not ask for it earlier */
};

struct pendings {
	struct pending *all;
};

void pendings_done(struct pendings *p);

struct pending *pendings_find(const struct pendings *p, const struct target_key *key);
/*
 * Makes it, with nothing said, where there is none. NULL: there are too many, or there is no
 * memory.
 */
struct pending *pendings_get(struct pendings *p, const struct target_key *key);
void pendings_drop(struct pendings *p, const struct target_key *key);
/* When the first is due; 0: none is. */
uint64_t pendings_next(const struct pendings *p);
/* Those of plain programs may be any number: the others have half of the room for themselves. */
bool pendings_may_be_plain(const struct pendings *p);

/* It waits for twice as long as before. */
void pending_wait_longer(struct pending *p);
