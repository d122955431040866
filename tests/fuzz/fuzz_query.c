/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes from a client: the request's head, its target, the route and the query. */
#include "fuzz.h"
#include "api/head.h"
#include "query/query.h"
#include "api/route.h"
#include "util/utf8.h"

static const struct api_route routes[] = {
	{ .method = "GET", .path = "/" },
	{ .method = "GET", .path = "/v1/profile" },
	{ .method = "GET", .path = "/v1/recordings/*" },
	{ .method = "DELETE", .path = "/v1/recordings/*" },
};

static void is_text(const char *s, const char *storage, size_t size)
{
	FUZZ_ASSERT(s >= storage && s + strlen(s) < storage + size);
	while (*s) {
		uint32_t c;
		size_t n = utf8_decode(s, &c);

		FUZZ_ASSERT(c >= ' ' && c != 0x7f && n > 0);
		s += n;
	}
}

/* A body in chunks: what is good stays good with more behind it, and no beginning of it is bad. */
static void check_chunked(const char *data, size_t size)
{
	struct head_problem problem = {};
	int r = chunked_check(data, size, &problem);

	FUZZ_ASSERT(r == 0 || r == 1 || r == -EBADMSG);
	FUZZ_ASSERT((r == -EBADMSG) == (problem.error != NULL && problem.status >= 400));
	if (r != -EBADMSG && size)
		FUZZ_ASSERT(chunked_check(data, size - 1, &problem) >= 0);
}

static void check_route(const char *method, const char *path)
{
	const struct api_route *route = NULL;
	char allow[24] = "";
	int r = route_find(routes, ARRAY_SIZE(routes), method, path, &route, allow, sizeof(allow));

	FUZZ_ASSERT((r == 0) == (route != NULL));
	FUZZ_ASSERT((r == -EOPNOTSUPP) == (allow[0] != '\0') || r == 0);
	FUZZ_ASSERT(r != 0 || streq(route->method, method));
}

static void check_sides(const struct query_parameter *parameters, size_t n)
{
	_cleanup_query_ struct query base = {}, new = {};
	struct refusal why = {};
	int r = query_parse_sides(parameters, n, UINT64_C(1795359600) * NSEC_PER_SEC, &base, &new,
				  &why);

	FUZZ_ASSERT(r == 0 || r == -EINVAL);
	FUZZ_ASSERT((r == 0) == (why.error[0] == '\0'));
	if (r == 0)
		FUZZ_ASSERT(base.selectors.n <= n && new.selectors.n <= n);
}

static void check_query(const struct query_parameter *parameters, size_t n)
{
	_cleanup_query_ struct query q = {};
	struct refusal why = {};
	int r = query_parse(parameters, n, UINT64_C(1795359600) * NSEC_PER_SEC, &q, &why);

	FUZZ_ASSERT(r == 0 || r == -EINVAL);
	check_sides(parameters, n);
	FUZZ_ASSERT((r == 0) == (why.error[0] == '\0'));
	if (r == 0) {
		FUZZ_ASSERT(q.from_ns < q.to_ns);
		FUZZ_ASSERT(q.seconds >= 1 && q.seconds <= QUERY_MAX_SECONDS);
		FUZZ_ASSERT(q.format && q.selectors.n <= n);
	}
}

static void check_target(const char *method, const char *target)
{
	size_t size = strlen(target) + 1, n = 0;
	_cleanup_free_ char *storage = malloc(size);
	struct query_parameter parameters[API_MAX_PARAMETERS];
	const char *path;

	FUZZ_ASSERT(storage);
	if (target_decode(target, storage, &path, parameters, &n) < 0)
		return;
	FUZZ_ASSERT(n <= API_MAX_PARAMETERS);
	is_text(path, storage, size);
	for (size_t i = 0; i < n; i++) {
		is_text(parameters[i].key, storage, size);
		is_text(parameters[i].value, storage, size);
	}
	check_route(method, path);
	check_query(parameters, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct head_problem problem = {};
	struct head head = {};
	_cleanup_free_ char *text = strndup((const char *)data, size);
	/* An exact copy, so that a byte too many is noticed. */
	_cleanup_free_ char *bytes = malloc(size + !size);
	int r;

	FUZZ_ASSERT(text && bytes);
	memcpy(bytes, data, size);
	r = head_check(bytes, size, &head, &problem);
	FUZZ_ASSERT(r == 0 || r == 1 || r == -EBADMSG);
	FUZZ_ASSERT((r == -EBADMSG) == (problem.error != NULL && problem.status >= 400));
	check_chunked(bytes, size);
	if (r == 1) {
		char *target = strchr(text, ' ');

		FUZZ_ASSERT(head.size <= size);
		check_chunked(bytes + head.size, size - head.size);
		/* No beginning of a good head is bad. */
		FUZZ_ASSERT(head_check(bytes, size / 2, &head, &problem) >= 0);
		FUZZ_ASSERT(target && target[1] == '/');
		*target++ = '\0';
		target[strcspn(target, " ")] = '\0';
		check_target(text, target);
	} else {
		check_target("GET", text);
	}
	return 0;
}
