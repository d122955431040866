/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "http/exchange.h"

/*
 * Runs an exchange to its end: on the trusted socket if there is one for the caller and somebody
 * listens there, else on the public one (util/socket.h). While others fill that one's queue it is
 * asked again and again for a place, for connect_s. As http_exchange_result(), -ETIMEDOUT in place
 * of -EAGAIN. socket NULL: the request has a server.
 */
int http_run(struct http_exchange *e, const char *socket, unsigned int connect_s);
