/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/place.h"

int place_parse(const char *url, struct place *ret)
{
	const char *host = strstr(url, "://"), *path;
	struct place p = { .https = strncmp(url, "https:", 6) == 0 };

	if (!host)
		return -EINVAL;
	host += 3;
	path = host + strcspn(host, "/");
	if (path == host || strstr(path, "..") || strstr(path, "//") ||
	    strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._~-") !=
		    strlen(path))
		return -EINVAL;
	if ((size_t)(path - url) >= sizeof(p.origin) || strlen(path) >= sizeof(p.prefix))
		return -ENAMETOOLONG;
	memcpy(p.origin, url, (size_t)(path - url));
	strcpy(p.prefix, path);
	*ret = p;
	return 0;
}

const char *place_host(const struct place *p)
{
	const char *host = strstr(p->origin, "://");

	return host ? host + 3 : "";
}

const char *place_path(const struct place *p, const char *path)
{
	size_t n = strlen(p->prefix);

	if (n == 0 || strncmp(path, p->prefix, n) != 0 || (path[n] != '/' && path[n] != '\0'))
		return path;
	return path + n;
}
