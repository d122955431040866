/* SPDX-License-Identifier: BSD-2-Clause */
#include "clickhouse/client.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "clickhouse/place.h"

#define TIMEOUT_S    30
#define CONNECT_S    10
#define PASSWORD_MAX 1024
/* Bytes of an answer that is no success: who reads it needs its first line. */
#define SAID_MAX 4096

struct clickhouse {
	struct clickhouse_url url;
	char *user_header, *password_header; /* owned */
	struct curl_slist *headers, *gzip_headers;
	CURL *curl;
	bool old;
	char said[CURL_ERROR_SIZE];
	uint64_t sent;
	atomic_bool stop;
};

/* One call: where its answer goes. */
struct answer {
	struct clickhouse *c;
	struct buf *to;
	struct buf error; /* its body where its status is no success */
	unsigned int retry_after_s;
};

static size_t on_data(char *data, size_t one, size_t size, void *ctx)
{
	struct answer *a = ctx;
	long status = 0;

	curl_easy_getinfo(a->c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200) {
		buf_append(a->to, data, size);
		return a->to->error ? 0 : size;
	}
	if (a->error.size < SAID_MAX)
		buf_append(&a->error, data, MIN(size, SAID_MAX - a->error.size));
	return size;
}

static size_t on_header(char *data, size_t one, size_t size, void *ctx)
{
	static const char name[] = "retry-after:";
	struct answer *a = ctx;

	/* the header's line ends with what strtoul() ends at */
	if (size > strlen(name) + 1 && strncasecmp(data, name, strlen(name)) == 0)
		a->retry_after_s = (unsigned int)MIN(strtoul(data + strlen(name), NULL, 10), 3600u);
	return size;
}

/* libcurl calls it once a second at least, while nothing comes as well. */
static int on_progress(void *ctx, curl_off_t down, curl_off_t down_now, curl_off_t up,
		       curl_off_t up_now)
{
	const struct clickhouse *c = ctx;

	return atomic_load(&c->stop);
}

void clickhouse_stop(struct clickhouse *c)
{
	atomic_store(&c->stop, true);
}

/* The first line of a file. */
static int read_password(const char *path, char **ret)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[PASSWORD_MAX];

	if (!f)
		return -errno;
	if (!fgets(line, sizeof(line), f))
		return ferror(f) ? -EIO : -ENODATA;
	line[strcspn(line, "\r\n")] = '\0';
	*ret = strdup(line);
	return *ret ? 0 : -ENOMEM;
}

static int add_header(struct curl_slist **to, const char *text)
{
	struct curl_slist *more = curl_slist_append(*to, text);

	if (!more)
		return -ENOMEM;
	*to = more;
	return 0;
}

/* Who asks, by headers, so that it is in no log of addresses. */
static int set_user(struct clickhouse *c, const struct clickhouse_options *o, char **ret_error)
{
	_cleanup_free_ char *password = NULL, *user = NULL, *key = NULL;
	int r = 0;

	if (o->password_file && *o->password_file)
		r = read_password(o->password_file, &password);
	if (r < 0) {
		if (asprintf(ret_error, "cannot read password_file %s: %s", o->password_file,
			     r == -ENODATA ? "it is empty" : strerror(-r)) < 0)
			*ret_error = NULL;
		return r;
	}
	if (asprintf(&user, "X-ClickHouse-User: %s", o->user && *o->user ? o->user : "default") < 0)
		return -ENOMEM;
	/* a header whose value is empty is written with a semicolon */
	if (asprintf(&key, password && *password ? "X-ClickHouse-Key: %s" : "X-ClickHouse-Key;%s",
		     password ? password : "") < 0)
		return -ENOMEM;
	r = add_header(&c->headers, user);
	if (r == 0)
		r = add_header(&c->headers, key);
	if (r == 0)
		r = add_header(&c->headers, "Expect:");
	for (const struct curl_slist *h = c->headers; h && r == 0; h = h->next)
		r = add_header(&c->gzip_headers, h->data);
	return r == 0 ? add_header(&c->gzip_headers, "Content-Encoding: gzip") : r;
}

