/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"

/*
 * Where plopd listens: on --socket, which anybody may use and where SO_PEERCRED says who it is, and
 * beside it on a socket for root and group plop alone (util/socket.h), whose connections come first
 * and which nobody else can fill.
 */

/*
 * Serves on both; how many connections there may be is set in *options. On failure *ret_error is a
 * sentence, owned by the caller, or NULL without memory.
 */
int listen_open(sd_event *loop, const char *path, struct api_options *options,
		struct api_server **ret, char **ret_error);
/* Ends the server, which it takes over, and removes the sockets. */
void listen_close(const char *path, struct api_server *server);
