/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "check_main.h"
#include "http/run.h"

/* A server of one connection: reads a request's head, and answers with these bytes, or never. */
static char folder[] = "/tmp/plop-http-XXXXXX", path[64];
static int listening = -1;
static const char *answer;
static pthread_t thread;

static void *serve(void *ctx)
{
	int fd = accept(listening, NULL, NULL);
	char head[4096];
	size_t n = 0;

	while (n < sizeof(head) && !memmem(head, n, "\r\n\r\n", 4)) {
		ssize_t r = read(fd, head + n, sizeof(head) - n);

		if (r <= 0)
			break;
		n += (size_t)r;
	}
	/* NULL: silent until the client has had enough of it */
	if (!answer || write(fd, answer, strlen(answer)) < 0)
		(void)!read(fd, head, sizeof(head));
	close(fd);
	return NULL;
}

static void setup(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	ck_assert_int_eq(http_init(), 0);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	strcpy(address.sun_path, path);
	listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listening, 4), 0);
}

static void teardown(void)
{
	close(listening);
	unlink(path);
	rmdir(folder);
	http_end();
}

static const struct http_request request = {
	.method = "GET", .target = "/", .connect_s = 5, .timeout_ms = 30000, .limit = 10
};

static int ask_within(struct http_exchange *e, const char *said, unsigned int timeout_ms)
{
	struct http_request q = request;
	int r;

	answer = said;
	ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
	q.timeout_ms = timeout_ms;
	ck_assert_int_eq(http_exchange_begin(e, &q), 0);
	r = http_run(e, path, q.connect_s);
	if (r < 0)
		http_exchange_end(e);
	pthread_join(thread, NULL);
	return r;
}

static int ask(struct http_exchange *e, const char *said)
{
	return ask_within(e, said, request.timeout_ms);
}

START_TEST(an_answer_is_collected)
{
	struct http_exchange e = {};

	ck_assert_int_eq(ask(&e, "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello"), 0);
	ck_assert_uint_eq(e.status, 404);
	ck_assert(e.body.size == 5 && memcmp(e.body.data, "hello", 5) == 0);
	http_exchange_end(&e);
}
END_TEST

START_TEST(what_is_too_much_ends_it)
{
	struct http_exchange e = {};

	ck_assert_int_eq(ask(&e, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world"),
			 -EFBIG);
}
END_TEST

static int refuse(struct http_exchange *e, size_t size)
{
	return -ENOBUFS;
}

START_TEST(the_receiver_can_end_it)
{
	struct http_exchange e = { .admit = refuse };

	ck_assert_int_eq(ask(&e, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), -ENOBUFS);
}
END_TEST

START_TEST(silence_and_nonsense_are_told_apart)
{
	struct http_exchange silent = {}, cut = {}, other = {};

	ck_assert_int_eq(ask_within(&silent, NULL, 100), -ETIMEDOUT);
	ck_assert_int_eq(ask(&cut, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"), -ECONNRESET);
	ck_assert_int_eq(ask(&other, "HTTP/217 what: ever\r\n"), -ECONNRESET);
}
END_TEST

START_TEST(nobody_is_there)
{
	struct http_exchange e = {}, gone = {};

	close(listening);
	ck_assert_int_eq(http_exchange_begin(&e, &request), 0);
	ck_assert_int_eq(http_run(&e, path, 5), -ECONNREFUSED);
	http_exchange_end(&e);
	unlink(path);
	ck_assert_int_eq(http_exchange_begin(&gone, &request), 0);
	ck_assert_int_eq(http_run(&gone, path, 5), -ENOENT);
	http_exchange_end(&gone);
}
END_TEST

START_TEST(text_is_escaped)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *s = NULL;

	http_escape(&b, "a-Z_0.~ /?&=%\xc3\xa9\n");
	s = buf_string(&b);
	ck_assert_str_eq(s, "a-Z_0.~%20%2F%3F%26%3D%25%C3%A9%0A");
}
END_TEST

CHECK_MAIN_WITH("http/run", setup, teardown, an_answer_is_collected, what_is_too_much_ends_it,
		the_receiver_can_end_it, silence_and_nonsense_are_told_apart, nobody_is_there,
		text_is_escaped);
