/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a browser, or whoever passes for one, sends to plop-gateway: Host, Origin, cookies, tokens,
 * a form, Accept-Encoding; and the body that asks for recordings of a fleet.
 */
#include "fuzz.h"
#include "api/coding.h"
#include "gateway/gateway.h"

#define COOKIE "plop_7567"
#define SECRET "0123456789abcdef0123456789abcdef"

/* What follows the first 0 of text, "" if there is none. */
static const char *second(const char *text, size_t size)
{
	size_t n = strlen(text);

	return n < size ? text + n + 1 : "";
}

static void places(const char *text, size_t size)
{
	const char *host = second(text, size);

	FUZZ_ASSERT(!check_host(NULL, "127.0.0.1", "web1"));
	/* what may be named where all addresses are listened on may be more, never less */
	if (check_host(text, "127.0.0.1", "web1"))
		FUZZ_ASSERT(check_host(text, "0.0.0.0", "web1") && check_host(text, "::", "web1"));
	if (check_origin(text, host, ""))
		FUZZ_ASSERT(strlen(text) == strlen(host) + strlen("http://") ||
			    strlen(text) == strlen(host) + strlen("https://"));
	(void)check_host(text, host, "web1");
	(void)check_origin(text, host, text);
	(void)coding_takes_gzip(text);
}

static void cookies(const char *text, size_t size)
{
	static struct sessions s;
	const struct session_terms terms = { .until_ns = 2 };
	const char *header = text, *before = text;
	char id[SESSION_HEX + 1], token[SESSION_TEXT_MAX];

	while (check_cookie(&header, COOKIE, id, sizeof(id))) {
		FUZZ_ASSERT(strlen(id) < sizeof(id) && header > before);
		before = header;
		FUZZ_ASSERT(!sessions_find(&s, id, 2, NULL));
	}
	sessions_add(&s, text, second(text, size), &terms);
	if (*text && strlen(text) < SESSION_TEXT_MAX &&
	    strlen(second(text, size)) < SESSION_TEXT_MAX) {
		FUZZ_ASSERT(sessions_find(&s, text, 1, NULL) >= SESSION_FIRST);
		FUZZ_ASSERT(!sessions_find(&s, text, 2, NULL) && sessions_end(&s, text, 1, token));
	}
	FUZZ_ASSERT(!sessions_end(&s, text, 1, token));
}

static void tokens(const char *text, size_t size)
{
	char token[SESSION_TEXT_MAX], again[SESSION_TEXT_MAX];

	FUZZ_ASSERT(check_secret(text, SECRET) == streq(text, SECRET));
	FUZZ_ASSERT(!check_secret(text, ""));
	FUZZ_ASSERT(check_secret(text, text) == (*text != '\0'));
	/* it goes into a JSON text as it is */
	if (check_token_form(text))
		FUZZ_ASSERT(!strpbrk(text, "\"\\ \r\n") && strlen(text) < sizeof(token));
	if (check_form(text, token, sizeof(token)))
		FUZZ_ASSERT(*token && strlen(token) < sizeof(token) &&
			    check_form(text, again, sizeof(again)) && streq(token, again));
}

/* What plop-gateway hands on of who asks: what is taken says the same when it is said again. */
static void scopes(const char *text, size_t size)
{
	_cleanup_buf_ struct buf b = {}, second_b = {};
	_cleanup_free_ char *said = NULL, *said_again = NULL;
	struct scope scope, again;

	if (scope_parse(text, &scope) < 0)
		return;
	FUZZ_ASSERT(scope.may < SCOPES && scope_text_valid(scope.service, SCOPE_SERVICE_MAX) &&
		    scope_text_valid(scope.who, SCOPE_WHO_MAX));
	scope_put(&scope, &b);
	said = buf_string(&b);
	FUZZ_ASSERT(said && scope_parse(said, &again) == 0);
	scope_put(&again, &second_b);
	said_again = buf_string(&second_b);
	FUZZ_ASSERT(said_again && streq(said, said_again));
}

/* What a proxy says of its client, and what plop.conf says of the proxy. */
static void fronts(const char *text, size_t size)
{
	struct in6_addr address;
	struct place place;
	struct nets nets;

	if (nets_parse(text, &nets) == 0) {
		FUZZ_ASSERT(nets.n <= NETS_MAX);
		for (size_t i = 0; i < nets.n; i++)
			FUZZ_ASSERT(nets.items[i].bits <= 128 &&
				    nets_have(&nets, &nets.items[i].address));
	}
	if (check_forwarded(text, &address))
		FUZZ_ASSERT(strpbrk(text, "0123456789abcdefABCDEF:"));
	if (place_parse(text, &place) == 0) {
		const char *rest = second(text, size);

		FUZZ_ASSERT(!strpbrk(place.prefix, "\"<>\r\n;") && *place_host(&place));
		FUZZ_ASSERT(strlen(place_path(&place, rest)) <= strlen(rest));
	}
}

static void wish(const char *text, size_t size)
{
	struct api_request q = { .body = text, .path = "/v1/fleet/record/x" };
	_cleanup_query_ struct query query = {};
	struct fleet_wish w = {};
	struct refusal why = {};
	int r = gateway_wish(&q, &query, &w, &why);

	FUZZ_ASSERT(r == 0 || r == -EINVAL);
	FUZZ_ASSERT((r == 0) == (why.error[0] == '\0'));
	if (r == 0)
		FUZZ_ASSERT(w.hosts >= 1 && w.hosts <= FLEET_REQUEST_HOSTS && w.seconds >= 1 &&
			    w.seconds <= FLEET_REQUEST_S && w.wait_s <= FLEET_REQUEST_WAIT_S);
	free(w.selectors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const char *text, size_t size) = { places, cookies, tokens,
									  wish,   scopes,  fronts };
	_cleanup_free_ char *text = malloc(size + 1);
	uint8_t which;

	FUZZ_ASSERT(text);
	if (!fuzz_take(&data, &size, &which, sizeof(which)))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	parsers[which % ARRAY_SIZE(parsers)](text, size);
	return 0;
}
