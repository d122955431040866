/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "util/buf.h"

/* Private to the room: the parts of format json, which live.c sends one by one. */

/* What the samples of each process weigh; freed by the caller. -ENOMEM. */
int json_totals(const struct profile *p, uint64_t **ret);
/*
 * ,"merged":{...}: what [other] stands for: functions that are no nodes of their own, and calls
 * that are not told.
 */
void json_merged(const struct callgraph *g, struct buf *out);
/* "pid":1,...,"cgroup":"...": what a process is. */
void json_process(const struct profile_process *p, struct buf *out);
/* [{...},...]: the threads that have names. */
void json_threads(const struct profile *p, struct buf *out);
/* "function":"...",...,"module":"...": what a node is. */
void json_function(const struct dict_function *f, struct buf *out);
/* {"source":1,"target":2,"count":3} */
void json_edge(uint32_t source, uint32_t target, uint64_t count, struct buf *out);
/* All of it. sequence: of a stream; NULL: of none. */
int json_write(const struct profile *p, const struct callgraph *g, const uint64_t *totals,
	       const uint64_t *sequence, struct buf *out);
