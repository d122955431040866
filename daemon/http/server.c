/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/server.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MAX 512

static bool has(CURLU *u, CURLUPart what)
{
	char *text = NULL;
	bool there = curl_url_get(u, what, &text, 0) == CURLUE_OK;

	curl_free(text);
	return there;
}

/* All of it as libcurl writes it, without what would be behind the path. */
static int take(CURLU *u, char **ret_base, const char **ret_why)
{
	char *whole = NULL;
	size_t n;
	int r = -ENOMEM;

	*ret_why = "a token is shown by --token-file, and never in a URL";
	if (has(u, CURLUPART_USER) || has(u, CURLUPART_PASSWORD) || has(u, CURLUPART_QUERY))
		return -EINVAL;
	*ret_why = "nothing is behind its path";
	if (has(u, CURLUPART_FRAGMENT))
		return -EINVAL;
	if (curl_url_get(u, CURLUPART_URL, &whole, 0) != CURLUE_OK)
		return -ENOMEM;
	n = strlen(whole);
	while (n > 0 && whole[n - 1] == '/')
		n--;
	*ret_base = strndup(whole, n);
	if (*ret_base)
		r = 0;
	curl_free(whole);
	return r;
}

int http_server_parse(const char *url, char **ret_base, const char **ret_why)
{
	CURLU *u = curl_url();
	int r = u ? 0 : -ENOMEM;

	*ret_why = "it is not http://HOST:PORT or https://HOST:PORT";
	if (r == 0 && strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
		r = -EINVAL;
	if (r == 0 && curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK)
		r = -EINVAL;
	if (r == 0)
		r = take(u, ret_base, ret_why);
	curl_url_cleanup(u);
	return r;
}

int http_token_read(const char *path, char **ret)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[TOKEN_MAX];
	size_t n;

	if (!f)
		return -errno;
	if (!fgets(line, sizeof(line), f))
		return ferror(f) ? -errno : -EBADMSG;
	n = strcspn(line, "\r\n");
	/* one that is longer has no end here */
	if (n == 0 || n + 1 == sizeof(line))
		return -EBADMSG;
	line[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (line[i] <= ' ' || line[i] > '~')
			return -EBADMSG;
	*ret = strdup(line);
	return *ret ? 0 : -ENOMEM;
}

void http_server_done(struct http_server *s)
{
	free(s->base);
	free(s->token);
	free(s->ca_file);
	*s = (struct http_server){};
}
