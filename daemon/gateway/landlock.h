/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

/*
 * The files that this process may reach from now on, landlock(7): those below the folders that are
 * allowed, as far as its user may. What is open already stays open, and sockets of others can be
 * connected to. Since Linux 5.13, where it is not left out; headers of Debian 12 do not know all of
 * it.
 */
struct landlock {
	int fd;
	int abi; /* what the kernel knows of it: 1 and more */
};

enum landlock_access {
	LANDLOCK_READ,
	LANDLOCK_WRITE, /* ... and make, rename and remove files */
};

/*
 * connects: it may connect to where it likes by TCP; else nowhere (since ABI 4). It can listen
 * nowhere but where it does already. abstract: it may connect to abstract sockets of others (else
 * not since ABI 6). -ENOSYS, -EOPNOTSUPP: this kernel has none; others of somebody who confines.
 */
int landlock_begin(struct landlock *l, bool connects, bool abstract);
/* What is at path, or below; what is not there cannot be allowed, and is none of its business. */
void landlock_allow(const struct landlock *l, const char *path, enum landlock_access access);
/* From now on, for this thread and those that it makes. */
int landlock_enforce(const struct landlock *l);
void landlock_done(struct landlock *l);
