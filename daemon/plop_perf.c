/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "perf/opener.h"
#include "util/log.h"

/*
 * plop-perf: opens perf events for plopd where CAP_PERFMON does not do, see perf/event.h. systemd
 * starts it when plopd asks; it does nothing else, and ends when plopd has not asked for a while.
 */
#define IDLE_MS 20000

int main(void)
{
	int r;

	log_init("plop-perf", LOG_LEVEL_INFO);
	if (sd_listen_fds(1) != 1 ||
	    sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_SEQPACKET, 1, NULL, 0) <= 0) {
		log_error("systemd starts plop-perf, with the socket of plop-perf.socket");
		return EXIT_FAILURE;
	}
	r = opener_serve(SD_LISTEN_FDS_START, IDLE_MS);
	if (r < 0) {
		log_error_r(r, "Cannot take connections");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