static int set_up(struct clickhouse *c, const struct clickhouse_options *o)
{
	c->curl = curl_easy_init();
	if (!c->curl)
		return -ENOMEM;
	if (curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
	    (o->ca_file && *o->ca_file &&
	     curl_easy_setopt(c->curl, CURLOPT_CAINFO, o->ca_file) != CURLE_OK))
		return -ENOMEM;
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)(o->timeout_s ? o->timeout_s : TIMEOUT_S));
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->said);
	curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
	curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, c);
	curl_easy_setopt(c->curl, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(c->curl, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
	return 0;
}

int clickhouse_new(const struct clickhouse_options *o, struct clickhouse **ret, char **ret_error)
{
	_cleanup_(clickhouse_freep) struct clickhouse *c = calloc(1, sizeof(*c));
	const char *why = NULL;
	int r;

	if (!c)
		return -ENOMEM;
	r = clickhouse_url_parse(o->url, &c->url, &why);
	if (r == -EINVAL &&
	    asprintf(ret_error, "%s is no address of a ClickHouse: %s", o->url, why) < 0)
		*ret_error = NULL;
	if (r == 0)
		r = set_user(c, o, ret_error);
	if (r == 0)
		r = set_up(c, o);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

void clickhouse_free(struct clickhouse *c)
{
	curl_easy_cleanup(c->curl);
	curl_slist_free_all(c->headers);
	curl_slist_free_all(c->gzip_headers);
	clickhouse_url_done(&c->url);
	free(c);
}

const char *clickhouse_database(const struct clickhouse *c)
{
	return c->url.database;
}

const char *clickhouse_cluster(const struct clickhouse *c)
{
	return c->url.cluster;
}

const char *clickhouse_place(const struct clickhouse *c)
{
	return c->url.place;
}

void clickhouse_is_old(struct clickhouse *c)
{
	c->old = true;
}

uint64_t clickhouse_sent(const struct clickhouse *c)
{
	return c->sent;
}

/* No answer came, or not all of it. */
static void judge_silence(const struct clickhouse *c, CURLcode code, struct clickhouse_trouble *ret)
{
	bool certificate = code == CURLE_PEER_FAILED_VERIFICATION ||
			   code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CERTPROBLEM;

	*ret = (struct clickhouse_trouble){ .kind = certificate ? CLICKHOUSE_REFUSED :
								  CLICKHOUSE_AWAY };
	snprintf(ret->sentence, sizeof(ret->sentence), "the store at %.100s %s: %s%s", c->url.place,
		 certificate ? "has a certificate that is not trusted" : "does not answer",
		 *c->said ? c->said : curl_easy_strerror(code),
		 certificate ? "; see ca_file in [fleet] of plop.conf" : "");
}

static const int results[] = {
	[CLICKHOUSE_AWAY] = -EAGAIN,     [CLICKHOUSE_BUSY] = -EAGAIN,
	[CLICKHOUSE_TOO_LARGE] = -E2BIG, [CLICKHOUSE_REFUSED] = -EACCES,
	[CLICKHOUSE_SCHEMA] = -ENOENT,   [CLICKHOUSE_BAD] = -EPROTO,
};

static int call(struct clickhouse *c, const char *url, const struct buf *body,
		struct curl_slist *headers, struct buf *to, struct clickhouse_trouble *ret_why)
{
	struct answer a = { .c = c, .to = to };
	long status = 0;
	CURLcode code;
	int r = 0;

	*c->said = '\0';
	if (curl_easy_setopt(c->curl, CURLOPT_URL, url) != CURLE_OK)
		return -ENOMEM;
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body->size ? body->data : "");
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->size);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &a);
	curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, &a);
	code = curl_easy_perform(c->curl);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	c->sent += body->size;
	if (to->error == -ENOMEM || a.error.error) {
		r = -ENOMEM;
	} else if (to->error) {
		*ret_why = (struct clickhouse_trouble){ .kind = CLICKHOUSE_TOO_LARGE };
		snprintf(ret_why->sentence, sizeof(ret_why->sentence),
			 "the store at %.100s answers with too much: ask for less time or fewer "
			 "processes",
			 c->url.place);
		r = -E2BIG;
	} else if (code != CURLE_OK) {
		judge_silence(c, code, ret_why);
		r = results[ret_why->kind];
	} else if (status != 200) {
		clickhouse_judge(c->url.place, (unsigned int)status, a.retry_after_s, &a.error,
				 ret_why);
		r = results[ret_why->kind];
	}
	buf_free(&a.error);
	return r;
}

/*
 * The server has an answer whole before it begins to send it: what goes wrong in the midst of a
 * query would come behind the status of a success.
 */
#define SETTINGS "wait_end_of_query=1&enable_http_compression=1"

static char *address(const struct clickhouse *c, const char *into)
{
	_cleanup_buf_ struct buf url = {};
	char *query = NULL;

	buf_printf(&url, "%s?" SETTINGS "%s", c->url.base,
		   c->old ? "&allow_experimental_low_cardinality_type=1" : "");
	if (into) {
		_cleanup_free_ char *sql = NULL;

		if (asprintf(&sql, "INSERT INTO %s.%s FORMAT RowBinary", c->url.database, into) < 0)
			return NULL;
		query = curl_easy_escape(c->curl, sql, 0);
		if (!query)
			return NULL;
		buf_printf(&url, "&insert_distributed_sync=1&query=%s", query);
		curl_free(query);
	}
	return buf_string(&url);
}

int clickhouse_ask(struct clickhouse *c, const char *sql, struct buf *to,
		   struct clickhouse_trouble *ret_why)
{
	_cleanup_free_ char *url = address(c, NULL);
	const struct buf body = { .data = (char *)sql, .size = strlen(sql) };

	return url ? call(c, url, &body, c->headers, to, ret_why) : -ENOMEM;
}

static int compress_rows(const struct buf *rows, struct buf *to)
{
	z_stream z = { .next_in = (Bytef *)rows->data, .avail_in = (uInt)rows->size };
	size_t bound;
	int r;

	if (rows->size > UINT32_MAX)
		return -E2BIG;
	/* 16: a gzip header */
	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	bound = deflateBound(&z, rows->size);
	z.next_out = buf_reserve(to, bound);
	z.avail_out = (uInt)bound;
	r = z.next_out && deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -ENOMEM;
	if (r == 0)
		to->size += z.total_out;
	deflateEnd(&z);
	return r;
}

int clickhouse_insert(struct clickhouse *c, const char *into, const struct buf *rows,
		      struct clickhouse_trouble *ret_why)
{
	_cleanup_buf_ struct buf body = {}, answer = { .limit = SAID_MAX };
	_cleanup_free_ char *url = address(c, into);
	int r = compress_rows(rows, &body);

	if (r < 0 || !url)
		return r < 0 ? r : -ENOMEM;
	return call(c, url, &body, c->gzip_headers, &answer, ret_why);
}
