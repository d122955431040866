/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/poster.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define TIMEOUT_S  30
#define CONNECT_S  10
#define SECRET_MAX 8192
/* However long a store asks to be left alone. */
#define RETRY_MOST_S 3600u

struct poster {
	char *place;
	struct curl_slist *headers;
	CURL *curl;
	char said[CURL_ERROR_SIZE];
	uint64_t sent;
	atomic_bool stop;
};

/* One call: where its answer goes. */
struct answering {
	struct poster *p;
	struct buf *to;
	struct poster_answer *answer;
};

static bool succeeds(unsigned int status)
{
	return status >= 200 && status < 300;
}

static unsigned int status_of(struct poster *p)
{
	long status = 0;

	curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
	return (unsigned int)status;
}

static size_t on_data(char *data, size_t one, size_t size, void *ctx)
{
	struct answering *a = ctx;
	struct buf *said = &a->answer->said;

	if (succeeds(status_of(a->p))) {
		buf_append(a->to, data, size);
		return a->to->error ? 0 : size;
	}
	if (said->size < POSTER_SAID_MAX)
		buf_append(said, data, MIN(size, POSTER_SAID_MAX - said->size));
	return size;
}

unsigned int poster_retry_after(const char *line, size_t size)
{
	static const char name[] = "retry-after:";
	unsigned int seconds = 0;
	size_t i = strlen(name);

	if (size < i || strncasecmp(line, name, i) != 0)
		return 0;
	while (i < size && (line[i] == ' ' || line[i] == '\t'))
		i++;
	for (; i < size && line[i] >= '0' && line[i] <= '9' && seconds < RETRY_MOST_S; i++)
		seconds = seconds * 10 + (unsigned int)(line[i] - '0');
	return MIN(seconds, RETRY_MOST_S);
}

/* The line has no end of its own. */
static size_t on_header(char *data, size_t one, size_t size, void *ctx)
{
	struct answering *a = ctx;
	unsigned int seconds = poster_retry_after(data, size);

	if (seconds)
		a->answer->retry_after_s = seconds;
	return size;
}

/* libcurl calls it once a second at least, while nothing comes as well. */
static int on_progress(void *ctx, curl_off_t down, curl_off_t down_now, curl_off_t up,
		       curl_off_t up_now)
{
	const struct poster *p = ctx;

	return atomic_load(&p->stop);
}

void poster_stop(struct poster *p)
{
	atomic_store(&p->stop, true);
}

