/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "api/api.h"
#include "api/head.h"

#define HOST "Host: localhost\r\n"

static struct head head;

static int check(const char *s, unsigned int *status)
{
	struct head_problem p = {};
	int r = head_check(s, strlen(s), &head, &p);

	*status = p.status;
	return r;
}

START_TEST(whole_heads)
{
	static const char *const good[] = {
		"GET / HTTP/1.1\r\n" HOST "\r\n",
		"GET / HTTP/1.0\r\n\r\n",
		"POST /v1/recordings HTTP/1.1\r\n" HOST "Content-Length: 12\r\n\r\nwhatever",
		"POST /v1/recordings HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n",
		"GET /v1/profile?comm=a%20b&pid=1 HTTP/1.1\r\n" HOST "Accept:\r\nX:  \t \r\n\r\n",
		"GET / HTTP/1.1\r\nhOST: [::1]:7567\r\nX-Name: \xc3\xa4\r\n\r\n",
	};
	unsigned int status;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ck_assert_msg(check(good[i], &status) == 1, "%s", good[i]);
}
END_TEST

START_TEST(every_prefix_waits_for_more)
{
	const char *s = "GET /v1/status HTTP/1.1\r\n" HOST "Accept: */*\r\n\r\n";
	struct head_problem p;

	for (size_t n = 0; n < strlen(s); n++)
		ck_assert_int_eq(head_check(s, n, &head, &p), 0);
	ck_assert_int_eq(head_check(s, strlen(s), &head, &p), 1);
}
END_TEST

START_TEST(garbage_has_a_status)
{
	static const struct {
		const char *text;
		unsigned int status;
	} bad[] = {
		{ "\x16\x03\x01", 400 },
		{ "get / HTTP/1.1\r\n", 400 },
		{ " GET / HTTP/1.1\r\n", 400 },
		{ "GETGETGETGETGETGET / HTTP/1.1\r\n", 400 },
		{ "GET\r\n", 400 },
		{ "GET /\r\n", 400 },
		{ "GET http://x/ HTTP/1.1\r\n", 400 },
		{ "GET * HTTP/1.1\r\n", 400 },
		{ "GET / HTTP/1.1\n", 400 },
		{ "GET / HTTQ/1.1\r\n", 400 },
		{ "GET / HTTP/1.12\r\n", 400 },
		{ "GET / HTTP/2.0\r\n", 505 },
		{ "GET /\x7f HTTP/1.1\r\n", 400 },
		{ "GET /\xc3\xa4 HTTP/1.1\r\n", 400 },
		{ "GET /?a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a "
		  "HTTP/1.1\r\n",
		  400 },
		{ "GET / HTTP/1.1\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST HOST, 400 },
		{ "GET / HTTP/1.1\r\n: x\r\n", 400 },
		{ "GET / HTTP/1.1\r\nX : x\r\n", 400 },
		{ "GET / HTTP/1.1\r\n folded\r\n", 400 },
		{ "GET / HTTP/1.1\r\nX\r\n", 400 },
		{ "GET / HTTP/1.1\r\nX: a\x01\r\n", 400 },
		{ "GET / HTTP/1.1\r\nX: a\rb\r\n", 400 },
		{ "GET / HTTP/1.1\r\nContent-Length: -1\r\n", 400 },
		{ "GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n", 400 },
		{ "GET / HTTP/1.1\r\nContent-Length:\r\n", 400 },
		{ "GET / HTTP/1.1\r\nContent-Length: 9999999999999999999\r\n", 400 },
		{ "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n", 400 },
		{ "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400 },
		{ "GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n", 501 },
	};
	unsigned int status;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(check(bad[i].text, &status) == -EBADMSG, "%s", bad[i].text);
		ck_assert_msg(status == bad[i].status, "%s: %u", bad[i].text, status);
	}
}
END_TEST

START_TEST(nul_bytes_are_garbage)
{
	static const char in_target[] = "GET /a\0b HTTP/1.1\r\n";
	static const char in_header[] = "GET / HTTP/1.1\r\nX: a\0b\r\n";
	struct head_problem p;

	ck_assert_int_eq(head_check(in_target, sizeof(in_target) - 1, &head, &p), -EBADMSG);
	ck_assert_int_eq(head_check(in_header, sizeof(in_header) - 1, &head, &p), -EBADMSG);
}
END_TEST

START_TEST(sizes_are_bounded)
{
	static char text[API_MAX_HEAD + 1];
	struct head_problem p = {};
	size_t n;

	/* A target without end is refused long before the head's maximum. */
	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	ck_assert_int_eq(head_check(text, HEAD_MAX_TARGET, &head, &p), 0);
	ck_assert_int_eq(head_check(text, HEAD_MAX_TARGET + 100, &head, &p), -EBADMSG);
	ck_assert_uint_eq(p.status, 414);
	memcpy(text + HEAD_MAX_TARGET + 6, " HTTP/1.1\r\n", 11);
	ck_assert_int_eq(head_check(text, HEAD_MAX_TARGET + 17, &head, &p), -EBADMSG);
	ck_assert_uint_eq(p.status, 414);

	/* A header without end. */
	memset(text, 'a', sizeof(text));
	memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
	ck_assert_int_eq(head_check(text, API_MAX_HEAD - 1, &head, &p), 0);
	ck_assert_int_eq(head_check(text, API_MAX_HEAD, &head, &p), -EBADMSG);
	ck_assert_uint_eq(p.status, 431);

	/* Headers without end. */
	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n");
	for (int i = 0; i <= HEAD_MAX_HEADERS; i++)
		n += (size_t)sprintf(text + n, "X: y\r\n");
	ck_assert_int_eq(head_check(text, n - 6, &head, &p), 0);
	ck_assert_int_eq(head_check(text, n, &head, &p), -EBADMSG);
	ck_assert_uint_eq(p.status, 431);
}
END_TEST

START_TEST(heads_say_what_follows)
{
	const char *s = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
			"Expect: 100-Continue\r\n\r\n5\r\nhello";
	unsigned int status;

	ck_assert_int_eq(check(s, &status), 1);
	ck_assert(head.chunked && head.expects);
	ck_assert_str_eq(s + head.size, "5\r\nhello");
	ck_assert_int_eq(check("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", &status), 1);
	ck_assert(!head.chunked && !head.expects);
	ck_assert_uint_eq(head.size, strlen("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"));
	ck_assert_int_eq(check("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", &status),
			 -EBADMSG);
	ck_assert_uint_eq(status, 400);
}
END_TEST

static int chunked(const char *s, unsigned int *status)
{
	struct head_problem p = {};
	int r = chunked_check(s, strlen(s), &p);

	ck_assert((r == -EBADMSG) == (p.error != NULL));
	*status = p.status;
	return r;
}

START_TEST(whole_chunked_bodies)
{
	static const char *const good[] = {
		"0\r\n\r\n",
		"5\r\nhello\r\n0\r\n\r\n",
		"00005\r\nhello\r\n1\r\n!\r\n000\r\n\r\nmore",
		"a\r\n0123456789\r\nA\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\nTrailer: x\r\nB:\r\n\r\n",
	};
	unsigned int status;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		ck_assert_msg(chunked(good[i], &status) == 1, "%s", good[i]);
		/* Every prefix waits for more. */
		for (size_t n = 0; i != 2 && n < strlen(good[i]); n++) {
			struct head_problem p = {};

			ck_assert_int_eq(chunked_check(good[i], n, &p), 0);
		}
	}
}
END_TEST

