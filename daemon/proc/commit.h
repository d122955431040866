/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/reader.h"

/*
 * Which commit a git work tree is at, by the files that git has in its folder ".git", as
 * gitrepository-layout(5) says it. Nothing is run. Pure, over a reader; the files are hostile.
 * size: of the file, in bytes.
 */
#define COMMIT_HEX_MAX    64  /* hexadecimal digits: 40 of SHA-1, 64 of SHA-256 */
#define COMMIT_REF_MAX    255 /* bytes of a ref's name */
#define COMMIT_LINE_MAX   512 /* bytes of HEAD, of a ref's file, and of a line of packed-refs */
#define COMMIT_PACKED_MAX (4u << 20) /* bytes of packed-refs; a larger one is not looked at */

struct commit_head {
	char hex[COMMIT_HEX_MAX + 1]; /* the commit; "": a ref has it */
	char ref[COMMIT_REF_MAX + 1]; /* "refs/heads/main"; "": none */
};
/*
 * Reads HEAD. -EBADMSG: it is not of git's form; also for a ref whose name could lead out of the
 * folder.
 */
int commit_read_head(const struct reader *r, uint64_t size, struct commit_head *ret);
/* Reads the file of a ref: one commit. -EBADMSG. */
int commit_read_ref(const struct reader *r, uint64_t size, char ret[static COMMIT_HEX_MAX + 1]);
/* Finds a ref in packed-refs. -ENOENT: it is not there; -EBADMSG: a line is too long; -EFBIG. */
int commit_find_packed(const struct reader *r, uint64_t size, const char *ref,
		       char ret[static COMMIT_HEX_MAX + 1]);
