/* SPDX-License-Identifier: BSD-2-Clause */
#include "ship/push.h"

#include "format/format.h"
#include "http/exchange.h"
#include "ship/push_part.h"
#include "util/array.h"
#include "util/json.h"
#include "util/utf8.h"

/* A window that is being split. */
struct split {
	enum push_store store;
	const struct profile *window;
	const struct push_from *from;
	struct profile_sample *samples; /* in order of by_service() */
	struct push_requests requests;
	uint32_t parts;
};

static void request_done(struct push_request *q)
{
	free(q->path);
	buf_free(&q->body);
	*q = (struct push_request){};
}

void push_requests_done(struct push_requests *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		request_done(&r->items[i]);
	free(r->items);
	*r = (struct push_requests){};
}

static void split_done(struct split *s)
{
	push_requests_done(&s->requests);
	free(s->samples);
}

/* A label's value as it is sent; NULL: out of memory. Owned by the caller. */
static char *label(const char *value)
{
	char *text = utf8_clean(value);
	size_t n = text ? strlen(text) : 0;

	if (n <= PUSH_LABEL)
		return text;
	for (n = PUSH_LABEL; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
		n--;
	text[n] = '\0';
	return text;
}

/* As part of NAME{KEY=VALUE,...}, in which nothing can be escaped. */
static int put_segment(struct buf *b, const char *text)
{
	_cleanup_free_ char *s = strdup(text);

	if (!s)
		return -ENOMEM;
	for (char *p = s; *p; p++)
		if (strchr("{},=", *p))
			*p = '_';
	http_escape(b, s);
	return 0;
}

/* The labels of a series, by name; "": it has none of that. */
struct series {
	const char *key, *value;
};
#define SERIES 4
static void series_of(const struct push_part *p, struct series ret[SERIES])
{
	ret[0] = (struct series){ "host", p->from->host };
	ret[1] = (struct series){ "region", p->from->region };
	ret[2] = (struct series){ "service", p->service };
	ret[3] = (struct series){ "version", p->version };
}

static int pyroscope_path(const struct push_part *p, struct buf *b)
{
	struct series all[SERIES];
	int r;

	series_of(p, all);
	buf_puts(b, "/ingest?name=");
	r = put_segment(b, p->service);
	for (size_t i = 0, n = 0; r == 0 && i < SERIES; i++) {
		_cleanup_free_ char *value = label(all[i].value);

		/* the name is the service already */
		if (!*all[i].value || streq(all[i].key, "service"))
			continue;
		if (!value)
			return -ENOMEM;
		buf_puts(b, n++ ? "%2C" : "%7B");
		buf_printf(b, "%s%%3D", all[i].key);
		r = put_segment(b, value);
	}
	if (*p->from->host || *p->from->region || *p->version)
		buf_puts(b, "%7D");
	buf_printf(b, "&from=%llu&until=%llu&format=pprof&sampleRate=%u&spyName=plop",
		   (unsigned long long)(p->profile->start_ns / NSEC_PER_SEC),
		   (unsigned long long)((p->profile->end_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC),
		   MAX(p->profile->hz, 1u));
	return r;
}

static void put_key(struct buf *b, char separator, const char *key, const char *value)
{
	if (!*value)
		return;
	buf_printf(b, "%c%s=", separator, key);
	http_escape(b, value);
}

static void coroot_path(const struct push_part *p, struct buf *b)
{
	buf_puts(b, "/v1/profiles");
	put_key(b, '?', "service.name", p->service);
	put_key(b, '&', "service.version", p->version);
	put_key(b, '&', "host.name", p->from->host);
	put_key(b, '&', "region", p->from->region);
}

static void put_base64(struct buf *b, const struct buf *from)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = (const unsigned char *)from->data;

	for (size_t i = 0; i < from->size; i += 3) {
		size_t left = from->size - i;
		unsigned int v = in[i] << 16 | (left > 1 ? in[i + 1] << 8 : 0) |
				 (left > 2 ? in[i + 2] : 0);
		const char four[] = { digits[v >> 18], digits[v >> 12 & 63],
				      left > 1 ? digits[v >> 6 & 63] : '=',
				      left > 2 ? digits[v & 63] : '=' };

		buf_append(b, four, sizeof(four));
	}
}

static void put_label(struct json_writer *w, const char *name, const char *value)
{
	if (!*value)
		return;
	json_put_object(w, NULL);
	json_put_string(w, "name", name);
	json_put_string(w, "value", value);
	json_put_end(w);
}

/* The message of WriteRaw as JSON; its labels have names that Prometheus takes, in their order. */
static int parca_body(const struct push_part *p, const struct buf *profile, struct buf *body)
{
	_cleanup_buf_ struct buf base64 = {};
	struct json_writer w = json_writer_on(body);
	struct series all[SERIES];

	series_of(p, all);
	put_base64(&base64, profile);
	if (base64.error)
		return base64.error;
	json_put_object(&w, NULL);
	json_put_array(&w, "series");
	json_put_object(&w, NULL);
	json_put_object(&w, "labels");
	json_put_array(&w, "labels");
	put_label(&w, "__name__", "process_cpu");
	for (size_t i = 0; i < SERIES; i++) {
		_cleanup_free_ char *value = label(all[i].value);

		if (!value)
			return -ENOMEM;
		put_label(&w, all[i].key, value);
	}
	json_put_end(&w);
	json_put_end(&w);
	json_put_array(&w, "samples");
	json_put_object(&w, NULL);
	json_put_text(&w, "rawProfile", base64.data, base64.size);
	json_put_end(&w);
	json_put_end(&w);
	json_put_end(&w);
	json_put_end(&w);
	json_put_end(&w);
	return json_writer_done(&w);
}

/* What gzip says at its end of how much there was before. */
static size_t before_gzip(const struct buf *b)
{
	const unsigned char *end = (const unsigned char *)b->data + b->size;

	return end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;
}

static int pprof_request(const struct split *s, const struct push_part *p, struct push_request *ret,
			 size_t *ret_raw)
{
	_cleanup_buf_ struct buf profile = {}, path = {};
	int r = format_find("pprof")->encode(p->profile, &profile);

	if (r < 0)
		return r;
	*ret_raw = before_gzip(&profile);
	ret->content_type = "application/octet-stream";
	if (s->store == PUSH_PYROSCOPE) {
		r = pyroscope_path(p, &path);
	} else if (s->store == PUSH_COROOT) {
		coroot_path(p, &path);
	} else {
		buf_puts(&path, "/api/profiles/writeraw");
		ret->content_type = "application/json";
		r = parca_body(p, &profile, &ret->body);
	}
	if (r == 0 && s->store != PUSH_PARCA) {
		ret->body = profile;
		profile = (struct buf){};
	}
	ret->path = r == 0 ? buf_string(&path) : NULL;
	return r < 0 ? r : ret->path ? 0 : -ENOMEM;
}

static int compare_texts(const struct process_info *a, const struct process_info *b)
{
	int r = strcmp(a->service, b->service);

	return r != 0 ? r : strcmp(a->version, b->version);
}

static int by_service(const void *pa, const void *pb, void *ctx)
{
	const struct profile_sample *a = pa, *b = pb;
	const struct profile *window = ctx;
	int r = compare_texts(&window->processes[a->process].info,
			      &window->processes[b->process].info);

	if (r != 0)
		return r;
	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	if (a->stack != b->stack)
		return a->stack < b->stack ? -1 : 1;
	return a->state < b->state ? -1 : a->state > b->state;
}

/* The samples from first on, n of them, as a profile. */
static int part_new(const struct split *s, uint32_t first, uint32_t n, struct profile **ret)
{
	_cleanup_(profile_freep) struct profile *to = NULL;
	struct profile view = *s->window;
	int r = profile_new(s->window->start_ns, s->window->hz, &to);

	if (r < 0)
		return r;
	view.samples = s->samples + first;
	view.nsamples = n;
	r = profile_merge(to, &view);
	if (r == 0)
		*ret = TAKE_PTR(to);
	return r;
}

static int add_request(struct split *s, struct push_request *q)
{
	void *array = s->requests.items;
	int r = array_reserve(&array, s->requests.n, &s->requests.room, sizeof(*q));

	if (r < 0)
		return r;
	s->requests.items = array;
	s->requests.items[s->requests.n++] = *q;
	*q = (struct push_request){};
	return 0;
}

/* Of one service and version. What is too large is two: of each half. */
static int add_part(struct split *s, uint32_t first, uint32_t n)
{
	const struct process_info *info = &s->window->processes[s->samples[first].process].info;
	_cleanup_free_ char *service = label(*info->service ? info->service : PUSH_UNKNOWN),
			    *version = label(info->version);
	_cleanup_(request_done) struct push_request request = {};
	_cleanup_(profile_freep) struct profile *profile = NULL;
	struct push_part part = { .from = s->from, .service = service, .version = version };
	bool fits;
	size_t raw;
	int r;

	if (!service || !version)
		return -ENOMEM;
	r = part_new(s, first, n, &profile);
	if (r < 0)
		return r;
	part.profile = profile;
	part.number = s->parts;
	fits = profile->nsamples <= PUSH_SAMPLES;
	if (fits || n == 1) {
		r = s->store == PUSH_OTLP ? push_otlp_encode(&part, &request, &raw) :
					    pprof_request(s, &part, &request, &raw);
		if (r < 0)
			return r;
		fits = raw <= PUSH_BYTES || n == 1;
	}
	if (!fits) {
		profile_free(TAKE_PTR(profile));
		request_done(&request);
		r = add_part(s, first, n / 2);
		return r < 0 ? r : add_part(s, first + n / 2, n - n / 2);
	}
	request.samples = profile->samples_total;
	s->parts++;
	return add_request(s, &request);
}

int push_make(enum push_store store, const struct profile *window, const struct push_from *from,
	      struct push_requests *ret)
{
	_cleanup_(split_done) struct split s = { .store = store, .window = window, .from = from };
	int r = 0;

	s.samples = calloc((size_t)window->nsamples + 1, sizeof(*s.samples));
	if (!s.samples)
		return -ENOMEM;
	for (uint32_t i = 0; i < window->nsamples; i++) {
		s.samples[i] = window->samples[i];
		s.samples[i].thread = 0;
	}
	qsort_r(s.samples, window->nsamples, sizeof(*s.samples), by_service, (void *)window);
	for (uint32_t first = 0, end; r == 0 && first < window->nsamples; first = end) {
		const struct process_info *info = &window->processes[s.samples[first].process].info;

		for (end = first + 1; end < window->nsamples; end++)
			if (compare_texts(info, &window->processes[s.samples[end].process].info))
				break;
		r = add_part(&s, first, end - first);
	}
	if (r < 0)
		return r;
	*ret = s.requests;
	s.requests = (struct push_requests){};
	return 0;
}
