/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

#define MOUNTS_MAX (1u << 20) /* bytes of /proc/PID/mountinfo; of a longer one nothing is known */

/*
 * Whether what is mounted at path is no reason to stay away: nothing is mounted there, or a file
 * system that has its data on this host, so that no server can keep its readers waiting. By the
 * text of /proc/PID/mountinfo, see proc_pid_mountinfo(5), whose last line on a path counts. A file
 * system that is not known is one to stay away from. path: absolute, without "." and "..". Pure.
 */
bool mounts_answer_at(const char *text, size_t size, const char *path);
/* Whether that is so of the path and of all that lies on the way to it. */
bool mounts_answer_on_way(const char *text, size_t size, const char *path);
