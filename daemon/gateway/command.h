/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/*
 * A process that runs the command of [notify] for plop-gateway, which is confined and can start
 * nothing itself. It runs that command and no other, with what it is given as standard input, and
 * ends with plop-gateway.
 */
struct command;

/* How long a command may take. */
#define COMMAND_LIMIT_S 10

/*
 * words: the command's, parted by blanks: there is no shell. Before plop-gateway confines itself,
 * and before there are threads.
 */
int command_new(const char *words, struct command **ret);
/*
 * Runs it to its end, *ret_status as of waitpid(2). -ETIMEDOUT: it did not end in time, and was
 * killed with all that it started; -ECANCELED: command_cancel(); -ENOENT and others: it cannot be
 * run. On one thread.
 */
int command_run(struct command *c, const char *input, int *ret_status);
/* Its first word. */
const char *command_name(const struct command *c);
/* Kills what runs; nothing can be run any more. From another thread. */
void command_cancel(struct command *c);
void command_free(struct command *c);
DEFINE_FREEP(struct command, command_free)
