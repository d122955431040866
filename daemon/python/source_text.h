/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/buf.h"

/*
 * The text of a source file of Python. All bytes are a target's. Pure.
 *
 * source_decode() makes UTF-8 of it, by the encoding that one of its first two lines names (PEP
 * 263); a byte order mark goes. -EOPNOTSUPP: it is one other than UTF-8, ASCII and Latin-1;
 * -EILSEQ: the bytes are not of it, or one of them is NUL; -ENOMEM.
 */
int source_decode(const char *data, size_t size, struct buf *ret);
/* How many lines it has. They end with \n, \r or both. */
uint32_t source_lines(const char *text, size_t size);
/*
 * Whether the text can be that of a function, by what is known of its code object: its name, plain
 * or qualified, stands on its first line, or below its decorators; and the last line that it was
 * seen on is there. Of a module, and of what has no name of its own (a lambda, a comprehension),
 * less can be told.
 */
bool source_agrees(const char *text, size_t size, const char *name, uint32_t first, uint32_t last);
