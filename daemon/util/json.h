/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/buf.h"

/*
 * Writes JSON (RFC 8259) into an empty buffer, compact, one value after the other, each of a type
 * that the compiler checks. What comes out is always valid UTF-8: what is not in a string becomes
 * U+FFFD. Reading is jansson's.
 *
 * A value within an object has a key; one within an array, or the outermost one, has none (NULL).
 * One that has it the wrong way, an end without a beginning, and more than JSON_DEPTH_MAX levels
 * are mistakes of the caller: out->error is -EINVAL then, as it is -ENOMEM or -EFBIG for the
 * buffer's own reasons.
 */
#define JSON_DEPTH_MAX 32
struct json_writer {
	struct buf *out;
	unsigned int depth;
	uint32_t arrays, filled; /* a bit for each level: it is an array; it has a value already */
};

static inline struct json_writer json_writer_on(struct buf *out)
{
	return (struct json_writer){ .out = out };
}

/*
 * Writes more elements of an array behind those that out has, without its brackets, which
 * json_put_elements() puts around them.
 */
static inline struct json_writer json_elements_on(struct buf *out)
{
	return (struct json_writer){ .out = out, .depth = 1, .arrays = 1, .filled = out->size > 0 };
}

void json_put_object(struct json_writer *w, const char *key);
void json_put_array(struct json_writer *w, const char *key);
/* Ends the innermost object or array. */
void json_put_end(struct json_writer *w);
/* s is NUL-terminated; NULL: null. */
void json_put_string(struct json_writer *w, const char *key, const char *s);
/* ... of size bytes, of which any may be NUL. */
void json_put_text(struct json_writer *w, const char *key, const char *s, size_t size);
void json_put_int(struct json_writer *w, const char *key, int64_t n);
void json_put_uint(struct json_writer *w, const char *key, uint64_t n);
/*
 * In as few digits as give the same number again, with a point or an exponent. What is no number
 * (NaN, infinite) is null.
 */
void json_put_real(struct json_writer *w, const char *key, double n);
/* Nanoseconds as seconds, exact: "1795359600.25". */
void json_put_seconds(struct json_writer *w, const char *key, int64_t ns);
void json_put_bool(struct json_writer *w, const char *key, bool b);
void json_put_null(struct json_writer *w, const char *key);
/* An array of what json_elements_on() has written; an error of that buffer is one of this. */
void json_put_elements(struct json_writer *w, const char *key, const struct buf *elements);

/*
 * All that was begun has ended, and there is a value: 0, or a negative errno, which the buffer has
 * too.
 */
int json_writer_done(struct json_writer *w);
