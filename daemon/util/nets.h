/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

#include "util/macro.h"

/* Networks of addresses: "127.0.0.1, 10.0.0.0/8, fd00::/8". */
#define NETS_MAX 32

struct net {
	struct in6_addr address; /* of IPv4 as ::ffff:a.b.c.d */
	unsigned int bits;       /* of that, 0 to 128 */
};
struct nets {
	struct net items[NETS_MAX];
	size_t n;
};

/*
 * One address, of IPv4 or IPv6, without brackets, as struct net has it. -EINVAL: it is none. Pure,
 * as the others.
 */
int net_address(const char *text, struct in6_addr *ret);
/* -EINVAL: it is no list of addresses and networks, between blanks and commas; -E2BIG. */
int nets_parse(const char *text, struct nets *ret);
bool nets_have(const struct nets *n, const struct in6_addr *address);
/* Whether whoever is on this host could be in one of them: it overlaps loopback. */
bool nets_have_loopback(const struct nets *n);
