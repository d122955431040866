/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/post.h"

#include <curl/curl.h>
#include <stdbool.h>

/* Bytes of an answer that are waited for. */
#define ANSWER_MAX (64u << 10)

static size_t on_data(char *data, size_t one, size_t size, void *ctx)
{
	size_t *seen = ctx;

	*seen += size;
	return *seen > ANSWER_MAX ? 0 : size;
}

static bool set_texts(CURL *c, const char *url, const char *body, struct curl_slist *headers)
{
	return headers && curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_POSTFIELDS, body) == CURLE_OK;
}

int http_post(const char *url, const char *body, unsigned int timeout_s,
	      char why[static HTTP_POST_WHY])
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	char error[CURL_ERROR_SIZE] = "";
	CURL *c = curl_easy_init();
	CURLcode code = CURLE_OUT_OF_MEMORY;
	long status = 0;
	size_t seen = 0;

	if (c && set_texts(c, url, body, headers)) {
		curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
		curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)timeout_s);
		curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
		curl_easy_setopt(c, CURLOPT_WRITEDATA, &seen);
		code = curl_easy_perform(c);
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	}
	if (code != CURLE_OK)
		snprintf(why, HTTP_POST_WHY, "%s", error[0] ? error : curl_easy_strerror(code));
	else if (status < 200 || status > 299)
		snprintf(why, HTTP_POST_WHY, "it answered with HTTP status %ld", status);
	curl_easy_cleanup(c);
	curl_slist_free_all(headers);
	if (code == CURLE_OUT_OF_MEMORY)
		return -ENOMEM;
	if (code == CURLE_OPERATION_TIMEDOUT)
		return -ETIMEDOUT;
	return code == CURLE_OK && status >= 200 && status <= 299 ? 0 : -EIO;
}
