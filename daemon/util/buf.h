/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdarg.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/macro.h"

/*
 * A growable byte buffer. Writers never fail one by one: the first failure is remembered in error
 * (-ENOMEM, or -EFBIG where a limit is set and would be passed) and later writes do nothing, so
 * that an encoder checks once, at its end.
 */
struct buf {
	char *data; /* owned; no NUL at the end unless buf_string() put one */
	size_t size;
	size_t allocated;
	size_t limit; /* bytes that it may hold at most; 0: as many as there is memory for */
	int error;
};

void buf_append(struct buf *b, const void *data, size_t size);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) _printf_(2, 3);
/* In decimal. */
void buf_put_u64(struct buf *b, uint64_t v);
/*
 * Room for size more bytes, to be counted by b->size += n once written; NULL: no memory, or beyond
 * the limit.
 */
void *buf_reserve(struct buf *b, size_t size);
/*
 * The content as a NUL-terminated string owned by the caller; b is empty after. NULL: b->error says
 * why.
 */
char *buf_string(struct buf *b);
/* Takes the first size bytes off, of which there are so many. */
void buf_consume(struct buf *b, size_t size);
/* Empty, and without an error; limit and memory stay. */
void buf_clear(struct buf *b);
void buf_free(struct buf *b);

#define _cleanup_buf_ _cleanup_(buf_free)
