/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "util/index.h"
#include "util/json.h"

/* GET /v1/labels/NAME: the values that a label of processes has, and how many samples each. */
struct value {
	char *text; /* owned */
	uint64_t samples;
};
struct values {
	char *key;           /* owned */
	struct value *items; /* owned */
	uint32_t n, room;
	struct index index; /* until values_put() */
};
/* More are refused; and of those that are told the heaviest. */
#define VALUES_MOST 100000
#define VALUES_TOLD 1000

void values_done(struct values *v);
/* Adds samples of a value. -E2BIG: more than VALUES_MOST; -ENOMEM. */
int values_add_text(struct values *v, const char *text, uint64_t samples);
/* Adds what a process did. The same errors. */
int values_add(struct values *v, const struct profile_process *p);
/* The members of the answer: those with most samples first. */
void values_put(struct values *v, struct json_writer *w);
