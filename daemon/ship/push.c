/* SPDX-License-Identifier: BSD-2-Clause */
#include "ship/push.h"

#include <ctype.h>

#include "format/encoders.h"
#include "http/exchange.h"
#include "ship/plan.h"
#include "ship/push_part.h"
#include "util/json.h"
#include "util/utf8.h"

struct push {
	enum push_store store;
	const struct profile *window;
	struct push_from from;
	struct profile_sample *rows; /* in order of by_service(), each as it weighs */
	uint32_t n;
	uint64_t *before; /* samples as they were counted, of all rows before */
};

void push_request_done(struct push_request *q)
{
	free(q->path);
	buf_free(&q->body);
	*q = (struct push_request){};
}

void push_free(struct push *p)
{
	free(p->rows);
	free(p->before);
	free(p);
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

/*
 * What is NAME{...} in whole: Pyroscope refuses other names (api/model/labelset). False: it is not
 * what the service is called, which a label has to tell then.
 */
static bool put_name(struct buf *b, const char *service)
{
	bool same = true;

	for (; *service; service++) {
		bool good = isalnum((unsigned char)*service) || strchr("-./_", *service);

		if (good)
			buf_append(b, service, 1);
		else
			buf_puts(b, "_");
		same = same && good;
	}
	return same;
}

static int pyroscope_path(const struct push_part *p, struct buf *b)
{
	struct series all[SERIES];
	bool named;
	int r = 0;
	size_t n = 0;

	series_of(p, all);
	buf_puts(b, "/ingest?name=");
	named = put_name(b, p->service);
	for (size_t i = 0; r == 0 && i < SERIES; i++) {
		_cleanup_free_ char *value = label(all[i].value);
		bool service = streq(all[i].key, "service");

		if (!*all[i].value || (service && named))
			continue;
		if (!value)
			return -ENOMEM;
		buf_puts(b, n++ ? "%2C" : "%7B");
		buf_printf(b, "%s%%3D", service ? "service_name" : all[i].key);
		r = put_segment(b, value);
	}
	buf_puts(b, n ? "%7D" : "");
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

/* Coroot takes the time that a profile has for its end, and begins so much earlier. */
static int coroot_body(const struct push_part *p, struct buf *body)
{
	struct profile view = *p->profile;
	uint64_t length = view.end_ns > view.start_ns ? view.end_ns - view.start_ns : 0;

	view.start_ns += length;
	view.end_ns += length;
	/* the types that it has a name for are in model/profile.go */
	return pprof_encode_bare(&view, "ebpf:cpu:nanoseconds", body);
}

static int pprof_request(enum push_store store, const struct push_part *p, struct push_request *ret,
			 size_t *ret_raw)
{
	_cleanup_buf_ struct buf profile = {}, path = {};
	int r = store == PUSH_COROOT ? coroot_body(p, &profile) :
				       pprof_encode_bare(p->profile, NULL, &profile);

	if (r < 0)
		return r;
	*ret_raw = before_gzip(&profile);
	ret->content_type = "application/octet-stream";
	if (store == PUSH_PYROSCOPE) {
		r = pyroscope_path(p, &path);
	} else if (store == PUSH_COROOT) {
		coroot_path(p, &path);
	} else {
		buf_puts(&path, "/api/profiles/writeraw");
		ret->content_type = "application/json";
		r = parca_body(p, &profile, &ret->body);
	}
	if (r == 0 && store != PUSH_PARCA) {
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

/* Rows that a store tells apart differ: in OTLP a sample tells its process and what it did. */
static int by_service(const void *pa, const void *pb, void *ctx)
{
	const struct profile_sample *a = pa, *b = pb;
	const struct push *p = ctx;
	int r = compare_texts(&p->window->processes[a->process].info,
			      &p->window->processes[b->process].info);

	if (r != 0)
		return r;
	if (p->store == PUSH_OTLP && a->process != b->process)
		return a->process < b->process ? -1 : 1;
	if (a->stack != b->stack)
		return a->stack < b->stack ? -1 : 1;
	if (p->store == PUSH_OTLP && a->state != b->state)
		return a->state < b->state ? -1 : 1;
	return 0;
}

/* Each is there once: of two that are alike, each in a request, one would look like a retry. */
static void add_rows_up(struct push *p, const struct push_weights *weights)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		struct profile_sample *last = n ? &p->rows[n - 1] : NULL;
		const struct profile_sample *s = &p->rows[i];

		if (last && by_service(last, s, p) == 0 &&
		    (!weights ||
		     weights->processes[last->process] == weights->processes[s->process]))
			last->count += s->count; /* windows have no time off CPU */
		else
			p->rows[n++] = *s;
	}
	p->n = n;
}

/*
 * Each row as it weighs. What is left of a sample goes on to the next row, and the first one begins
 * with a fraction that was drawn: so each row is what it should be in expectation, and all together
 * are less than one away from it.
 */
static void weigh_rows(struct push *p, const struct push_weights *weights)
{
	uint64_t left = weights ? weights->fraction % SHIP_MILLION : 0;

	for (uint32_t i = 0; i < p->n; i++) {
		struct profile_sample *s = &p->rows[i];
		uint64_t weight = weights ? weights->processes[s->process] : SHIP_MILLION;
		uint64_t parts = s->count * (weight % SHIP_MILLION) + left;

		p->before[i + 1] = p->before[i] + s->count;
		s->count = s->count * (weight / SHIP_MILLION) + parts / SHIP_MILLION;
		left = parts % SHIP_MILLION;
	}
}

int push_new(enum push_store store, const struct profile *window,
	     const struct push_weights *weights, const struct push_from *from, struct push **ret)
{
	_cleanup_(push_freep) struct push *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->store = store;
	p->window = window;
	p->from = *from;
	p->rows = calloc((size_t)window->nsamples + 1, sizeof(*p->rows));
	p->before = calloc((size_t)window->nsamples + 1, sizeof(*p->before));
	if (!p->rows || !p->before)
		return -ENOMEM;
	for (uint32_t i = 0; i < window->nsamples; i++) {
		if (weights && !weights->processes[window->samples[i].process])
			continue;
		p->rows[p->n] = window->samples[i];
		p->rows[p->n++].thread = 0;
	}
	qsort_r(p->rows, p->n, sizeof(*p->rows), by_service, p);
	add_rows_up(p, weights);
	weigh_rows(p, weights);
	*ret = TAKE_PTR(p);
	return 0;
}

uint32_t push_rows(const struct push *p)
{
	return p->n;
}

/*
 * The rows from first on, n of them, as a profile. In OTLP a sample tells its process; elsewhere
 * these are added up.
 */
static int part_new(const struct push *p, uint32_t first, uint32_t n, struct profile **ret)
{
	_cleanup_free_ struct profile_sample *rows = calloc(n, sizeof(*rows));
	_cleanup_(profile_freep) struct profile *to = NULL;
	struct profile view = *p->window;
	int r = profile_new(p->window->start_ns, p->window->hz, &to);

	if (r < 0 || !rows)
		return r < 0 ? r : -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		rows[i] = p->rows[first + i];
		if (p->store == PUSH_OTLP)
			continue;
		rows[i].process = p->rows[first].process;
		rows[i].state = SAMPLE_PLAIN;
	}
	view.samples = rows;
	view.nsamples = n;
	r = profile_merge(to, &view);
	if (r == 0)
		*ret = TAKE_PTR(to);
	return r;
}

static const struct process_info *info_of(const struct push *p, uint32_t row)
{
	return &p->window->processes[p->rows[row].process].info;
}

/* 1: it is within the bounds; 0: fewer rows may be, and *ret is as it was. */
static int try_part(const struct push *p, struct push_part *part, uint32_t n,
		    struct push_request *ret)
{
	_cleanup_(push_request_done) struct push_request request = {};
	_cleanup_(profile_freep) struct profile *profile = NULL;
	size_t raw;
	int r = part_new(p, part->first, n, &profile);

	if (r < 0)
		return r;
	if (profile->nsamples > PUSH_SAMPLES && n > 1)
		return 0;
	part->profile = profile;
	part->rows = n;
	r = p->store == PUSH_OTLP ? push_otlp_encode(part, &request, &raw) :
				    pprof_request(p->store, part, &request, &raw);
	part->profile = NULL;
	if (r < 0)
		return r;
	if (raw > PUSH_BYTES && n > 1)
		return 0;
	request.rows = n;
	request.samples = profile->samples_total;
	request.counted = p->before[part->first + n] - p->before[part->first];
	*ret = request;
	request = (struct push_request){};
	return 1;
}

int push_request(const struct push *p, uint32_t first, uint32_t most, struct push_request *ret)
{
	const struct process_info *info = info_of(p, first);
	_cleanup_free_ char *service = label(*info->service ? info->service : PUSH_UNKNOWN),
			    *version = label(info->version);
	struct push_part part = {
		.from = &p->from, .service = service, .version = version, .first = first
	};
	uint32_t n = 1;
	int r = 0;

	if (!service || !version)
		return -ENOMEM;
	while (first + n < p->n && n < MAX(most, 1u) &&
	       compare_texts(info, info_of(p, first + n)) == 0)
		n++;
	for (; r == 0; n = (n + 1) / 2)
		r = try_part(p, &part, n, ret);
	return r < 0 ? r : 0;
}
