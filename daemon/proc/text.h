/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/* U+2026, the end of what was cut. */
#define TEXT_CUT "\xe2\x80\xa6"

/*
 * Writes one character as UTF-8 (at most 4 bytes, no NUL) and returns how many bytes. Control
 * characters (C0, DEL, C1), surrogates and numbers beyond Unicode come out as U+FFFD.
 */
size_t text_encode(char out[4], uint32_t character);

/*
 * A NUL-terminated copy of size bytes: valid UTF-8 without control characters. NULL: out of memory.
 */
char *text_sanitize(const char *data, size_t size);
