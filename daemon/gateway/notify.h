/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "config/config.h"
#include "gateway/command.h"
#include "gateway/upstream.h"

/*
 * Tells somebody what plopd found slower in a new version: by a command, which gets JSON on its
 * standard input, or by posting that to a URL, or both ([notify] of plop.conf). It asks plopd for
 * /v1/regressions now and then; a function of a version is told once, and none that was found
 * before the gateway began. It waits on a thread of its own.
 */
struct notify;
#define NOTIFY_EVERY_S 10
#define NOTIFY_LIMIT_S 10  /* that a post may take, as a command */
#define NOTIFY_WAITING 16  /* that wait to be told; more are dropped, which is said */
#define NOTIFY_TOLD    512 /* functions that are remembered as told */

/*
 * *ret: NULL where nobody is to be told. command: NULL: there is none. All that it is given has to
 * outlive it.
 */
int notify_new(sd_event *loop, const struct config *config, struct upstream *upstream,
	       struct command *command, struct notify **ret);
/* Before upstream_free(). Ends what is being told, and the command for good. */
void notify_free(struct notify *n);
DEFINE_FREEP(struct notify, notify_free)
