/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdbool.h>
#include <strings.h>

#include "api/api.h"
#include "api/head.h"

/* What the headers seen so far allow for the rest (RFC 9112, sections 3.2 and 6). */
struct head_state {
	unsigned int headers;
	bool http_1_1, host, length, chunked, expects;
};

static int bad(struct head_problem *ret, unsigned int status, const char *error)
{
	ret->status = status;
	ret->error = error;
	return -EBADMSG;
}

static bool is_token(unsigned char c)
{
	return c > ' ' && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

static bool is_digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return n > 0;
}

static int check_target(const char *s, size_t n, struct head_problem *ret)
{
	unsigned int parameters = 1;

	if (n == 0 || s[0] != '/')
		return bad(ret, 400, "the request's target is no path");
	if (n > HEAD_MAX_TARGET)
		return bad(ret, 414, "the request's target is too long");
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] >= 0x7f)
			return bad(ret, 400,
				   "the request's target has a character that must be escaped");
		parameters += s[i] == '&';
	}
	if (parameters > API_MAX_PARAMETERS)
		return bad(ret, 400, "too many parameters");
	return 0;
}

static int check_request_line(const char *s, size_t n, struct head_state *state,
			      struct head_problem *ret)
{
	const char *target, *version;
	size_t method = 0;

	while (method < n && s[method] >= 'A' && s[method] <= 'Z')
		method++;
	if (method == 0 || method > 16 || method == n || s[method] != ' ')
		return bad(ret, 400, "not an HTTP request");
	target = s + method + 1;
	version = memchr(target, ' ', n - method - 1);
	if (!version)
		return bad(ret, 400, "the request line has no HTTP version");
	if (check_target(target, (size_t)(version - target), ret) < 0)
		return -EBADMSG;
	version++;
	if ((size_t)(s + n - version) != strlen("HTTP/1.1") || memcmp(version, "HTTP/", 5) != 0)
		return bad(ret, 400, "the request line has no HTTP version");
	if (memcmp(version, "HTTP/1.1", 8) == 0)
		state->http_1_1 = true;
	else if (memcmp(version, "HTTP/1.0", 8) != 0)
		return bad(ret, 505, "this server speaks HTTP/1.1");
	return 0;
}

static bool name_is(const char *s, size_t n, const char *name)
{
	return n == strlen(name) && strncasecmp(s, name, n) == 0;
}

/* Name and value of a header line. -EBADMSG: *ret says why. */
static int split(const char *s, size_t n, size_t *ret_name, size_t *ret_value, size_t *ret_end,
		 struct head_problem *ret)
{
	size_t name = 0, end = n, value;

	while (name < n && is_token((unsigned char)s[name]))
		name++;
	if (name == 0 || name == n || s[name] != ':')
		return bad(ret, 400, "a request header is malformed");
	for (value = name + 1; value < n && (s[value] == ' ' || s[value] == '\t');)
		value++;
	while (end > value && (s[end - 1] == ' ' || s[end - 1] == '\t'))
		end--;
	for (size_t i = value; i < end; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return bad(ret, 400, "a request header has a control character");
	*ret_name = name;
	*ret_value = value;
	*ret_end = end;
	return 0;
}

int head_field(const char *s, size_t n, struct head_problem *ret)
{
	size_t name, value, end;

	return split(s, n, &name, &value, &end, ret);
}

static int check_header(const char *s, size_t n, struct head_state *state, struct head_problem *ret)
{
	size_t name, value, end;

	if (++state->headers > HEAD_MAX_HEADERS)
		return bad(ret, 431, "too many request headers");
	if (split(s, n, &name, &value, &end, ret) < 0)
		return -EBADMSG;
	if (name_is(s, name, "Host")) {
		if (state->host)
			return bad(ret, 400, "more than one Host header");
		state->host = true;
	} else if (name_is(s, name, "Content-Length")) {
		if (state->length || state->chunked || !is_digits(s + value, end - value) ||
		    end - value > 18)
			return bad(ret, 400, "the Content-Length header is malformed");
		state->length = true;
	} else if (name_is(s, name, "Transfer-Encoding")) {
		if (state->length || state->chunked)
			return bad(ret, 400, "the Transfer-Encoding header is malformed");
		if (!name_is(s + value, end - value, "chunked"))
			return bad(ret, 501, "this transfer encoding is not supported");
		/*
		 * RFC 9112, section 6.1: whoever sends this in HTTP/1.0 does not know what it is.
		 */
		if (!state->http_1_1)
			return bad(ret, 400, "HTTP/1.0 has no Transfer-Encoding");
		state->chunked = true;
	} else if (name_is(s, name, "Expect")) {
		state->expects |= name_is(s + value, end - value, "100-continue");
	}
	return 0;
}

/*
 * The request line as far as it came: garbage is refused at its first bytes, not when the client
 * gives up.
 */
static int check_start(const char *data, size_t size, struct head_problem *ret)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == ' ' && i > 0)
			break;
		if (i >= 16 || data[i] < 'A' || data[i] > 'Z')
			return bad(ret, 400, "not an HTTP request");
	}
	if (size > HEAD_MAX_TARGET + 32)
		return bad(ret, 414, "the request's target is too long");
	return 0;
}

int head_check(const char *data, size_t size, struct head *ret_head, struct head_problem *ret)
{
	struct head_state state = {};
	bool first = true;
	size_t at = 0;

	while (at < size) {
		const char *line = data + at;
		const char *end = memchr(line, '\n', MIN(size, (size_t)API_MAX_HEAD) - at);
		size_t n;

		if (!end)
			break;
		n = (size_t)(end - line);
		if (n == 0 || line[n - 1] != '\r')
			return bad(ret, 400, "a line of the request does not end in CR LF");
		n--;
		at += n + 2;
		if (first) {
			if (check_request_line(line, n, &state, ret) < 0)
				return -EBADMSG;
			first = false;
		} else if (n == 0) {
			if (state.http_1_1 && !state.host)
				return bad(ret, 400, "the Host header is missing");
			*ret_head = (struct head){ .size = at,
						   .chunked = state.chunked,
						   .expects = state.expects && state.http_1_1 };
			return 1;
		} else if (check_header(line, n, &state, ret) < 0) {
			return -EBADMSG;
		}
		if (at >= API_MAX_HEAD)
			break;
	}
	if (first && check_start(data, size, ret) < 0)
		return -EBADMSG;
	if (size >= API_MAX_HEAD)
		return bad(ret, 431, "the request's headers are too large");
	return 0;
}
