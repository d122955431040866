/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "ship/native.h"
#include "ship/seen.h"
#include "store/follow.h"
#include "util/buf.h"

/*
 * A window as rows of the fleet's tables (clickhouse/schema.c), in RowBinary: the same window is
 * the same rows each time, but for stacks and processes that the store has already. Threads are
 * added up. Pure.
 */

/* Where each goes, and what the columns of its rows are. */
extern const struct native_table ship_stacks, ship_processes, ship_samples, ship_windows;

/* Whose windows they are. Borrowed. */
struct ship_host {
	uint64_t id; /* cursor_host_id() */
	const char *name, *region;
	uint64_t seed; /* clickhouse_schema_check() */
};

struct ship_rows {
	uint32_t day; /* of the window's start, since 1970, in UTC */
	struct buf stacks, processes, samples, head;
	uint64_t *ids; /* of those that stacks and processes have; owned */
	uint32_t nids, nsamples;
	uint64_t count; /* samples that are in the rows */
};

/*
 * What of a window is sent: what each of its processes weighs, by its number, in millionths, and
 * the head; 0: a process that is left out, and a head that counts for nothing in sums of heads.
 */
struct ship_weights {
	uint64_t *processes, head;
	bool urgent; /* it is not to wait for others */
	bool all; /* somebody asked for the window: what weighs 0 is sent, too, with that weight */
};

/* place: of the window. seen: stacks and processes that are left out, of that day. -ENOMEM. */
int ship_encode(const struct profile *p, const struct ship_host *host,
		const struct store_place *place, const struct ship_weights *weights,
		const struct seen *seen, struct ship_rows *ret);
void ship_rows_done(struct ship_rows *rows);
/* Puts rows behind those of "to", but for day and ids. -ENOMEM: "to" may have some of them. */
int ship_rows_add(struct ship_rows *to, const struct ship_rows *rows);

/*
 * Cuts the lightest branches off until a window has no more than so many rows of samples, about;
 * no sum changes. A process has one at least. -ENOMEM: *p may be gone.
 */
int ship_bound(struct profile **p, uint32_t rows);
