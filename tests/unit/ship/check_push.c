/* SPDX-License-Identifier: BSD-2-Clause */
#include <jansson.h>
#include <math.h>
#include <zlib.h>

#include "../format/known.h"
#include "check_main.h"
#include "format/decode.h"
#include "otlp.pb-c.h"
#include "pprof.pb-c.h"
#include "ship/push.h"

static struct push_request requests[4096];
static uint32_t nrequests;
static struct profile *window;
static const struct push_from here = { .host = "web1", .region = "" };

static void forget(void)
{
	while (nrequests)
		push_request_done(&requests[--nrequests]);
}

static void setup(void)
{
	ck_assert_int_eq(profile_new(KNOWN_START, 100, &window), 0);
	window->end_ns = KNOWN_END;
}

static void teardown(void)
{
	forget();
	profile_free(window);
}

static uint32_t process(pid_t pid, const char *service, const char *version)
{
	struct process_info info = known_process(pid, "python3");
	uint32_t id;

	info.service = (char *)service;
	info.version = (char *)version;
	ck_assert_int_eq(profile_process(window, &info, "3.11.2", &id), 0);
	return id;
}

/* Samples of a stack of its own, of n functions whose names are so long. */
static void add(uint32_t id, uint32_t thread, unsigned int stack, int length, uint64_t count)
{
	uint32_t frames[2];
	char name[4096];

	snprintf(name, sizeof(name), "f%u_%0*d", stack, length, 0);
	frames[0] = known_frame(window, "<module>", "/srv/app.py", 1, 7);
	frames[1] = known_frame(window, name, "/srv/app.py", 10, 11);
	known_add(window, id, thread, frames, 2, count);
}

static void make_weighted(enum push_store store, const struct push_weights *weights)
{
	struct push *p;

	forget();
	ck_assert_int_eq(push_new(store, window, weights, &here, &p), 0);
	for (uint32_t row = 0; row < push_rows(p); row += requests[nrequests++].rows) {
		ck_assert_uint_lt(nrequests, ARRAY_SIZE(requests));
		ck_assert_int_eq(push_request(p, row, UINT32_MAX, &requests[nrequests]), 0);
	}
	push_free(p);
}

static void make(enum push_store store)
{
	make_weighted(store, NULL);
}

/* Unpacks gzip into room bytes; how many there were. */
static size_t unzip(const struct buf *b, uint8_t *raw, size_t room)
{
	z_stream z = { .next_in = (unsigned char *)b->data,
		       .avail_in = (unsigned int)b->size,
		       .next_out = raw,
		       .avail_out = (unsigned int)room };

	ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
	ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	return room - z.avail_out;
}

#define ROOM (16u << 20)
static uint64_t samples_of_pprof(const void *data, size_t size, uint32_t *ret_n)
{
	struct decoded d = {};
	char why[DECODE_WHY_MAX];
	uint64_t total;

	ck_assert_int_eq(profile_decode(data, size, &d, why), 0);
	total = d.profile->samples_total;
	*ret_n = d.profile->nsamples;
	profile_free(d.profile);
	return total;
}

/* Each table's first entry is empty, and no index is beyond a table. */
static uint64_t samples_of_otlp(const struct push_request *q, uint32_t *ret_n)
{
	_cleanup_free_ uint8_t *raw = malloc(ROOM);
	size_t size = unzip(&q->body, raw, ROOM);
	Plop__Otlp__Request *m = plop__otlp__request__unpack(NULL, size, raw);
	uint64_t total = 0;

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_le(size, PUSH_BYTES);
	ck_assert_uint_eq(m->n_resources, 1);
	ck_assert_uint_eq(m->resources[0]->n_scopes, 1);
	Plop__Otlp__Dictionary *d =
		plop__otlp__dictionary__unpack(NULL, m->dictionary.len, m->dictionary.data);
	const ProtobufCBinaryData *packed = &m->resources[0]->scopes[0]->profile;
	Plop__Otlp__Profile *p = plop__otlp__profile__unpack(NULL, packed->len, packed->data);
	ck_assert(d && p);
	ck_assert_str_eq(d->strings[0], "");
	ck_assert(d->n_links == 1 && !d->stacks[0]->n_locations && !d->locations[0]->n_lines);
	ck_assert(!d->functions[0]->name && !d->attributes[0]->key && !d->attributes[0]->value);
	ck_assert(!d->mappings[0]->file_name);
	for (size_t i = 1; i < d->n_stacks; i++)
		for (size_t k = 0; k < d->stacks[i]->n_locations; k++)
			ck_assert_uint_lt((size_t)d->stacks[i]->locations[k] - 1,
					  d->n_locations - 1);
	for (size_t i = 1; i < d->n_locations; i++)
		ck_assert_uint_lt((size_t)d->locations[i]->lines[0]->function - 1,
				  d->n_functions - 1);
	for (size_t i = 0; i < p->n_samples; i++) {
		const Plop__Otlp__Sample *s = p->samples[i];

		ck_assert_uint_lt((size_t)s->stack - 1, d->n_stacks - 1);
		ck_assert_uint_eq(s->n_values, 1);
		for (size_t k = 0; k < s->n_attributes; k++)
			ck_assert_uint_lt((size_t)s->attributes[k] - 1, d->n_attributes - 1);
		total += (uint64_t)s->values[0];
	}
	ck_assert_uint_eq(p->id.len, 16);
	*ret_n = (uint32_t)p->n_samples;
	plop__otlp__profile__free_unpacked(p, NULL);
	plop__otlp__dictionary__free_unpacked(d, NULL);
	plop__otlp__request__free_unpacked(m, NULL);
	return total;
}

