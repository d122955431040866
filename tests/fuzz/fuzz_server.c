/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection to plopd from somebody who is not trusted, as bytes in several pieces: through the
 * gate and libmicrohttpd to the handlers that read a body. Whatever comes, it ends, and what is
 * answered is HTTP with a body of plop's own.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/server.h"
#include "fuzz.h"
#include "plopd/access.h"
#include "plopd/mark_routes.h"
#include "plopd/record_routes.h"
#include "plopd/token_routes.h"
#include "target/shares.h"
#include "util/clock.h"
#include "util/log.h"
#include "window/store_task.h"

#define STRANGER 1000
#define PIECES   4
/* Turns of the loop after which nothing more is to come; and until a client that went is gone. */
#define IDLE  40
#define TURNS 5000

static struct config config = { .state_dir = "/nonexistent", .hz = 100, .user_rate = 2000 };
static struct cycle cycle = { .clock_ns = clock_ns };
static struct shares shares;
static struct targets targets = { .cycle = &cycle, .shares = &shares };
/* What is asked for may be recorded, and marks be kept: but the user has as many as may be. */
static struct recording recording = { .state = RECORDING_RUNNING,
				      .whom.selectors = { .owned = true, .uid = STRANGER } };
static struct recordings recordings = { .cycle = &cycle, .config = &config, .targets = &targets };
static struct windows windows = { .config = &config, .tasks = STORE_TASKS_MAX };
static struct record_routes record_routes = { .recordings = &recordings };
static struct mark_routes mark_routes = { .targets = &targets,
					  .config = &config,
					  .windows = &windows };
static struct viewer viewer = { .cycle = &cycle };
static struct token_routes token_routes = { .viewer = &viewer,
					    .config = &config,
					    .windows = &windows };

static sd_event *loop;
static struct api_server *server;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_size;

static void on_record(const struct api_request *q, void *ctx)
{
	route_record(q, &record_routes);
}

static void on_mark(const struct api_request *q, void *ctx)
{
	route_mark(q, &mark_routes);
}

static void on_marks(const struct api_request *q, void *ctx)
{
	route_marks(q, &mark_routes);
}

static void on_check(const struct api_request *q, void *ctx)
{
	route_token_check(q, &token_routes);
}

static void on_token(const struct api_request *q, void *ctx)
{
	route_token(q, &token_routes);
}

static void on_drop(const struct api_request *q, void *ctx)
{
	route_token_drop(q, &token_routes);
}

static void on_gateway(const struct api_request *q, void *ctx)
{
	route_gateway(q, &token_routes);
}

static void on_revoke(const struct api_request *q, void *ctx)
{
	route_token_revoke(q, &viewer);
}

static void on_value(const char *value, void *ctx)
{
	*(size_t *)ctx += strlen(value);
}

/* Parameters and headers, and no answer before the client has gone or the loop has turned. */
static void on_query(const struct api_request *q, void *ctx)
{
	_cleanup_query_ struct query query = {};
	size_t sum = 0;

	api_each_header(q, "Cookie", on_value, &sum);
	if (api_query(q, &query) == 0)
		api_reply_json(q->call, 200, json_integer((json_int_t)sum));
}

static const struct api_route routes[] = {
	{ "GET", "/v1/profile", true, NEEDS_READ, on_query },
	{ "GET", "/v1/recordings/*", true, NEEDS_READ, on_query },
	{ "POST", "/v1/recordings", true, NEEDS_RECORD, on_record },
	{ "GET", "/v1/marks", true, NEEDS_READ, on_marks },
	{ "POST", "/v1/marks", true, NEEDS_ALL, on_mark },
	{ "POST", "/v1/tokens", true, NEEDS_ALL, on_token },
	{ "DELETE", "/v1/tokens/*", false, NEEDS_ALL, on_drop },
	{ "POST", "/v1/tokens/check", true, NEEDS_ALL, on_check },
	{ "POST", "/v1/tokens/revoke", true, NEEDS_ALL, on_revoke },
	{ "POST", "/v1/gateway", false, NEEDS_ALL, on_gateway },
};

