/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

#include "store/store.h"

/* Services of the programs that tests/bench/fleet records. */
static const char *const bench_fleet_programs[] = { "django", "fastapi", "pytest", "mypy" };

/* Sends each recorded window to a store, and prints what it takes beside the same as OTLP. */
void bench_fleet_wire(const char *dir, const char *password_file, const char *url);
/* Or it says why not, and ends the program. */
struct clickhouse *bench_fleet_connect(const char *url, const char *password_file,
				       uint64_t *ret_seed);
/* What was recorded of that program: a reader that the caller closes, and a selector of it. */
struct store_reader *bench_fleet_open(const char *dir, const char *program,
				      struct selectors *ret_of_it);
