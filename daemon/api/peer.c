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

/*
 * The address at the other end: all of IPv4's, of IPv6's the network, which is as much as one
 * customer has (RFC 6177).
 */
static uint64_t address_of(int fd)
{
	struct sockaddr_storage a = {};
	socklen_t size = sizeof(a);
	const struct in6_addr *v6 = &((struct sockaddr_in6 *)(void *)&a)->sin6_addr;
	uint64_t network = 0;

	if (getpeername(fd, (struct sockaddr *)&a, &size) < 0)
		return 0;
	if (a.ss_family == AF_INET)
		return ntohl(((struct sockaddr_in *)(void *)&a)->sin_addr.s_addr);
	if (a.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6))
		return ntohl(v6->s6_addr32[3]);
	if (a.ss_family == AF_INET6)
		memcpy(&network, v6, sizeof(network));
	return network;
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

void peer_of(const struct api_server *s, int fd, struct api_peer *ret)
{
	const struct api_options *o = &s->options;
	static struct seldom said;
	struct ucred cred;
	socklen_t size = sizeof(cred);

	*ret = (struct api_peer){
		.is_unix = s->is_unix, .uid = (uid_t)-1, .gid = (gid_t)-1, .pid = -1
	};
	ret->from = s->is_unix ? (uid_t)-1 : address_of(fd);
	if (!s->is_unix)
		return;
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
