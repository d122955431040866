/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"

struct target;

/*
 * Who may see what. Root, plopd's own user and members of group plop (peer.trusted) may ask for anything; everybody else
 * for the processes that are their own (process_owner()), and nobody learns of another's. It is decided when somebody asks, and
 * for each image: what a process executes later is a target of its own, with an owner of its own.
 */
bool access_process(const struct api_peer *peer, const struct target *k);
/* The same for any process, Python or not. */
bool access_pid(const struct api_peer *peer, pid_t pid);

/* Leaves only the processes in that the peer may see. */
void access_limit(const struct api_peer *peer, struct selectors *s);
/*
 * A profile's tally is of the whole host. For somebody who may see some processes only it is that of their samples. Call it
 * before the profile is handed out, with the selectors that made it.
 */
void access_tally(const struct selectors *s, struct profile *p);

struct recording;
struct recordings;

/* A recording is seen by the one who made it, and by all who are trusted. */
bool access_recording(const struct api_peer *peer, const struct recording *r);
/* How many recordings one user who is not trusted may have, running or waiting to be fetched. */
#define ACCESS_RECORDINGS_MAX 8
/*
 * Whether the peer may begin one more; if not, answers the request and returns -EBUSY. The user's oldest one that has
 * ended makes room.
 */
int access_record(const struct api_request *q, struct recordings *all);