START_TEST(malformed_chunked_bodies)
{
	static const struct {
		const char *text;
		unsigned int status;
	} bad[] = {
		{ "x", 400 },
		{ "-5\r\nhello", 400 },
		{ " 5\r\nhello", 400 },
		{ "0x5\r\nhello", 400 },
		{ "\r\n", 400 },
		{ "5\nhello", 400 },
		{ "5\rhello", 400 },
		{ "5\r\r\nhello", 400 },
		{ "5;name=value\r\nhello", 400 },
		{ "5 \r\nhello", 400 },
		{ "5\r\nhello5\r\n", 400 },
		{ "5\r\nhello\rx", 400 },
		{ "4\r\nhello\r\n", 400 },
		{ "fffff\r\n", 413 },
		{ "10001\r\n", 413 },
		{ "8000\r\n", 0 },
		{ "ffffffffffffffff\r\n", 413 },
		{ "0000000000000001\r\n", 413 },
		{ "0\r\n\n", 400 },
		{ "0\r\nno colon\r\n\r\n", 400 },
		{ "0\r\n: x\r\n\r\n", 400 },
		{ "0\r\nX: a\001b\r\n\r\n", 400 },
	};
	unsigned int status;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(chunked(bad[i].text, &status) == (bad[i].status ? -EBADMSG : 0), "%s",
			      bad[i].text);
		ck_assert_msg(status == bad[i].status, "%s: %u", bad[i].text, status);
	}
}
END_TEST

START_TEST(chunked_bodies_are_bounded)
{
	_cleanup_buf_ struct buf b = {};
	struct head_problem p = {};

	/* 65536 bytes are the most, in chunks of any size. */
	for (int i = 0; i < 16; i++)
		buf_printf(&b, "1000\r\n%04096d\r\n", i);
	ck_assert_int_eq(chunked_check(b.data, b.size, &p), 0);
	buf_puts(&b, "1\r\n");
	ck_assert_int_eq(chunked_check(b.data, b.size, &p), -EBADMSG);
	ck_assert_uint_eq(p.status, 413);
	buf_clear(&b);
	/* One byte each: the body is small, what frames it is not. */
	while (b.size < HEAD_MAX_CHUNKED)
		buf_puts(&b, "1\r\nx\r\n");
	ck_assert_int_eq(chunked_check(b.data, b.size, &p), -EBADMSG);
	ck_assert_uint_eq(p.status, 413);
	buf_clear(&b);
	buf_puts(&b, "0\r\n");
	for (int i = 0; i < 5; i++)
		buf_printf(&b, "X: %01000d\r\n", i);
	ck_assert_int_eq(chunked_check(b.data, b.size, &p), -EBADMSG);
	ck_assert_uint_eq(p.status, 431);
	buf_clear(&b);
	buf_puts(&b, "0\r\n");
	for (int i = 0; i <= HEAD_MAX_HEADERS; i++)
		buf_puts(&b, "X:\r\n");
	ck_assert_int_eq(chunked_check(b.data, b.size, &p), -EBADMSG);
	ck_assert_uint_eq(p.status, 431);
}
END_TEST

CHECK_MAIN("api/head", whole_heads, every_prefix_waits_for_more, garbage_has_a_status,
	   nul_bytes_are_garbage, sizes_are_bounded, heads_say_what_follows, whole_chunked_bodies,
	   malformed_chunked_bodies, chunked_bodies_are_bounded);
