/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <strings.h>

#include "api/route.h"
#include "gateway/check.h"
#include "util/nets.h"

/* Host without port and brackets, in lower case. */
static bool host_name(const char *host, char *buffer, size_t size)
{
	size_t n;

	if (*host == '[') {
		n = strcspn(++host, "]");
		if (host[n] != ']' || (host[n + 1] != '\0' && host[n + 1] != ':'))
			return false;
	} else {
		n = strcspn(host, ":");
		if (host[n] == ':' && strspn(host + n + 1, "0123456789") != strlen(host + n + 1))
			return false;
	}
	if (n == 0 || n >= size)
		return false;
	for (size_t i = 0; i < n; i++)
		buffer[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] + 32 : host[i]);
	buffer[n] = '\0';
	return true;
}

static bool is_address(const char *s, bool *ret_loopback, bool *ret_any)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, s, &v4) == 1) {
		*ret_loopback = ntohl(v4.s_addr) >> 24 == 127;
		*ret_any = v4.s_addr == 0;
		return true;
	}
	if (inet_pton(AF_INET6, s, &v6) == 1) {
		*ret_loopback = IN6_IS_ADDR_LOOPBACK(&v6);
		*ret_any = IN6_IS_ADDR_UNSPECIFIED(&v6);
		return true;
	}
	return false;
}

bool check_host(const char *host, const char *listen_host, const char *own_name)
{
	bool loopback, any, address;
	char name[256];

	if (!host || !host_name(host, name, sizeof(name)))
		return false;
	if (streq(name, "localhost") || strcasecmp(name, listen_host) == 0)
		return true;
	address = is_address(name, &loopback, &any);
	if (address && loopback)
		return true;
	if (!is_address(listen_host, &loopback, &any) || !any)
		return false;
	return address || strcasecmp(name, own_name) == 0;
}

bool check_origin(const char *origin, const char *host, const char *own)
{
	if (!origin || (*own && strcasecmp(origin, own) == 0))
		return true;
	if (!host)
		return false;
	/* https: behind a proxy that ends TLS. */
	if (strncmp(origin, "http://", 7) == 0)
		return strcasecmp(origin + 7, host) == 0;
	return strncmp(origin, "https://", 8) == 0 && strcasecmp(origin + 8, host) == 0;
}

bool check_forwarded(const char *header, struct in6_addr *ret)
{
	const char *last = strrchr(header, ',');
	char text[INET6_ADDRSTRLEN + 16], *port;
	size_t n;

	last = last ? last + 1 : header;
	last += strspn(last, " \t");
	n = strcspn(last, " \t");
	if (n >= sizeof(text))
		return false;
	memcpy(text, last, n);
	text[n] = '\0';
	if (*text == '[') {
		text[strcspn(text, "]")] = '\0';
		return net_address(text + 1, ret) == 0;
	}
	port = strchr(text, ':');
	/* an address of IPv6 has two at least */
	if (port && !strchr(port + 1, ':'))
		*port = '\0';
	return net_address(text, ret) == 0;
}

bool check_cookie(const char **header, const char *name, char *buffer, size_t size)
{
	size_t length = strlen(name);
	const char *p = *header;

	while (p && *p) {
		const char *cookie = p;
		size_t n = strcspn(p, ";");

		p += n;
		p += strspn(p, "; ");
		if (n <= length || cookie[length] != '=' || strncmp(cookie, name, length) != 0 ||
		    n - length - 1 >= size)
			continue;
		memcpy(buffer, cookie + length + 1, n - length - 1);
		buffer[n - length - 1] = '\0';
		*header = p;
		return true;
	}
	*header = p;
	return false;
}

bool check_secret(const char *given, const char *secret)
{
	size_t n = strlen(given), m = strlen(secret);
	volatile unsigned char different = n != m || m == 0;

	for (size_t i = 0; i < n; i++)
		different |= (unsigned char)(given[i] ^ secret[m ? i % m : 0]);
	return !different;
}

bool check_token_form(const char *token)
{
	size_t n = strlen(token);

	return n >= 4 && n <= 256 &&
	       strspn(token,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.") == n;
}

/* Of a target "/?token=...". */
static bool token_of(const char *target, char *token, size_t size)
{
	char storage[CHECK_FORM_MAX + 8];
	struct query_parameter parameters[API_MAX_PARAMETERS];
	const char *path, *value;
	size_t n = 0, length;

	if (strlen(target) >= sizeof(storage) ||
	    target_decode(target, storage, &path, parameters, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!streq(parameters[i].key, "token"))
			continue;
		value = parameters[i].value + strspn(parameters[i].value, " ");
		length = strlen(value);
		while (length > 0 && value[length - 1] == ' ')
			length--;
		if (length == 0 || length >= size)
			return false;
		memcpy(token, value, length);
		token[length] = '\0';
		return true;
	}
	return false;
}

bool check_form(const char *body, char *token, size_t size)
{
	char target[CHECK_FORM_MAX + 4], value[CHECK_FORM_MAX];
	char *query;

	if ((size_t)snprintf(target, sizeof(target), "/?%s", body) >= sizeof(target) ||
	    !token_of(target, value, sizeof(value)))
		return false;
	if (strncmp(value, "http://", 7) != 0 && strncmp(value, "https://", 8) != 0)
		return (size_t)snprintf(token, size, "%s", value) < size;
	value[strcspn(value, "#")] = '\0';
	query = strchr(value, '?');
	if (!query)
		return false;
	snprintf(target, sizeof(target), "/%s", query);
	return token_of(target, token, size);
}
