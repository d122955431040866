/* SPDX-License-Identifier: BSD-2-Clause */
#include <jansson.h>
#include <zlib.h>

#include "../format/known.h"
#include "check_main.h"
#include "format/decode.h"
#include "otlp.pb-c.h"
#include "ship/push.h"

static struct push_requests all;
static struct profile *window;
static const struct push_from here = { .host = "web1", .region = "" };

static void setup(void)
{
	ck_assert_int_eq(profile_new(KNOWN_START, 100, &window), 0);
	window->end_ns = KNOWN_END;
}

static void teardown(void)
{
	push_requests_done(&all);
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

static void make(enum push_store store)
{
	push_requests_done(&all);
	ck_assert_int_eq(push_make(store, window, &here, &all), 0);
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
		ck_assert_uint_ge(all.n, least);
		for (uint32_t i = 0; i < all.n; i++)
			total += look(store, &all.items[i]);
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
	ck_assert_uint_eq(all.n, 3);
	ck_assert_str_eq(all.items[0].path,
			 "/ingest?name=unknown_service%7Bhost%3Dweb1%7D&from=1700000000&"
			 "until=1700000031&format=pprof&sampleRate=100&spyName=plop");
	ck_assert_uint_eq(all.items[0].samples, 7);
	ck_assert_str_eq(all.items[1].path,
			 "/ingest?name=shop%7Bhost%3Dweb1%2Cversion%3D7%7D&from=1700000000&"
			 "until=1700000031&format=pprof&sampleRate=100&spyName=plop");
	ck_assert_uint_eq(all.items[1].samples, 13);
	make(PUSH_COROOT);
	ck_assert_str_eq(all.items[2].path,
			 "/v1/profiles?service.name=shop&service.version=8&host.name=web1");
	make(PUSH_OTLP);
	ck_assert_str_eq(all.items[0].path, "/v1development/profiles");
	ck_assert(all.items[0].gzip);
}
END_TEST

START_TEST(labels_of_parca)
{
	_cleanup_buf_ struct buf labels = {}, profile = {};

	add(process(1, "shop", "7"), 1, 1, 0, 3);
	make(PUSH_PARCA);
	ck_assert_str_eq(all.items[0].path, "/api/profiles/writeraw");
	ck_assert_str_eq(all.items[0].content_type, "application/json");
	parca(&all.items[0], &labels, &profile);
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
	ck_assert_ptr_nonnull(
		strstr(all.items[0].path, "?name=a_x_1__b%26name_c%23%0A%EF%BF%BD%C3%A4%C3%A4"));
	ck_assert_uint_lt(strlen(all.items[0].path), 3 * PUSH_LABEL + 256);
	ck_assert_ptr_nonnull(strstr(all.items[0].path, "%C3%A4%7Bhost%3Dweb1%2Cversion%3Dit"));
}
END_TEST

START_TEST(the_same_again)
{
	struct push_requests first;

	add(process(1, "shop", "7"), 1, 1, 0, 3);
	for (enum push_store store = 0; store < PUSH_STORES; store++) {
		make(store);
		first = all;
		all = (struct push_requests){};
		make(store);
		ck_assert_str_eq(all.items[0].path, first.items[0].path);
		ck_assert_uint_eq(all.items[0].body.size, first.items[0].body.size);
		ck_assert_mem_eq(all.items[0].body.data, first.items[0].body.data,
				 all.items[0].body.size);
		push_requests_done(&first);
	}
}
END_TEST

START_TEST(nothing)
{
	make(PUSH_OTLP);
	ck_assert_uint_eq(all.n, 0);
}
END_TEST

CHECK_MAIN_WITH("ship/push", setup, teardown, by_service, labels_of_parca, many_samples, many_bytes,
		hostile_names, the_same_again, nothing);
