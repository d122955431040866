/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/sd.h"

#define ADDRESS_MAX 255

bool sd_address_valid(const char *address)
{
	size_t n = strspn(address, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789.-_:[]");

	return n > 0 && n <= ADDRESS_MAX && address[n] == '\0';
}

/* What has no version comes first of a service. */
static int by_name(const void *pa, const void *pb)
{
	const struct deploy *a = pa, *b = pb;
	int r = strcmp(a->service, b->service);

	return r != 0 ? r : strcmp(a->version, b->version);
}

static int by_samples(const void *pa, const void *pb)
{
	const struct deploy *a = pa, *b = pb;

	if (a->samples != b->samples)
		return a->samples < b->samples ? 1 : -1;
	return by_name(a, b);
}

/* Puts the versions of a service into one, where some of it has none. */
static void join_versions(struct deploys *d)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n; i++) {
		struct deploy *k = &d->items[i], *last = n ? &d->items[n - 1] : NULL;

		if (last && !*last->version && streq(last->service, k->service)) {
			last->samples += k->samples;
			free(k->service);
			free(k->version);
			continue;
		}
		d->items[n++] = *k;
	}
	d->n = n;
}

static void put(const struct deploy *k, const char *address, const char *host,
		struct json_writer *w)
{
	json_put_object(w, NULL);
	json_put_array(w, "targets");
	json_put_string(w, NULL, address);
	json_put_end(w);
	json_put_object(w, "labels");
	json_put_string(w, "__param_service", k->service);
	if (*k->version)
		json_put_string(w, "__param_version", k->version);
	json_put_string(w, "service", k->service);
	if (*k->version)
		json_put_string(w, "version", k->version);
	if (*host)
		json_put_string(w, "host", host);
	json_put_end(w);
	json_put_end(w);
}

void sd_put(struct deploys *d, const char *address, const char *host, struct json_writer *w)
{
	uint32_t told;

	/* the index is of another order from here on */
	index_done(&d->index);
	if (d->n) {
		qsort(d->items, d->n, sizeof(*d->items), by_name);
		join_versions(d);
		qsort(d->items, d->n, sizeof(*d->items), by_samples);
	}
	told = MIN(d->n, (uint32_t)SD_MOST);
	if (told)
		qsort(d->items, told, sizeof(*d->items), by_name);
	json_put_array(w, NULL);
	for (uint32_t i = 0; i < told; i++)
		put(&d->items[i], address, host, w);
	json_put_end(w);
}
