/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/deploys.h"

#include "util/array.h"
#include "util/index.h"

void deploys_done(struct deploys *d)
{
	for (uint32_t i = 0; i < d->n; i++) {
		free(d->items[i].service);
		free(d->items[i].version);
	}
	free(d->items);
	index_done(&d->index);
	*d = (struct deploys){};
}

static uint32_t hash_of(const char *service, const char *version)
{
	return index_hash(index_hash_bytes(service, strlen(service)),
			  index_hash_bytes(version, strlen(version)));
}

static int find(struct deploys *d, const struct process_info *info, struct deploy **ret)
{
	uint32_t hash = hash_of(info->service, info->version), i;
	struct deploy new = { .first_ns = UINT64_MAX };
	void *array = d->items;
	int r;

	for (uint32_t at = index_start(&d->index, hash); index_next(&d->index, hash, &at, &i);) {
		if (streq(d->items[i].service, info->service) &&
		    streq(d->items[i].version, info->version)) {
			*ret = &d->items[i];
			return 0;
		}
	}
	if (d->n == DEPLOYS_MOST)
		return -E2BIG;
	r = index_reserve(&d->index, 1);
	if (r == 0)
		r = array_reserve(&array, d->n, &d->room, sizeof(*d->items));
	if (r < 0)
		return r;
	d->items = array;
	new.service = strdup(info->service);
	new.version = strdup(info->version);
	if (!new.service || !new.version) {
		free(new.service);
		free(new.version);
		return -ENOMEM;
	}
	index_add(&d->index, hash, d->n);
	*ret = &d->items[d->n++];
	**ret = new;
	return 0;
}

int deploys_add(struct deploys *d, const struct profile_process *p, uint64_t start_ns,
		uint64_t end_ns)
{
	struct deploy *k;
	int r;

	if (!*p->info.service || !*p->info.version || !p->samples)
		return 0;
	r = find(d, &p->info, &k);
	if (r < 0)
		return r;
	k->first_ns = MIN(k->first_ns, start_ns);
	k->last_ns = MAX(k->last_ns, end_ns);
	k->samples += p->samples;
	return 0;
}

static int by_service_and_time(const void *pa, const void *pb)
{
	const struct deploy *a = pa, *b = pb;
	int r = strcmp(a->service, b->service);

	if (r != 0)
		return r;
	if (a->first_ns != b->first_ns)
		return a->first_ns < b->first_ns ? -1 : 1;
	return strcmp(a->version, b->version);
}

static int by_time(const void *pa, const void *pb)
{
	const struct deploy *a = pa, *b = pb;

	if (a->first_ns != b->first_ns)
		return a->first_ns > b->first_ns ? -1 : 1;
	return by_service_and_time(a, b);
}

void deploys_put(struct deploys *d, struct json_writer *w, const char *key)
{
	if (d->n)
		qsort(d->items, d->n, sizeof(*d->items), by_service_and_time);
	for (uint32_t i = 0; i < d->n; i++)
		d->items[i].before = i && streq(d->items[i - 1].service, d->items[i].service) ?
					     d->items[i - 1].version :
					     NULL;
	if (d->n)
		qsort(d->items, d->n, sizeof(*d->items), by_time);
	/* the index is of another order from here on */
	index_done(&d->index);
	json_put_array(w, key);
	for (uint32_t i = 0; i < d->n; i++) {
		const struct deploy *k = &d->items[i];

		json_put_object(w, NULL);
		json_put_string(w, "service", k->service);
		json_put_string(w, "version", k->version);
		json_put_string(w, "before", k->before);
		json_put_seconds(w, "first", (int64_t)k->first_ns);
		json_put_seconds(w, "last", (int64_t)k->last_ns);
		json_put_uint(w, "samples", k->samples);
		json_put_end(w);
	}
	json_put_end(w);
}
