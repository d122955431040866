/* SPDX-License-Identifier: BSD-2-Clause */
#include <grp.h>
#include <sys/socket.h>

#include "api/server.h"

/* Supplementary groups that a peer may have; Linux has 65536 as its own maximum, few have more than 100. */
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

void peer_of(const struct api_server *s, int fd, struct api_peer *ret)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	*ret = (struct api_peer){
		.is_unix = s->is_unix, .uid = (uid_t)-1, .gid = (gid_t)-1, .pid = -1
	};
	if (!s->is_unix || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return;
	ret->uid = cred.uid;
	ret->gid = cred.gid;
	ret->pid = cred.pid;
	ret->trusted = cred.uid == 0 || cred.uid == geteuid() ||
		       (s->group != (gid_t)-1 && (cred.gid == s->group || in_group(fd, s->group)));
}
