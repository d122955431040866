/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/*
 * A request for recordings on several hosts: what is asked for, and its bounds. plop-gateway writes
 * it into the store, where each host's own finds it (ship/requests.h).
 */
#define FLEET_REQUEST_HOSTS   1000
#define FLEET_REQUEST_S       3600 /* that it may take */
#define FLEET_REQUEST_WAIT_S  3600 /* until it begins */
#define FLEET_REQUESTS_HOURLY 60   /* of one store */
/* By when every host has asked for requests, see [fleet] poll in plop.conf(5), and then some. */
#define FLEET_REQUEST_SOON_S 90

struct fleet_wish {
	uint32_t hosts, seconds, wait_s;
	char *selectors; /* "key=value key=value"; owned */
	const char *who; /* borrowed */
};
