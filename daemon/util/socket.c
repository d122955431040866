/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/socket.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int socket_trusted_path(const char *socket, char *buffer, size_t size)
{
	static const char ending[] = ".sock";
	size_t n = strlen(socket);
	int length;

	if (n > strlen(ending) && streq(socket + n - strlen(ending), ending))
		n -= strlen(ending);
	length = snprintf(buffer, size, "%.*s-trusted%s", (int)MIN(n, (size_t)PATH_MAX), socket,
			  socket + n);
	if (length < 0 || (size_t)length >= size ||
	    (size_t)length >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return -ENAMETOOLONG;
	return 0;
}

/*
 * Two sockets of one owner: in a folder that is everybody's, somebody else can have made the
 * second.
 */
static bool same_owner(const char *one, const char *other)
{
	struct stat a, b;

	return lstat(one, &a) == 0 && lstat(other, &b) == 0 && S_ISSOCK(a.st_mode) &&
	       S_ISSOCK(b.st_mode) && a.st_uid == b.st_uid;
}

const char *socket_choose(const char *socket, char *buffer, size_t size)
{
	if (socket_trusted_path(socket, buffer, size) < 0 ||
	    faccessat(AT_FDCWD, buffer, W_OK, AT_EACCESS) < 0 || !same_owner(socket, buffer))
		return socket;
	return buffer;
}
