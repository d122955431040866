/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

/*
 * Text from people (options, configuration, queries) to numbers. Each takes the whole string or
 * fails: -EINVAL is not of that form, -ERANGE too large for its type or the bounds given. *ret is
 * untouched on failure. Pure.
 */
int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
/*
 * Nanoseconds: a number, with a fraction if need be, and a unit, such as ms, s, m, h or d, or one
 * of systemd.time(7)'s; several add up ("1h30m"), with blanks between or none. A number alone is
 * seconds.
 */
int parse_duration(const char *s, uint64_t *ret);
/* A number with a fraction if need be, in millionths: "0.25" is 250000. More decimals are cut. */
int parse_millionths(const char *s, uint64_t *ret);
/* Bytes: a whole number and K, M, G or T (powers of 1024, "B" or "iB" may follow), or none. */
int parse_size(const char *s, uint64_t *ret);
/* Unix seconds with a fraction if need be, to nanoseconds. */
int parse_unix_seconds(const char *s, uint64_t *ret);

/* "127.0.0.1:7567", "[::1]:7567", "localhost:7567", ":7567" (the loopback address). */
struct parsed_address {
	char host[256]; /* without brackets */
	uint16_t port;
};
int parse_address(const char *s, struct parsed_address *ret);

/* "1.5 GB" like text of a number of bytes, a duration like "1h 02m", for people. Return buffer. */
const char *format_bytes(uint64_t bytes, char *buffer, size_t size);
const char *format_duration(uint64_t ns, char *buffer, size_t size);