static int digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	return c == '=' ? 0 : (int)(strchr(digits, c) - digits);
}

/* What Parca would get: labels as "k=v,", in their order, and the profile. */
static void parca(const struct push_request *q, struct buf *labels, struct buf *profile)
{
	json_t *m = json_loadb(q->body.data, q->body.size, 0, NULL), *series, *value;
	const char *base64;
	size_t i, n;

	ck_assert_ptr_nonnull(m);
	series = json_array_get(json_object_get(m, "series"), 0);
	json_array_foreach(json_object_get(json_object_get(series, "labels"), "labels"), i, value)
	{
		buf_printf(labels, "%s=%s,", json_string_value(json_object_get(value, "name")),
			   json_string_value(json_object_get(value, "value")));
	}
	value = json_array_get(json_object_get(series, "samples"), 0);
	base64 = json_string_value(json_object_get(value, "rawProfile"));
	ck_assert_ptr_nonnull(base64);
	n = strlen(base64);
	ck_assert_uint_eq(n % 4, 0);
	for (i = 0; i < n; i += 4) {
		int v = digit(base64[i]) << 18 | digit(base64[i + 1]) << 12 |
			digit(base64[i + 2]) << 6 | digit(base64[i + 3]);
		int bytes = base64[i + 2] == '=' ? 1 : base64[i + 3] == '=' ? 2 : 3;

		for (int k = 0; k < bytes; k++)
			buf_putc(profile, (char)(v >> (16 - 8 * k)));
	}
	json_decref(m);
}

/* What a request has, which is within the bounds. */
static uint64_t look(enum push_store store, const struct push_request *q)
{
	_cleanup_buf_ struct buf labels = {}, profile = {};
	uint64_t total;
	uint32_t n;

	if (store == PUSH_OTLP) {
		total = samples_of_otlp(q, &n);
	} else if (store == PUSH_PARCA) {
		parca(q, &labels, &profile);
		total = samples_of_pprof(profile.data, profile.size, &n);
	} else {
		total = samples_of_pprof(q->body.data, q->body.size, &n);
	}
	ck_assert_uint_le(n, PUSH_SAMPLES);
	ck_assert_uint_eq(total, q->samples);
	return total;
}

static void no_sum_changes(uint32_t least)
{
	for (enum push_store store = 0; store < PUSH_STORES; store++) {
		uint64_t total = 0;

		make(store);
		ck_assert_uint_ge(nrequests, least);
		for (uint32_t i = 0; i < nrequests; i++)
			total += look(store, &requests[i]);
		ck_assert_uint_eq(total, window->samples_total);
	}
}

/* A request for each service and version; threads are one. */
START_TEST(by_service)
{
	uint32_t shop = process(1, "shop", "7"), other = process(2, "shop", "8"),
		 again = process(3, "shop", "7"), none = process(4, "", "");

	add(shop, 1, 1, 0, 3);
	add(shop, 2, 1, 0, 4);
	add(other, 9, 2, 0, 5);
	add(again, 3, 1, 0, 6);
	add(none, 4, 1, 0, 7);
	no_sum_changes(3);
	make(PUSH_PYROSCOPE);
	ck_assert_uint_eq(nrequests, 3);
	ck_assert_str_eq(requests[0].path,
			 "/ingest?name=unknown_service%7Bhost%3Dweb1%7D&from=1700000000&"
			 "until=1700000031&format=pprof&sampleRate=100&spyName=plop");
	ck_assert_uint_eq(requests[0].samples, 7);
	ck_assert_str_eq(requests[1].path,
			 "/ingest?name=shop%7Bhost%3Dweb1%2Cversion%3D7%7D&from=1700000000&"
			 "until=1700000031&format=pprof&sampleRate=100&spyName=plop");
	ck_assert_uint_eq(requests[1].samples, 13);
	make(PUSH_COROOT);
	ck_assert_str_eq(requests[2].path,
			 "/v1/profiles?service.name=shop&service.version=8&host.name=web1");
	make(PUSH_OTLP);
	ck_assert_str_eq(requests[0].path, "/v1development/profiles");
	ck_assert(requests[0].gzip);
}
END_TEST

