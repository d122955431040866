/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "util/macro.h"

/*
 * The end of TLS (1.2 and 1.3), by GnuTLS, for a server that reads from sockets: each connection
 * becomes one end of a pair of sockets, on which is in the clear what the client says, and what it
 * is to hear. So whoever serves looks at what comes as it does without TLS.
 */
struct tls;

/*
 * certificate: PEM, and those that it is signed by behind it; key: PEM. Both are read again when
 * they have changed: what cannot be used then is said in the log, and those before go on.
 * *ret_error: a sentence, owned by the caller.
 */
int tls_new(sd_event *loop, const char *certificate, const char *key, struct tls **ret,
	    char **ret_error);
/* Ends all connections. */
void tls_free(struct tls *t);
DEFINE_FREEP(struct tls, tls_free)

/*
 * Takes a connection over, whatever comes of it, and gives the end in the clear. It ends when that
 * end is closed, and the client has had ten seconds to fetch what was written there. -EMFILE: there
 * are TLS_CONNECTIONS already whose ends are not closed, more than who serves should have; others.
 */
int tls_take(struct tls *t, int fd, int *ret_clear);
#define TLS_CONNECTIONS 384
