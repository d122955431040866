/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/exchange.h"

#include <stdbool.h>

/* Bytes of an answer's headers, far more than plopd's and plop-gateway's have. */
#define HEADERS_MAX (64u << 10)

int http_init(void)
{
	return curl_global_init(CURL_GLOBAL_ALL) == 0 ? 0 : -ENOMEM;
}

void http_end(void)
{
	curl_global_cleanup();
}

static size_t on_data(char *data, size_t one, size_t size, void *ctx)
{
	struct http_exchange *e = ctx;
	long status = 0;

	curl_easy_getinfo(e->curl, CURLINFO_RESPONSE_CODE, &status);
	e->status = (unsigned int)status;
	if (e->admit)
		e->error = e->admit(e, size);
	if (e->error >= 0)
		buf_append(&e->body, data, size);
	if (e->body.error)
		e->error = e->body.error;
	if (e->error >= 0 && e->arrived)
		e->error = e->arrived(e);
	return e->error < 0 ? 0 : size;
}

static size_t on_header(char *data, size_t one, size_t size, void *ctx)
{
	struct http_exchange *e = ctx;
	size_t n = size;

	while (n > 0 && (data[n - 1] == '\r' || data[n - 1] == '\n'))
		n--;
	e->headers_size += size;
	if (e->headers_size > HEADERS_MAX) {
		e->error = -EFBIG;
		return 0;
	}
	if (e->header)
		e->header(e, data, n);
	return size;
}

static bool add_header(struct http_exchange *e, const char *text)
{
	struct curl_slist *more = curl_slist_append(e->headers, text);

	if (more)
		e->headers = more;
	return more;
}

/* Whom it goes to, and by what it is known. */
static bool set_place(struct http_exchange *e, const struct http_server *s)
{
	_cleanup_free_ char *token = NULL;
	CURL *c = e->curl;

	if (!s)
		return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
		       curl_easy_setopt(c, CURLOPT_NOPROXY, "*") == CURLE_OK;
	if (curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip") != CURLE_OK ||
	    (s->ca_file && curl_easy_setopt(c, CURLOPT_CAINFO, s->ca_file) != CURLE_OK))
		return false;
	if (!s->token)
		return true;
	if (asprintf(&token, "Authorization: Bearer %s", s->token) < 0)
		token = NULL;
	return token && add_header(e, token);
}

/* All options that libcurl could refuse for want of memory. */
static bool set_texts(struct http_exchange *e, const char *url, const struct http_request *q)
{
	CURL *c = e->curl;

	if (curl_easy_setopt(c, CURLOPT_URL, url) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method) != CURLE_OK ||
	    !set_place(e, q->server))
		return false;
	if (q->body && (!add_header(e, "Content-Type: application/json") ||
			curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, q->body) != CURLE_OK))
		return false;
	if (q->header && !add_header(e, q->header))
		return false;
	return curl_easy_setopt(c, CURLOPT_HTTPHEADER, e->headers) == CURLE_OK;
}

int http_exchange_begin(struct http_exchange *e, const struct http_request *q)
{
	_cleanup_free_ char *url = NULL;
	CURL *c = curl_easy_init();

	e->curl = c;
	e->body.limit = q->limit;
	if (asprintf(&url, "%s%s", q->server ? q->server->base : "http://plopd", q->target) < 0)
		url = NULL;
	if (!c || !url || !set_texts(e, url, q))
		return -ENOMEM;
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)q->connect_s);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)q->timeout_ms);
	curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, e);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, e);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, e->said);
	curl_easy_setopt(c, CURLOPT_PRIVATE, e);
	return 0;
}

void http_exchange_to(struct http_exchange *e, const char *socket)
{
	curl_easy_setopt(e->curl, CURLOPT_UNIX_SOCKET_PATH, socket);
}

int http_exchange_result(struct http_exchange *e, CURLcode code)
{
	long os_error = 0, status = 0;

	curl_easy_getinfo(e->curl, CURLINFO_OS_ERRNO, &os_error);
	curl_easy_getinfo(e->curl, CURLINFO_RESPONSE_CODE, &status);
	e->status = (unsigned int)status;
	if (e->error < 0)
		return e->error;
	/*
	 * Without an error of the system: a Unix socket's queue is full, which libcurl takes for a
	 * connection under way that came to nothing (7.88), or finds out when it sends.
	 */
	if (code == CURLE_COULDNT_CONNECT)
		return os_error > 0 ? -(int)os_error : -EAGAIN;
	if (code == CURLE_SEND_ERROR && os_error == ENOTCONN)
		return -EAGAIN;
	if (code == CURLE_OPERATION_TIMEDOUT)
		return -ETIMEDOUT;
	if (code == CURLE_OUT_OF_MEMORY)
		return -ENOMEM;
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
		return -EKEYREJECTED;
	/* libcurl (7.88) takes "HTTP/217 x" for a head, and one without a status */
	return code == CURLE_OK && e->status >= 100 ? 0 : -ECONNRESET;
}

void http_exchange_end(struct http_exchange *e)
{
	curl_easy_cleanup(e->curl);
	curl_slist_free_all(e->headers);
	buf_free(&e->body);
	e->curl = NULL;
	e->headers = NULL;
}

void http_escape(struct buf *b, const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0);

	if (escaped)
		buf_puts(b, escaped);
	else if (!b->error)
		b->error = -ENOMEM;
	curl_free(escaped);
}
