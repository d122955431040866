/* SPDX-License-Identifier: BSD-2-Clause */
#include "clickhouse/place.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 64

static bool is_name(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > NAME_MAX_BYTES || isdigit((unsigned char)*s))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

/* A part of it, owned by libcurl: curl_free(). NULL: there is none. */
static char *part(CURLU *u, CURLUPart what)
{
	char *text = NULL;

	return curl_url_get(u, what, &text, CURLU_URLDECODE) == CURLUE_OK ? text : NULL;
}

static char *copy_part(CURLU *u, CURLUPart what, const char *otherwise)
{
	char *text = part(u, what), *copy = strdup(text ? text : otherwise);

	curl_free(text);
	return copy;
}

static bool sets(char **to, const char *text)
{
	*to = strdup(text);
	return *to;
}

static int take(CURLU *u, struct clickhouse_url *url, const char **ret_error)
{
	_cleanup_free_ char *scheme = copy_part(u, CURLUPART_SCHEME, ""),
			    *host = copy_part(u, CURLUPART_HOST, ""),
			    *port = copy_part(u, CURLUPART_PORT, ""),
			    *path = copy_part(u, CURLUPART_PATH, "/"),
			    *query = copy_part(u, CURLUPART_QUERY, ""),
			    *user = copy_part(u, CURLUPART_USER, "");
	static const char cluster[] = "cluster=";
	bool tls;

	if (!scheme || !host || !port || !path || !query || !user)
		return -ENOMEM;
	tls = streq(scheme, "https");
	*ret_error = "it is not http://HOST:PORT/DATABASE or https://HOST:PORT/DATABASE";
	if ((!tls && !streq(scheme, "http")) || !*host)
		return -EINVAL;
	*ret_error = "user and password are options of their own in [fleet] of plop.conf";
	if (*user)
		return -EINVAL;
	*ret_error = "its path is the name of a database: letters, digits and _";
	if (!streq(path, "/") && !is_name(path + 1))
		return -EINVAL;
	*ret_error = "behind its ? there may be cluster=NAME alone";
	if (*query &&
	    (strncmp(query, cluster, strlen(cluster)) != 0 || !is_name(query + strlen(cluster))))
		return -EINVAL;
	if (asprintf(&url->place, "%s:%s", host,
		     *port ? port :
		     tls   ? "8443" :
			     "8123") < 0 ||
	    asprintf(&url->base, "%s://%s/", scheme, url->place) < 0 ||
	    !sets(&url->database, path[1] ? path + 1 : "plop") ||
	    !sets(&url->cluster, *query ? query + strlen(cluster) : ""))
		return -ENOMEM;
	return 0;
}

int clickhouse_url_parse(const char *text, struct clickhouse_url *ret, const char **ret_error)
{
	_cleanup_(clickhouse_url_done) struct clickhouse_url url = {};
	CURLU *u = curl_url();
	int r = -ENOMEM;

	*ret_error = "it is not http://HOST:PORT/DATABASE or https://HOST:PORT/DATABASE";
	if (u)
		r = curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK ?
			    take(u, &url, ret_error) :
			    -EINVAL;
	curl_url_cleanup(u);
	if (r < 0)
		return r;
	*ret = url;
	url = (struct clickhouse_url){};
	return 0;
}

void clickhouse_url_done(struct clickhouse_url *u)
{
	free(u->base);
	free(u->place);
	free(u->database);
	free(u->cluster);
	*u = (struct clickhouse_url){};
}
