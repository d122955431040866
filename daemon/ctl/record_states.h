/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/*
 * Says at a recording's end what its threads did, by what plopd said of it last: who held the GIL,
 * and what was waited for, or why nothing is said of it.
 */
void record_states(const json_t *recording, bool off_cpu);
