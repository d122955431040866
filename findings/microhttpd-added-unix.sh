#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# libmicrohttpd 0.9.75 serves HTTP over Unix sockets in two ways. A listening socket that it is given (MHD_OPTION_LISTEN_SOCKET) it
# knows for one that is not TCP's. A connection that the program accepted and gave to MHD_add_connection(), with its address of family
# AF_UNIX, it takes for one of TCP: at each answer it sets TCP_NODELAY and TCP_CORK, which fails, and logs three lines of errors, the
# last of which warns of a delay of 200 ms to 5 s. There is none: the answer arrives whole and at once.
#
# Seen with Debian 12's libmicrohttpd12 0.9.75-6, kernel 6.18, for an answer of 100 bytes:
#   listen: no line; add: these, while the answer took 1 ms
#   Setting TCP_NODELAY option to ON state failed: Operation not supported
#   Setting TCP_CORK option to OFF state failed: Operation not supported
#   Failed to push the data from buffers to the network. Client may experience some delay (usually in range 200ms - 5 sec).
#
# Needs Debian 12 with cc, curl and libgnutls30. Exit status 0: it is still so.
set -euo pipefail
version=0.9.75-6
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download "libmicrohttpd12=$version" "libmicrohttpd-dev=$version" 2>log || {
	cat log >&2
	exit 2
}
for package in *.deb; do
	dpkg -x "$package" root
done
libraries=$folder/$(dirname "$(find root -name 'libmicrohttpd.so.12')")

cat >server.c <<'C'
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char text[100];

static void on_log(void *to, const char *format, va_list ap)
{
	vfprintf(to, format, ap);
	fflush(to);
}

static enum MHD_Result answer(void *ctx, struct MHD_Connection *c, const char *url, const char *method, const char *version,
			      const char *data, size_t *size, void **call)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(sizeof(text), text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result queued = MHD_queue_response(c, MHD_HTTP_OK, r);

	MHD_destroy_response(r);
	return queued;
}

/* server listen|add SOCKET LOG */
int main(int argc, char **argv)
{
	int add = !strcmp(argv[1], "add"), fd = socket(AF_UNIX, SOCK_STREAM, 0), c;
	unsigned int flags = MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG | MHD_USE_ITC;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	FILE *said = fopen(argv[3], "w");
	struct MHD_Daemon *d;

	strncpy(a.sun_path, argv[2], sizeof(a.sun_path) - 1);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 8))
		return 1;
	if (add)
		d = MHD_start_daemon(flags | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, answer, NULL, MHD_OPTION_EXTERNAL_LOGGER,
				     on_log, said, MHD_OPTION_END);
	else
		d = MHD_start_daemon(flags, 0, NULL, NULL, answer, NULL, MHD_OPTION_EXTERNAL_LOGGER, on_log, said,
				     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_END);
	if (!d)
		return 1;
	puts("ready");
	fflush(stdout);
	while (add && (c = accept(fd, NULL, NULL)) >= 0) {
		socklen_t length = sizeof(a);

		getpeername(c, (struct sockaddr *)&a, &length);
		MHD_add_connection(d, c, (struct sockaddr *)&a, length);
	}
	for (;;)
		pause();
}
C
cc -o server server.c -I"$(dirname "$(find root -name microhttpd.h)")" "$libraries/libmicrohttpd.so.12" "-Wl,-rpath,$libraries"
for way in listen add; do
	coproc server { exec ./server "$way" "$way.socket" "$way.log"; }
	# shellcheck disable=SC2154 # coproc sets them
	read -r _ <&"${server[0]}"
	got=$(curl -sS -o body -w '%{size_download} %{time_total}' --unix-socket "$way.socket" http://unix/)
	# shellcheck disable=SC2154
	kill "$server_PID"
	wait "$server_PID" 2>/dev/null || true
	printf '%s: %s bytes arrived after %s s; in the log:\n' "$way" "${got% *}" "${got#* }"
	cat "$way.log"
	[ "${got% *}" = 100 ]
	awk "BEGIN { exit !(${got#* } < 0.2) }"
done
[ ! -s listen.log ]
grep -q 'TCP_NODELAY.*failed: Operation not supported' add.log
grep -q 'TCP_CORK.*failed: Operation not supported' add.log
grep -q 'Client may experience some delay' add.log
