/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "fleet/sql.h"

/* Private to the files that make SQL. */

#define FLEET_SUM "sum(samples * weight)"

/* The time of a query, as the store has it: windows that begin in [from, to). */
struct fleet_span {
	uint32_t from, to, first_day, last_day;
};
struct fleet_span fleet_sql_span(const struct query *q);
/* "day >= ... AND day <= ...", of that time. */
void fleet_sql_days(struct buf *b, const struct query *q);
/* " AND (...)" for each key that a query chooses by, but for those of processes. */
void fleet_sql_where(struct buf *b, const struct query *q);
/* Whether a query groups by that key. */
bool fleet_sql_groups_by(const struct query *q, const char *name);
/* key: one that the store knows. */
bool fleet_sql_is_of_process(const char *key);

/* FROM and WHERE of the samples that are in no part; whether there can be any; and their time. */
void fleet_sql_from_gaps(struct buf *b, const char *db, const struct query *q,
			 const struct fleet_cover *cover);
bool fleet_sql_any_gap(const struct query *q, const struct fleet_cover *cover);
void fleet_sql_gaps(struct buf *b, const struct query *q, const struct fleet_cover *cover);
/* ... of those that are in a part of samples. */
void fleet_sql_from_once(struct buf *b, const char *db, const struct query *q,
			 const struct fleet_cover *cover);
