/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/socket.h"

#include <fcntl.h>
#include <limits.h>
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

const char *socket_choose(const char *socket, char *buffer, size_t size)
{
	if (socket_trusted_path(socket, buffer, size) < 0 ||
	    faccessat(AT_FDCWD, buffer, W_OK, AT_EACCESS) < 0)
		return socket;
	return buffer;
}
