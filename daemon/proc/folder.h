/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "proc/parse.h"
#include "util/buf.h"

/* The folder of one process in /proc, and its files; private to the room. */

/* A process that ended shows as a missing file or as ESRCH, by the moment. */
int folder_gone(int error);
/* Opens it: from here on one process, whoever gets its pid later. -ESRCH. */
int folder_open(pid_t pid, int *ret);
/* The first max bytes of a file in it, into b, which is emptied before. -ESRCH. */
int folder_read(int folder, const char *name, size_t max, struct buf *b);
/* The same of a file that gives its lines by and by. */
int folder_read_lines(int folder, const char *name, size_t max, struct buf *b);
/*
 * The same of a file that the caller may be forbidden to read, or that is empty for kernel threads.
 */
int folder_read_optional(int folder, const char *name, size_t max, struct buf *b);
/* ret->comm points into b. -ESRCH: it has ended, if anybody waits for it or not. */
int folder_read_stat(int folder, struct buf *b, struct proc_stat *ret);

/* "Uid:", "Gid:" and "Groups:" are among the first ten lines of status. */
#define STATUS_SIZE 4096
/* ret_owner: whose the files in the folder are; NULL: nobody asks. */
int folder_read_status(int folder, char text[STATUS_SIZE], uid_t *ret_owner);
