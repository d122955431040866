/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "util/buf.h"

/*
 * The running window for a reader that follows it: the call graph of format json at first, then
 * what has changed of it. What the reader has is kept, up to LIVE_NODES functions and LIVE_EDGES
 * calls; then, and when another window runs, it gets all anew.
 *
 * An event "window" is format json with "sequence". An event "delta" has "type"
 * "plop-callgraph-delta", the next "sequence", all numbers of the head, and of the lists only rows
 * that are new or others than before: "processes" by "at" (their place in the list), "nodes" by
 * "id", "edges" by "source" and "target", which are ids. A row of one that the reader has holds
 * what counts alone. A node with "gone", and an edge of count 0, are none any more. "threads" is
 * all of the list, or not there while it is the same.
 */
struct live;
#define LIVE_NODES (4 * CALLGRAPH_NODES)
#define LIVE_EDGES (LIVE_NODES * CALLGRAPH_EDGES_EACH)

/* -ENOMEM. */
int live_new(struct live **ret);
void live_free(struct live *l);
DEFINE_FREEP(struct live, live_free)

/*
 * Writes the next event's data. *ret_event: its name, static. 0, or -ENOMEM; -EFBIG: more than
 * out->limit. After an error the next event is all of it.
 */
int live_encode(struct live *l, const struct profile *p, struct buf *out, const char **ret_event);
