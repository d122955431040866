/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/route.h"

static bool path_matches(const char *pattern, const char *path)
{
	size_t n = strlen(pattern);

	if (n < 2 || pattern[n - 1] != '*' || pattern[n - 2] != '/')
		return streq(pattern, path);
	return strncmp(pattern, path, n - 1) == 0 && path[n - 1] != '\0' &&
	       !strchr(path + n - 1, '/');
}

int route_find(const struct api_route *routes, size_t n, const char *method, const char *path,
	       const struct api_route **ret, char *allow, size_t allow_size)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		if (!path_matches(routes[i].path, path))
			continue;
		if (streq(routes[i].method, method)) {
			*ret = &routes[i];
			return 0;
		}
		if (used < allow_size)
			used += (size_t)snprintf(allow + used, allow_size - used, "%s%s%s",
						 used ? ", " : "", routes[i].method,
						 streq(routes[i].method, "GET") ? ", HEAD" : "");
	}
	return used ? -EOPNOTSUPP : -ENOENT;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * Bytes of the UTF-8 sequence at s, 0 if it is not one (overlong, surrogate, beyond U+10FFFF
 * included).
 */
static size_t utf8_length(const unsigned char *s)
{
	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4 || (s[1] & 0xc0) != 0x80)
		return 0;
	if (s[0] < 0xe0)
		return 2;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[2] & 0xc0) != 0x80)
		return 0;
	if (s[0] < 0xf0)
		return 3;
	if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) || (s[3] & 0xc0) != 0x80)
		return 0;
	return 4;
}

/*
 * A path or a parameter's text becomes part of error messages and JSON: no control characters,
 * valid UTF-8.
 */
static bool is_text(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	while (*p) {
		size_t n = utf8_length(p);

		if (n == 0 || *p < ' ' || *p == 0x7f)
			return false;
		p += n;
	}
	return true;
}

/*
 * Unescapes [from, from + n) to *to, which is moved behind the NUL. plus: "+" is a space (only in a
 * query).
 */
static int unescape(const char *from, size_t n, bool plus, char **to)
{
	char *start = *to;
	char *out = start;

	for (size_t i = 0; i < n; i++) {
		if (from[i] == '%') {
			int high, low;

			if (n - i < 3)
				return -EINVAL;
			high = hex(from[i + 1]);
			low = hex(from[i + 2]);
			if (high < 0 || low < 0 || (high == 0 && low == 0))
				return -EINVAL;
			*out++ = (char)(high << 4 | low);
			i += 2;
		} else {
			*out++ = plus && from[i] == '+' ? ' ' : from[i];
		}
	}
	*out++ = '\0';
	if (!is_text(start))
		return -EINVAL;
	*to = out;
	return 0;
}

int target_decode(const char *target, char *storage, const char **ret_path,
		  struct query_parameter *parameters, size_t *ret_n)
{
	size_t path = strcspn(target, "?");
	const char *p = target + path;
	size_t n = 0;

	*ret_path = storage;
	if (unescape(target, path, false, &storage) < 0)
		return -EINVAL;
	if (*p == '?')
		p++;
	while (*p) {
		size_t pair = strcspn(p, "&");
		size_t key = MIN(strcspn(p, "="), pair);
		size_t value = MIN(key + 1, pair);

		if (pair > 0) {
			if (n == API_MAX_PARAMETERS)
				return -E2BIG;
			parameters[n].key = storage;
			if (unescape(p, key, true, &storage) < 0)
				return -EINVAL;
			/*
			 * "key" without "=" has the NUL of its key as its value: an empty string
			 * within bounds.
			 */
			parameters[n].value = key == pair ? storage - 1 : storage;
			if (key < pair && unescape(p + value, pair - value, true, &storage) < 0)
				return -EINVAL;
			n++;
		}
		p += pair + (p[pair] == '&');
	}
	*ret_n = n;
	return 0;
}
