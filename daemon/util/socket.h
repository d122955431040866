/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/*
 * plopd's Unix sockets. Beside the public one there is one for root and group plop, which nobody
 * else can fill with connections: /run/plop/plopd.sock has /run/plop/plopd-trusted.sock.
 */

/*
 * The name of the trusted one. -ENAMETOOLONG: it does not fit in an address (or in size), and there
 * is none.
 */
int socket_trusted_path(const char *socket, char *buffer, size_t size);
/*
 * Which of the two the caller should connect to: the trusted one where it is there and the caller
 * may write to it. Returns socket, or buffer with the trusted one's name.
 */
const char *socket_choose(const char *socket, char *buffer, size_t size);
