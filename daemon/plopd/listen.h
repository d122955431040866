/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plopd/manager.h"

/*
 * Where plopd listens: on --socket, which anybody may use and where SO_PEERCRED says who it is, and beside it on a socket
 * for root and group plop alone (util/socket.h), whose connections come first and which nobody else can fill.
 */

/* Serves on both. On failure *ret_error is a sentence, owned by the caller, or NULL without memory. */
int listen_open(struct manager *m, char **ret_error);
/* Ends the server and removes the sockets. */
void listen_close(struct manager *m);
