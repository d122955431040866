/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/listen.h"

#include <grp.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "util/log.h"
#include "util/socket.h"

/* At once, and the part of them that is kept for root and group plop. */
#define MAX_CONNECTIONS     256
#define TRUSTED_CONNECTIONS 64
/* Connections that the kernel keeps until plopd takes them: those of a crowd wait there in turn. */
#define BACKLOG 256

/*
 * A socket bound to path, on which nothing listens yet; a dead one is replaced, a live one is left
 * alone (-EADDRINUSE).
 */
static int bind_at(const char *path, int *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -EBADF;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	/* nonblocking, for one that is stuck does not accept: EAGAIN is its full queue */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	if (errno == ECONNREFUSED)
		unlink(path);
	close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

static int listen_public(const char *path, int *ret)
{
	_cleanup_close_ int fd = -EBADF;
	int r = bind_at(path, &fd);

	if (r < 0)
		return r;
	/* anybody may connect: who is answered is decided by SO_PEERCRED */
	if (chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

/*
 * Without a group plop, or for a plopd that is not in it, the socket is for its own user and root.
 */
static mode_t give_to_group(const char *path)
{
	struct group g, *found = NULL;
	char buffer[4096];

	if (getgrnam_r("plop", &g, buffer, sizeof(buffer), &found) != 0 || !found ||
	    chown(path, (uid_t)-1, g.gr_gid) < 0)
		return 0600;
	return 0660;
}

static int listen_trusted(const char *path, int *ret)
{
	_cleanup_close_ int fd = -EBADF;
	int r = bind_at(path, &fd);

	if (r < 0)
		return r;
	/* before it listens, nobody can connect whatever the mode */
	if (chmod(path, give_to_group(path)) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

/*
 * plopd does its work without it; only a crowd on the public socket could then keep root waiting.
 */
static void open_trusted(const char *public_path, struct api_server *server)
{
	_cleanup_close_ int fd = -EBADF;
	char path[PATH_MAX];
	int r = socket_trusted_path(public_path, path, sizeof(path));

	if (r >= 0)
		r = listen_trusted(path, &fd);
	if (r >= 0)
		r = api_server_prefer(server, fd);
	if (r < 0)
		log_warning_r(r, "Cannot listen for root and group plop beside %s, ignoring",
			      public_path);
	else
		(void)TAKE_FD(fd);
}

int listen_open(sd_event *loop, const char *path, struct api_options *options,
		struct api_server **ret, char **ret_error)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	options->max_connections = MAX_CONNECTIONS;
	options->trusted_connections = TRUSTED_CONNECTIONS;
	r = listen_public(path, &fd);
	if (r >= 0)
		r = api_server_new(loop, fd, options, ret);
	if (r >= 0) {
		(void)TAKE_FD(fd);
		open_trusted(path, *ret);
	}
	if (r == -EADDRINUSE) {
		if (asprintf(ret_error,
			     "another plopd answers on %s; stop it, or choose another --socket",
			     path) < 0)
			*ret_error = NULL;
	} else if (r < 0) {
		if (asprintf(ret_error,
			     "cannot listen on %s: %s; make its folder, or choose another --socket",
			     path, strerror(-r)) < 0)
			*ret_error = NULL;
	}
	return r;
}

static void remove_socket(const char *path)
{
	if (unlink(path) < 0 && errno != ENOENT)
		log_warning_r(-errno, "Cannot remove %s", path);
}

void listen_close(const char *path, struct api_server *server)
{
	char trusted[PATH_MAX];

	remove_socket(path);
	if (socket_trusted_path(path, trusted, sizeof(trusted)) == 0)
		remove_socket(trusted);
	api_server_free(server);
}
