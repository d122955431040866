/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

#define UTF8_REPLACEMENT UINT32_C(0xfffd)
#define UTF8_MAX         4 /* bytes of one character */

/*
 * Takes one character off the NUL-terminated s, which must not be at its end. Bytes that are not
 * UTF-8 (stray, overlong, surrogate, beyond U+10FFFF) give U+FFFD, one byte at a time. Returns the
 * bytes used, 1 to 4.
 */
size_t utf8_decode(const char *s, uint32_t *ret);
/* The same of left bytes, at least 1, of which any may be NUL. */
size_t utf8_decode_some(const char *s, size_t left, uint32_t *ret);
/* Writes c, a valid character; returns the bytes written. */
size_t utf8_encode(uint32_t c, char out[UTF8_MAX]);
/* Whether all of s is UTF-8. */
bool utf8_is_valid(const char *s);
/*
 * A copy in which everything that is not UTF-8 is U+FFFD. NULL: out of memory. Owned by the caller.
 */
char *utf8_clean(const char *s);

/*
 * Whether c may be shown as it is. Not: what steers a terminal or moves the text around it
 * (controls, line and paragraph separators, bidirectional marks, embeddings, overrides and
 * isolates, interlinear annotations), and what is not to be seen, so that two names that differ
 * look the same (joiners, zero-width spaces, fillers, variation selectors, tags). Profiles and JSON
 * keep such names as they are; whoever shows one asks this first.
 */
bool utf8_is_visible(uint32_t c);
/* In place: what is not visible, and what is not UTF-8, becomes "?". The text gets no longer. */
void utf8_make_visible(char *s);
