/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a server answers to plopctl or plop-gateway, in one piece or as it comes: its head, its
 * body, and events of a stream. libcurl reads it from a Unix socket.
 */
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "http/follow.h"
#include "http/server.h"

#define LIMIT 2048
/* Looks at a connection in which it has to end. */
#define STEPS 5000

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static char folder[] = "/tmp/plop-fuzz-XXXXXX";
static int door;

struct seen {
	size_t admitted, headers, events;
};

static int admit(struct http_exchange *e, size_t size)
{
	((struct seen *)e->ctx)->admitted += size;
	return 0;
}

/* Whole events are taken off. */
static int arrived(struct http_exchange *e)
{
	struct seen *s = e->ctx;
	const char *end;

	FUZZ_ASSERT(e->body.size <= LIMIT);
	while (e->body.size && (end = memmem(e->body.data, e->body.size, "\n\n", 2))) {
		buf_consume(&e->body, (size_t)(end - e->body.data) + 2);
		s->events++;
	}
	return e->status == 200 ? 0 : -ECONNRESET;
}

static void header(struct http_exchange *e, const char *line, size_t size)
{
	FUZZ_ASSERT(size == 0 || (line[size - 1] != '\r' && line[size - 1] != '\n'));
	((struct seen *)e->ctx)->headers += size;
}

/* Answers whoever has connected, once; the connection, or -1. */
static int answer(const uint8_t *data, size_t size)
{
	int fd = accept4(door, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return -1;
	if (size > 0)
		FUZZ_ASSERT(send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size);
	shutdown(fd, SHUT_WR);
	return fd;
}

static int run(struct http_exchange *e, const uint8_t *data, size_t size)
{
	_cleanup_(http_follower_freep) struct http_follower *f = NULL;
	int r = http_follower_new(e, address.sun_path, &f), fd = -1;

	FUZZ_ASSERT(r == 0);
	for (unsigned int i = 0; !http_follower_ended(f, &r); i++) {
		FUZZ_ASSERT(i < STEPS);
		http_follower_step(f);
		if (fd < 0)
			fd = answer(data, size);
		else if (i > 8)
			http_follower_wait(f, NULL, 0, 5);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

static void exchange(const uint8_t *data, size_t size, bool gateway, bool stream)
{
	static struct http_server server = { .base = "http://127.0.0.1:7567", .token = "abcdef" };
	const struct http_request q = { .server = gateway ? &server : NULL,
					.method = "GET",
					.target = "/v1/status",
					.connect_s = 20,
					.timeout_ms = 20000,
					.limit = LIMIT };
	struct seen seen = {};
	struct http_exchange e = {
		.admit = admit, .arrived = stream ? arrived : NULL, .header = header, .ctx = &seen
	};
	int r = http_exchange_begin(&e, &q);

	FUZZ_ASSERT(r == 0);
	r = run(&e, data, size);
	FUZZ_ASSERT(r <= 0 && r != -ETIMEDOUT && r != -ENOMEM);
	FUZZ_ASSERT(e.body.size <= LIMIT && (r < 0 || e.status >= 100));
	FUZZ_ASSERT(e.body.size <= seen.admitted);
	http_exchange_end(&e);
}

static void clean(void)
{
	unlink(address.sun_path);
	rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	FUZZ_ASSERT(http_init() == 0 && mkdtemp(folder) && atexit(clean) == 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	FUZZ_ASSERT(door >= 0 && bind(door, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		    listen(door, 8) == 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how;

	if (fuzz_take(&data, &size, &how, sizeof(how)))
		exchange(data, size, how & 1, how & 2);
	return 0;
}
