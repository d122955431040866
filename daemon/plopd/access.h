/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"
#include "query/refusal.h"

struct cgroup;
struct recording;
struct recordings;
struct target;
struct targets;

/*
 * Who may see what. Root, plopd's own user and members of group plop (peer.trusted) may ask for
 * anything; everybody else for the processes that are their own (process_owner()), and nobody
 * learns of another's: neither what they do, nor how many they are, nor whether they are there. Who
 * shows a token of one service to plop-gateway sees those of it, whoever's they are. For whom
 * something is asked, or recorded, stands in its selectors, by api_limit(). All is then decided by
 * selectors_see(): for a process that runs by target_is_visible() (target/owner.h), for samples
 * that are stored by the owner and the service that are stored with them.
 *
 * It is decided for each image: what a process executes later is a target of its own, with an owner
 * of its own.
 */

/* Whether a peer may know of a target now. */
bool access_process(const struct api_peer *peer, const struct target *k);
/* The same for any process, Python or not. */
bool access_pid(const struct api_peer *peer, pid_t pid);
/*
 * The Python process that somebody asks for by its pid; NULL after having answered why it cannot be
 * had. Who may not see all is told the same of a process that is not there as of one that is
 * another's, which may be hidden (hidepid of proc(5)).
 */
struct target *access_find(const struct api_request *q, struct targets *t, json_int_t pid);
/* The same without answering: NULL, and why. */
struct target *access_look(const struct api_peer *peer, struct targets *t, json_int_t pid,
			   struct refusal *ret);
/*
 * Whether a peer may have a process recorded that need not be Python yet, by its pid. If not, says
 * why, as access_look() says it of what is another's or not there.
 */
bool access_any(const struct api_peer *peer, json_int_t pid, struct refusal *ret);
/*
 * Whether a process that the peer may know of is in the cgroup or below it: then the peer may know
 * of the cgroup.
 */
bool access_cgroup(const struct api_peer *peer, const struct cgroup *c);

/* A recording is seen by the one who made it, and by all who are trusted. */
bool access_recording(const struct api_peer *peer, const struct recording *recording);
/*
 * How many recordings one user who is not trusted, or who shows tokens of one service, may have,
 * running or waiting to be fetched.
 */
#define ACCESS_RECORDINGS_MAX 8
/*
 * Whether the peer may begin one more; if not, answers the request and returns -EBUSY. The user's
 * oldest one that has ended makes room.
 */
int access_record(const struct api_request *q, struct recordings *all);
