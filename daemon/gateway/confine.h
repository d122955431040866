/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "config/config.h"

/*
 * What plop-gateway gives up once it listens, for good: it is the one that strangers talk to. Files
 * but those that it needs, by Landlock; system calls that it does not make, by seccomp(2); and the
 * network, but for what comes in, where plop.conf names nobody to be asked. A kernel or a container
 * that has one of the two not is no reason to end.
 *
 * Before there are threads. asks: it connects to others.
 */
struct gateway_confinement {
	int files, calls; /* 0, or a negative errno: not confined so */
	int landlock;     /* which version of it */
	const char *unwanted;
};
void gateway_confine(const struct config *c, bool asks, struct gateway_confinement *ret);
/* The same where it is not wanted, confine_unwanted(), for tests. */
void gateway_confine_anyway(const struct config *c, bool asks, struct gateway_confinement *ret);
/* "confined to its files and system calls", or what of it is not, and why. */
#define CONFINEMENT_TEXT 256
void gateway_confinement_say(const struct gateway_confinement *c, char text[CONFINEMENT_TEXT]);
