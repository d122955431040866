/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <grp.h>
#include <sys/socket.h>

#include "api/server.h"
#include "util/seldom.h"

/*
 * Supplementary groups that a peer may have; Linux has 65536 as its own maximum, few have more than
 * 100.
 */
#define PEER_MAX_GROUPS 65536

gid_t peer_group(void)
{
	struct group g, *found = NULL;
	char buffer[4096];

	if (getgrnam_r("plop", &g, buffer, sizeof(buffer), &found) != 0 || !found)
		return (gid_t)-1;
	return g.gr_gid;
}

static bool in_group(int fd, gid_t group)
{
	_cleanup_free_ gid_t *groups = NULL;
	socklen_t size = 256 * sizeof(gid_t);

	for (;;) {
		gid_t *p = realloc(groups, size);

		if (!p)
			return false;
		groups = p;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
			break;
		/* ERANGE: the kernel has written the size that it needs. */
		if (errno != ERANGE || size > PEER_MAX_GROUPS * sizeof(gid_t))
			return false;
	}
	for (size_t i = 0; i < size / sizeof(gid_t); i++)
		if (groups[i] == group)
			return true;
	return false;
}

/* An address of either kind. */
static struct in6_addr address_of(const struct sockaddr *a)
{
	struct in6_addr mapped = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (a && a->sa_family == AF_INET6)
		return ((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
	if (a && a->sa_family == AF_INET)
		memcpy(mapped.s6_addr + 12,
		       &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
	return mapped;
}

void api_peer_at(struct api_peer *peer, const struct in6_addr *address)
{
	peer->address = *address;
	/* all of IPv4's; of IPv6's the network, which is as much as one customer has (RFC 6177) */
	if (IN6_IS_ADDR_V4MAPPED(address))
		peer->from = ntohl(address->s6_addr32[3]);
	else
		memcpy(&peer->from, address, sizeof(peer->from));
}

bool api_sees_all(const struct api_peer *peer)
{
	return peer->trusted && !*peer->scope.service;
}

void api_limit(const struct api_peer *peer, struct selectors *s)
{
	_Static_assert(sizeof(s->service) == sizeof(peer->scope.service), "one holds the other");

	s->owned = !api_sees_all(peer);
	s->uid = peer->uid;
	/* of who is not trusted it says nothing */
	strcpy(s->service, peer->trusted ? peer->scope.service : "");
}

void peer_of(const struct api_server *s, int fd, const struct sockaddr *address,
	     struct api_peer *ret)
{
	const struct in6_addr at = address_of(address);
	const struct api_options *o = &s->options;
	static struct seldom said;
	struct ucred cred;
	socklen_t size = sizeof(cred);

	*ret = (struct api_peer){
		.is_unix = s->is_unix, .uid = (uid_t)-1, .gid = (gid_t)-1, .pid = -1
	};
	ret->from = (uid_t)-1;
	if (!s->is_unix) {
		api_peer_at(ret, &at);
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0) {
		seldom_warn(&said, -errno, "Cannot tell who connects, trusting nobody");
		return;
	}
	ret->from = o->user ? o->user(cred.uid, o->ctx) : cred.uid;
	ret->uid = cred.uid;
	ret->gid = cred.gid;
	ret->pid = cred.pid;
	ret->trusted = cred.uid == 0 || cred.uid == geteuid() ||
		       (s->group != (gid_t)-1 && (cred.gid == s->group || in_group(fd, s->group)));
}
