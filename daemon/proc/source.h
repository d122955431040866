/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "proc/process.h"
#include "util/buf.h"

#define SOURCE_MAX   (1u << 20) /* bytes of one file */
#define SOURCE_FORKS 8          /* forks, one after the other, since a program was executed */

/*
 * Whether a path ends in .py, and lies below one of the folders of "PATH:PATH"; *ret_folder: how
 * many of its bytes are that folder's. Neither may have links, or names as "..". Pure.
 */
bool source_is_allowed(const char *paths, const char *path, size_t *ret_folder);

/*
 * The bytes of a source file as a process sees it, of whom pid, uid and start_ticks are used. It is
 * a regular file below a folder that is allowed where no link leads on, on the folder's own file
 * system, that the process itself could read, and that nobody has written, replaced or renamed
 * since the process executed its program: so it is what the process could load.
 *
 * -EPERM: it leads to where nothing is allowed; -ENOENT: there is none; -EACCES: the process could
 * not read it, or it is no file; -ELOOP, -EXDEV: a link or a mount lies below the folder; -EFBIG;
 * -ESTALE: it was changed since; -ECHILD: who executed the program has ended, so that this is not
 * known; -EREMOTE: its file system may never answer; -ESRCH; -EAGAIN: somebody else has a lease.
 */
int process_source_read(const struct process_info *p, const char *paths, const char *path,
			struct buf *ret);