/*
 * Who runs this may be root, and stands for somebody who is not; but tokens are made by those who
 * are.
 */
static int be_stranger(struct api_request *q, const char *const *headers, void *ctx)
{
	q->peer.trusted = strncmp(q->path, "/v1/tokens", 10) == 0 || streq(q->path, "/v1/gateway");
	q->peer.uid = q->peer.trusted ? 0 : STRANGER;
	return 0;
}

static int listen_at(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), n;

	n = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "plop-fuzz-%d", getpid());
	address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	FUZZ_ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&address, address_size) == 0 &&
		    listen(fd, 8) == 0);
	return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct api_options options = { .routes = routes,
					     .nroutes = ARRAY_SIZE(routes),
					     .authorize = be_stranger,
					     .max_connections = 16 };

	for (size_t i = 0; i < ACCESS_RECORDINGS_MAX; i++)
		recordings.items[i] = &recording;
	log_init("fuzz_server", LOG_LEVEL_ERROR);
	FUZZ_ASSERT(sd_event_new(&loop) >= 0);
	FUZZ_ASSERT(api_server_new(loop, listen_at(), &options, &server) == 0);
	return 0;
}

/* An answer is HTTP; of an error the body is JSON, unless none is to be sent. */
static void check_answer(const char *text, size_t size, bool head)
{
	const char *body = memmem(text, size, "\r\n\r\n", 4);
	unsigned int status;
	json_t *json;

	if (size == 0)
		return;
	FUZZ_ASSERT(body && sscanf(text, "HTTP/1.1 %3u ", &status) == 1);
	if (status == 100) {
		size_t used = (size_t)(body + 4 - text);

		check_answer(body + 4, size - used, head);
		return;
	}
	body += 4;
	FUZZ_ASSERT(status >= 200 && status < 600);
	if (status < 400 || head)
		return;
	json = json_loadb(body, size - (size_t)(body - text), 0, NULL);
	FUZZ_ASSERT(json_is_string(json_object_get(json, "error")));
	json_decref(json);
}

static void turn(void)
{
	FUZZ_ASSERT(sd_event_run(loop, 0) >= 0);
}

/*
 * All that comes until the other end closes, or waits for more: who has sent half a body and says
 * no more is kept for some seconds.
 */
static size_t receive(int fd, char *to, size_t room)
{
	size_t size = 0;

	for (unsigned int idle = 0; idle < IDLE;) {
		ssize_t n = recv(fd, to + size, room - 1 - size, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		idle = n > 0 ? 0 : idle + 1;
		size += n > 0 ? (size_t)n : 0;
		FUZZ_ASSERT(size + 1 < room);
		turn();
	}
	to[size] = '\0';
	return size;
}

/* A client that has gone is let go at once. */
static void is_let_go(void)
{
	for (unsigned int i = 0; LIST_FIRST(&server->calls) || LIST_FIRST(&server->gates); i++) {
		FUZZ_ASSERT(i < TURNS);
		FUZZ_ASSERT(sd_event_run(loop, 1000) >= 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char answer[1 << 20];
	uint16_t pieces[PIECES];
	bool head;
	int fd;

	if (!fuzz_take(&data, &size, pieces, sizeof(pieces)))
		return 0;
	head = size >= 5 && memcmp(data, "HEAD ", 5) == 0;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FUZZ_ASSERT(fd >= 0 && connect(fd, (struct sockaddr *)&address, address_size) == 0);
	for (size_t i = 0; i <= PIECES && size > 0; i++) {
		size_t n = i < PIECES ? MIN(size, (size_t)pieces[i]) : size;

		/* who was refused may have been closed */
		if (send(fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		data += n;
		size -= n;
		turn();
	}
	shutdown(fd, SHUT_WR);
	check_answer(answer, receive(fd, answer, sizeof(answer)), head);
	close(fd);
	is_let_go();
	return 0;
}