START_TEST(labels_of_parca)
{
	_cleanup_buf_ struct buf labels = {}, profile = {};

	add(process(1, "shop", "7"), 1, 1, 0, 3);
	make(PUSH_PARCA);
	ck_assert_str_eq(requests[0].path, "/api/profiles/writeraw");
	ck_assert_str_eq(requests[0].content_type, "application/json");
	parca(&requests[0], &labels, &profile);
	buf_putc(&labels, '\0');
	ck_assert_str_eq(labels.data, "__name__=process_cpu,host=web1,service=shop,version=7,");
}
END_TEST

/* What is more than a store takes is sent in parts. */
START_TEST(many_samples)
{
	uint32_t id = process(1, "shop", "");

	for (unsigned int i = 0; i < 2 * PUSH_SAMPLES + 1; i++)
		add(id, 1, i, 0, 1 + i % 3);
	no_sum_changes(3);
}
END_TEST

START_TEST(many_bytes)
{
	uint32_t id = process(1, "shop", "");

	for (unsigned int i = 0; i < 3000; i++)
		add(id, 1, i, 4000, 1);
	no_sum_changes(3);
}
END_TEST

/* Another one's words are no syntax, and a label has an end. */
START_TEST(hostile_names)
{
	char service[3 * PUSH_LABEL] = "a{x=1},b&name=c#\n\xff";

	for (size_t i = strlen(service); i + 3 < sizeof(service); i += 2)
		memcpy(service + i, "\xc3\xa4", 3);
	add(process(1, service, HOSTILE_QUOTES), 1, 1, 0, 1);
	no_sum_changes(1);
	make(PUSH_PYROSCOPE);
	ck_assert_ptr_nonnull(strstr(requests[0].path, "?name=a_x_1__b_name_c________"));
	ck_assert_ptr_nonnull(strstr(requests[0].path,
				     "___%7Bhost%3Dweb1%2Cservice_name%3Da_x_1__b%26name_c%23%0A%"
				     "EF%BF%BD%C3%A4%C3%A4"));
	ck_assert_uint_lt(strlen(requests[0].path), 4 * PUSH_LABEL + 256);
	ck_assert_ptr_nonnull(strstr(requests[0].path, "%C3%A4%2Cversion%3Dit"));
}
END_TEST

START_TEST(the_same_again)
{
	struct push_request first;

	add(process(1, "shop", "7"), 1, 1, 0, 3);
	for (enum push_store store = 0; store < PUSH_STORES; store++) {
		make(store);
		first = requests[0];
		nrequests = 0;
		make(store);
		ck_assert_str_eq(requests[0].path, first.path);
		ck_assert_uint_eq(requests[0].body.size, first.body.size);
		ck_assert_mem_eq(requests[0].body.data, first.body.data, first.body.size);
		push_request_done(&first);
	}
}
END_TEST

/* From any row on, and of no more rows than are asked for: what is in the parts is the whole. */
START_TEST(parts_of_rows)
{
	uint32_t id = process(1, "shop", "7"), other = process(2, "till", "");
	struct push_request q;
	uint64_t total = 0;
	struct push *p;

	for (unsigned int i = 0; i < 100; i++)
		add(i < 70 ? id : other, 1, i, 0, 1 + i);
	ck_assert_int_eq(push_new(PUSH_PARCA, window, NULL, &here, &p), 0);
	for (uint32_t row = 0; row < push_rows(p);) {
		ck_assert_int_eq(push_request(p, row, 32, &q), 0);
		ck_assert(q.rows && q.rows <= 32 && q.counted == q.samples);
		row += q.rows;
		total += q.samples;
		/* no part has two services */
		ck_assert(row <= 70 || row - q.rows >= 70);
		push_request_done(&q);
	}
	ck_assert_uint_eq(total, window->samples_total);
	push_free(p);
}
END_TEST

