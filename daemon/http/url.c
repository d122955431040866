/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/url.h"

#include <curl/curl.h>
#include <stdbool.h>

/* Bytes of an answer that are waited for. */
#define ANSWER_MAX (64u << 10)

static size_t count_data(char *data, size_t one, size_t size, void *ctx)
{
	size_t *seen = ctx;

	*seen += size;
	return *seen > ANSWER_MAX ? 0 : size;
}

static size_t keep_data(char *data, size_t one, size_t size, void *ctx)
{
	struct buf *to = ctx;

	buf_append(to, data, size);
	return to->error ? 0 : size;
}

static bool set_url(CURL *c, const char *url)
{
	return curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
}

/* One that has not all that it needs is NULL, or not ready. */
static int perform(CURL *c, bool ready, unsigned int timeout_s, char why[static HTTP_URL_WHY])
{
	char error[CURL_ERROR_SIZE] = "";
	CURLcode code = CURLE_OUT_OF_MEMORY;
	long status = 0;

	if (c && ready) {
		curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
		curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)timeout_s);
		code = curl_easy_perform(c);
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	}
	if (code != CURLE_OK)
		snprintf(why, HTTP_URL_WHY, "%s", error[0] ? error : curl_easy_strerror(code));
	else if (status < 200 || status > 299)
		snprintf(why, HTTP_URL_WHY, "it answered with HTTP status %ld", status);
	curl_easy_cleanup(c);
	if (code == CURLE_OUT_OF_MEMORY)
		return -ENOMEM;
	if (code == CURLE_OPERATION_TIMEDOUT)
		return -ETIMEDOUT;
	return code == CURLE_OK && status >= 200 && status <= 299 ? 0 : -EIO;
}

int http_post(const char *url, const char *body, unsigned int timeout_s,
	      char why[static HTTP_URL_WHY])
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	CURL *c = curl_easy_init();
	size_t seen = 0;
	bool ready = c && headers && set_url(c, url) &&
		     curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
		     curl_easy_setopt(c, CURLOPT_POSTFIELDS, body) == CURLE_OK;
	int r;

	if (ready) {
		curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, count_data);
		curl_easy_setopt(c, CURLOPT_WRITEDATA, &seen);
	}
	r = perform(c, ready, timeout_s, why);
	curl_slist_free_all(headers);
	return r;
}

static int get(const char *url, struct curl_slist *headers, unsigned int timeout_s, struct buf *to,
	       char why[static HTTP_URL_WHY])
{
	CURL *c = curl_easy_init();
	bool ready = c && set_url(c, url) &&
		     curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
	int r;

	if (ready) {
		curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep_data);
		curl_easy_setopt(c, CURLOPT_WRITEDATA, to);
	}
	r = perform(c, ready, timeout_s, why);
	if (to->error) {
		snprintf(why, HTTP_URL_WHY, "it answered with more than %zu bytes", to->limit);
		return to->error;
	}
	return r;
}

int http_get(const char *url, unsigned int timeout_s, struct buf *to, char why[static HTTP_URL_WHY])
{
	return get(url, NULL, timeout_s, to, why);
}

int http_get_as(const char *url, const char *token, unsigned int timeout_s, struct buf *to,
		char why[static HTTP_URL_WHY])
{
	_cleanup_free_ char *header = NULL;
	struct curl_slist *headers = NULL;
	int r;

	if (asprintf(&header, "Authorization: Bearer %s", token) < 0)
		header = NULL;
	else
		headers = curl_slist_append(NULL, header);
	if (!headers) {
		snprintf(why, HTTP_URL_WHY, "out of memory");
		return -ENOMEM;
	}
	r = get(url, headers, timeout_s, to, why);
	curl_slist_free_all(headers);
	return r;
}
