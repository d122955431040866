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

/* NULL: it was not met yet. */
static struct deploy *look_up(const struct deploys *d, const struct process_info *info)
{
	uint32_t hash = hash_of(info->service, info->version), i;

	for (uint32_t at = index_start(&d->index, hash); index_next(&d->index, hash, &at, &i);) {
		if (streq(d->items[i].service, info->service) &&
		    streq(d->items[i].version, info->version))
			return &d->items[i];
	}
	return NULL;
}

static int find(struct deploys *d, const struct process_info *info, struct deploy **ret)
{
	uint32_t hash = hash_of(info->service, info->version);
	struct deploy new = { .first_ns = UINT64_MAX };
	void *array = d->items;
	int r;

	*ret = look_up(d, info);
	if (*ret)
		return 0;
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

	if (!*p->info.service || (!*p->info.version && !d->unversioned) || !p->samples)
		return 0;
	r = find(d, &p->info, &k);
	if (r < 0)
		return r;
	if (start_ns < k->first_ns) {
		k->first_ns = start_ns;
		k->first_end_ns = end_ns;
	}
	if (end_ns > k->last_ns) {
		k->last_ns = end_ns;
		k->last_start_ns = start_ns;
	}
	k->samples += p->samples;
	return 0;
}

static void span_of(const struct deploy *k, struct deploys_span *span)
{
	bool first = span->end == DEPLOYS_FIRST;

	span->start_ns = first ? k->first_ns : k->last_start_ns;
	span->end_ns = first ? k->first_end_ns : k->last_ns;
	span->n = 1;
}

static bool is_same(const struct deploys_span *a, const struct deploys_span *b)
{
	return a->start_ns == b->start_ns && a->end_ns == b->end_ns;
}

bool deploys_rough(const struct deploys *d, enum deploys_end end, uint64_t longer_ns,
		   uint64_t after_ns, struct deploys_span *ret)
{
	struct deploys_span next = { .start_ns = UINT64_MAX };

	for (uint32_t i = 0; i < d->n; i++) {
		struct deploys_span one = { .end = end };

		span_of(&d->items[i], &one);
		if (one.start_ns <= after_ns || one.end_ns - one.start_ns <= longer_ns ||
		    one.start_ns > next.start_ns)
			continue;
		if (is_same(&one, &next))
			next.n++;
		else
			next = one;
	}
	if (next.start_ns == UINT64_MAX)
		return false;
	*ret = next;
	return true;
}

void deploys_nearer(struct deploys *d, struct deploys_span *span, const struct profile_process *p,
		    uint64_t start_ns, uint64_t end_ns)
{
	struct deploy *k = p->samples ? look_up(d, &p->info) : NULL;
	struct deploys_span now = { .end = span->end };

	if (!k)
		return;
	span_of(k, &now);
	if (!is_same(&now, span) || end_ns - start_ns >= span->end_ns - span->start_ns)
		return;
	if (span->end == DEPLOYS_FIRST) {
		k->first_ns = start_ns;
		k->first_end_ns = end_ns;
	} else {
		k->last_start_ns = start_ns;
		k->last_ns = end_ns;
	}
	span->n--;
}

/*
 * Of two that one window has first, or one roll-up that is no longer than a window is, the one that
 * ended earlier was there before.
 */
static int by_service_and_time(const void *pa, const void *pb)
{
	const struct deploy *a = pa, *b = pb;
	int r = strcmp(a->service, b->service);

	if (r != 0)
		return r;
	if (a->first_ns != b->first_ns)
		return a->first_ns < b->first_ns ? -1 : 1;
	if (a->last_ns != b->last_ns)
		return a->last_ns < b->last_ns ? -1 : 1;
	return strcmp(a->version, b->version);
}

static int by_time(const void *pa, const void *pb)
{
	const struct deploy *a = pa, *b = pb;

	if (a->first_ns != b->first_ns)
		return a->first_ns > b->first_ns ? -1 : 1;
	/* the newest first, among those of one service, too */
	return streq(a->service, b->service) ? by_service_and_time(b, a) :
					       strcmp(a->service, b->service);
}

void deploys_order(struct deploys *d)
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
}

void deploys_put(struct deploys *d, struct json_writer *w, const char *key)
{
	deploys_order(d);
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