/* Of one stack in two processes, and in two states: a sample, which OTLP has for each. */
START_TEST(processes_are_added_up)
{
	uint32_t a = process(1, "shop", "7"), b = process(2, "shop", "7"), n = 0;
	_cleanup_buf_ struct buf labels = {}, profile = {};

	add(a, 1, 1, 0, 3);
	add(b, 2, 1, 0, 4);
	ck_assert_int_eq(profile_add_state(window, a, 1, window->samples[0].stack, SAMPLE_GIL_HELD,
					   5, 0),
			 0);
	make(PUSH_PYROSCOPE);
	ck_assert_uint_eq(samples_of_pprof(requests[0].body.data, requests[0].body.size, &n), 12);
	ck_assert_uint_eq(n, 1);
	make(PUSH_PARCA);
	parca(&requests[0], &labels, &profile);
	ck_assert_uint_eq(samples_of_pprof(profile.data, profile.size, &n), 12);
	ck_assert_uint_eq(n, 1);
	make(PUSH_OTLP);
	ck_assert_uint_eq(samples_of_otlp(&requests[0], &n), 12);
	ck_assert_uint_eq(n, 3);
	/* where each row is a request, no two are alike, as a retry would be */
	for (enum push_store store = 0; store < PUSH_STORES; store++) {
		_cleanup_(push_freep) struct push *p = NULL;

		ck_assert_int_eq(push_new(store, window, NULL, &here, &p), 0);
		ck_assert_uint_eq(push_rows(p), store == PUSH_OTLP ? 3 : 1);
	}
}
END_TEST

/* Whole weights are exact; what is left out is not there, and takes nothing from the others. */
START_TEST(whole_weights)
{
	uint32_t a = process(1, "a", ""), b = process(2, "b", "");
	const uint64_t weights[] = { [0] = 10 * 1000000, [1] = 0 };

	add(a, 1, 1, 0, 3);
	add(b, 1, 2, 0, 5);
	ck_assert(a == 0 && b == 1);
	make_weighted(PUSH_COROOT, &(struct push_weights){ weights, 999999 });
	ck_assert_uint_eq(nrequests, 1);
	ck_assert_uint_eq(requests[0].samples, 30);
	ck_assert_uint_eq(requests[0].counted, 3);
	ck_assert_uint_eq(look(PUSH_COROOT, &requests[0]), 30);
}
END_TEST

/*
 * Of weights that are not whole: over all fractions that can be drawn each row is what it should
 * be, and whichever is drawn, all rows together are less than one away from it.
 */
START_TEST(weights_are_unbiased)
{
	enum { ROWS = 7, DRAWS = 100 };
	const uint64_t weights[] = { 3333333 };
	uint64_t sums[ROWS] = {};
	uint32_t id = process(1, "a", "");
	struct push_request q;
	struct push *p;

	for (unsigned int i = 0; i < ROWS; i++)
		add(id, 1, i, 0, i * i + 1);
	for (uint64_t draw = 0; draw < DRAWS; draw++) {
		const struct push_weights w = { weights, draw * (1000000 / DRAWS) };
		double total = 0, exact = (double)window->samples_total * 3.333333;

		ck_assert_int_eq(push_new(PUSH_OTLP, window, &w, &here, &p), 0);
		for (uint32_t row = 0; row < ROWS; row++) {
			ck_assert_int_eq(push_request(p, row, 1, &q), 0);
			sums[row] += q.samples;
			total += (double)q.samples;
			push_request_done(&q);
		}
		ck_assert(fabs(total - exact) < 1);
		push_free(p);
	}
	for (unsigned int i = 0; i < ROWS; i++)
		ck_assert_double_eq_tol((double)sums[i] / DRAWS, (i * i + 1) * 3.333333,
					2.0 / DRAWS);
}
END_TEST

/* Coroot: CPU time alone, by the name that it knows, of a time that it takes for the end. */
START_TEST(profiles_of_coroot)
{
	static const char type[] = "ebpf:cpu:nanoseconds";
	_cleanup_free_ uint8_t *raw = malloc(ROOM);
	Plop__Pprof__Profile *m;

	add(process(1, "shop", "7"), 1, 1, 0, 3);
	make(PUSH_COROOT);
	m = plop__pprof__profile__unpack(NULL, unzip(&requests[0].body, raw, ROOM), raw);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->n_sample_types, 1);
	ck_assert_str_eq(m->strings[m->sample_types[0]->type], type);
	ck_assert_int_eq(m->time_nanos, KNOWN_END);
	ck_assert_int_eq(m->duration_nanos, KNOWN_END - KNOWN_START);
	ck_assert_uint_eq(m->samples[0]->n_values, 1);
	ck_assert_int_eq(m->samples[0]->values[0], 30000000);
	plop__pprof__profile__free_unpacked(m, NULL);
}
END_TEST

START_TEST(nothing)
{
	make(PUSH_OTLP);
	ck_assert_uint_eq(nrequests, 0);
}
END_TEST

CHECK_MAIN_WITH("ship/push", setup, teardown, by_service, labels_of_parca, many_samples, many_bytes,
		hostile_names, the_same_again, parts_of_rows, processes_are_added_up, whole_weights,
		weights_are_unbiased, profiles_of_coroot, nothing);