static int set_up(struct poster *p, const struct poster_options *o)
{
	p->curl = curl_easy_init();
	if (!p->curl)
		return -ENOMEM;
	if (curl_easy_setopt(p->curl, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
	    (o->ca_file && *o->ca_file &&
	     curl_easy_setopt(p->curl, CURLOPT_CAINFO, o->ca_file) != CURLE_OK))
		return -ENOMEM;
	curl_easy_setopt(p->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(p->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	curl_easy_setopt(p->curl, CURLOPT_TIMEOUT, (long)(o->timeout_s ? o->timeout_s : TIMEOUT_S));
	curl_easy_setopt(p->curl, CURLOPT_ERRORBUFFER, p->said);
	curl_easy_setopt(p->curl, CURLOPT_POST, 1L);
	curl_easy_setopt(p->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(p->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(p->curl, CURLOPT_XFERINFODATA, p);
	curl_easy_setopt(p->curl, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(p->curl, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(p->curl, CURLOPT_HEADERFUNCTION, on_header);
	return 0;
}

static int add_header(struct curl_slist **to, const char *line)
{
	struct curl_slist *more = curl_slist_append(*to, line);

	if (!more)
		return -ENOMEM;
	*to = more;
	return 0;
}

int poster_new(const struct poster_options *o, struct poster **ret)
{
	_cleanup_(poster_freep) struct poster *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->place = strdup(o->place);
	if (!p->place)
		return -ENOMEM;
	r = set_up(p, o);
	/* no "100 Continue" is waited for */
	if (r == 0)
		r = add_header(&p->headers, "Expect:");
	if (r == 0)
		*ret = TAKE_PTR(p);
	return r;
}

void poster_free(struct poster *p)
{
	curl_easy_cleanup(p->curl);
	curl_slist_free_all(p->headers);
	free(p->place);
	free(p);
}

int poster_header(struct poster *p, const char *line)
{
	return add_header(&p->headers, line);
}

int poster_user(struct poster *p, const char *user, const char *password)
{
	curl_easy_setopt(p->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	return curl_easy_setopt(p->curl, CURLOPT_USERNAME, user) == CURLE_OK &&
			       curl_easy_setopt(p->curl, CURLOPT_PASSWORD, password) == CURLE_OK ?
		       0 :
		       -ENOMEM;
}

uint64_t poster_sent(const struct poster *p)
{
	return p->sent;
}

void poster_answer_done(struct poster_answer *a)
{
	buf_free(&a->said);
}

/* No answer came, or not all of it. */
static int judge_silence(const struct poster *p, CURLcode code, char why[static POSTER_WHY])
{
	bool certificate = code == CURLE_PEER_FAILED_VERIFICATION ||
			   code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CERTPROBLEM;

	snprintf(why, POSTER_WHY, "the store at %.100s %s: %s%s", p->place,
		 certificate ? "has a certificate that is not trusted" : "does not answer",
		 *p->said ? p->said : curl_easy_strerror(code),
		 certificate ? "; see ca_file in [fleet] of plop.conf" : "");
	return certificate ? -EACCES : -EAGAIN;
}

/* The headers of a call; owned by the caller. NULL: out of memory. */
static struct curl_slist *headers_of(const struct poster *p, const struct poster_call *call)
{
	struct curl_slist *all = NULL;
	char type[128];
	int r = 0;

	for (const struct curl_slist *h = p->headers; h && r == 0; h = h->next)
		r = add_header(&all, h->data);
	if (r == 0 && call->content_type) {
		snprintf(type, sizeof(type), "Content-Type: %s", call->content_type);
		r = add_header(&all, type);
	}
	if (r == 0 && call->gzip)
		r = add_header(&all, "Content-Encoding: gzip");
	if (r < 0) {
		curl_slist_free_all(all);
		return NULL;
	}
	return all;
}

int poster_post(struct poster *p, const struct poster_call *call, struct poster_answer *ret)
{
	struct answering a = { .p = p, .to = call->to, .answer = ret };
	struct curl_slist *headers = headers_of(p, call);
	CURLcode code;
	int r = 0;

	*ret = (struct poster_answer){};
	*p->said = '\0';
	if (!headers || curl_easy_setopt(p->curl, CURLOPT_URL, call->url) != CURLE_OK) {
		curl_slist_free_all(headers);
		return -ENOMEM;
	}
	curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDS, call->body->size ? call->body->data : "");
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body->size);
	curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, &a);
	curl_easy_setopt(p->curl, CURLOPT_HEADERDATA, &a);
	code = curl_easy_perform(p->curl);
	curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	p->sent += call->body->size;
	if (call->to->error == -ENOMEM || ret->said.error) {
		r = -ENOMEM;
	} else if (call->to->error) {
		snprintf(ret->why, sizeof(ret->why),
			 "the store at %.100s answers with too much: ask for less time or fewer "
			 "processes",
			 p->place);
		r = -E2BIG;
	} else if (code != CURLE_OK) {
		r = judge_silence(p, code, ret->why);
	}
	ret->status = status_of(p);
	return r;
}

void poster_first_line(const struct buf *said, char *line, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < said->size && n + 1 < size; i++) {
		unsigned char byte = (unsigned char)said->data[i];

		if (byte == '\n' || byte == '\r')
			break;
		line[n++] = byte >= 0x20 && byte < 0x7f ? (char)byte : '?';
	}
	line[n] = '\0';
}

int poster_secret(const char *path, char **ret)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[SECRET_MAX];

	if (!f)
		return -errno;
	if (!fgets(line, sizeof(line), f))
		return ferror(f) ? -EIO : -ENODATA;
	line[strcspn(line, "\r\n")] = '\0';
	*ret = strdup(line);
	return *ret ? 0 : -ENOMEM;
}

int poster_gzip(const struct buf *bytes, int level, struct buf *out)
{
	z_stream z = { .next_in = (Bytef *)bytes->data, .avail_in = (uInt)bytes->size };
	size_t bound;
	int r;

	if (bytes->size > UINT32_MAX)
		return -E2BIG;
	/* 16: a gzip header */
	if (deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	bound = deflateBound(&z, bytes->size);
	z.next_out = buf_reserve(out, bound);
	z.avail_out = (uInt)bound;
	r = z.next_out && deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -ENOMEM;
	if (r == 0)
		out->size += z.total_out;
	deflateEnd(&z);
	return r;
}
