/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

/* Secrets with an end: the sessions that cookies name, and the tokens that plopd has vouched for. Bounded: the oldest goes. */
#define SESSIONS_MAX     128
#define SESSION_TEXT_MAX 257

struct sessions {
	struct session {
		char secret[SESSION_TEXT_MAX];
		uint64_t until_ns; /* CLOCK_BOOTTIME; 0: unused */
	} items[SESSIONS_MAX];
};

void sessions_add(struct sessions *s, const char *secret, uint64_t until_ns);
/* Looks at every item whatever it finds, so that the time tells nothing. */
bool sessions_has(const struct sessions *s, const char *secret, uint64_t now_ns);
/* 256 random bits in hex; size at least 65. Negative errno: the kernel has none. */
int session_random(char *buffer, size_t size);
