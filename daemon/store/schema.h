/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/db.h"

/* PRAGMA user_version of what this plop writes; 0 is an empty file. */
#define SCHEMA_VERSION 7
/* The first version in which windows have dictionaries. */
#define SCHEMA_DICTIONARIES 4
/* The first version that has roll-ups. */
#define SCHEMA_ROLLUPS 5
/* The first version that keeps recordings. */
#define SCHEMA_RECORDINGS 7
/* PRAGMA application_id: "plop". */
#define SCHEMA_APPLICATION 0x706c6f70

/*
 * Whether the file is one that this plop may use: ret_version gets its schema version. -EPROTO: it
 * is newer; -EBADMSG: a database of some other program. Writes nothing.
 */
int schema_look(sqlite3 *db, int *ret_version);
/* Brings the file from its version to SCHEMA_VERSION in one transaction: all of it or nothing. */
int schema_migrate(sqlite3 *db);

/* For tests: the same from a list of steps; step i leads from version i to version i + 1. */
int schema_migrate_steps(sqlite3 *db, const char *const *steps, int n);

/*
 * Versions 1 to 3: a row of samples is found by window << SCHEMA_SAMPLES_SHIFT | its number within
 * the window.
 */
#define SCHEMA_SAMPLES_SHIFT 20
/*
 * Versions 1 to 3: "used" of a row of functions, stacks or processes is this plus the id of the
 * last window that may need it. Less than this is what version 1 wrote: the hour since 1970 in
 * which that window ended.
 */
#define SCHEMA_USED_WINDOW (INT64_C(1) << 40)
#define SCHEMA_USED_HOUR   3600
