/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/values.h"

#include "util/array.h"

void values_done(struct values *v)
{
	for (uint32_t i = 0; i < v->n; i++)
		free(v->items[i].text);
	free(v->items);
	free(v->key);
	index_done(&v->index);
	*v = (struct values){};
}

int values_add_text(struct values *v, const char *text, uint64_t samples)
{
	uint32_t hash = index_hash_bytes(text, strlen(text)), i;
	void *array = v->items;
	char *copy;
	int r;

	if (!samples)
		return 0;
	for (uint32_t at = index_start(&v->index, hash); index_next(&v->index, hash, &at, &i);) {
		if (streq(v->items[i].text, text)) {
			v->items[i].samples += samples;
			return 0;
		}
	}
	if (v->n == VALUES_MOST)
		return -E2BIG;
	r = index_reserve(&v->index, 1);
	if (r == 0)
		r = array_reserve(&array, v->n, &v->room, sizeof(*v->items));
	if (r < 0)
		return r;
	v->items = array;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	index_add(&v->index, hash, v->n);
	v->items[v->n++] = (struct value){ copy, samples };
	return 0;
}

int values_add(struct values *v, const struct profile_process *p)
{
	/* keys of a process look at nothing else of a profile */
	struct profile_process one = *p;
	const struct profile of = { .processes = &one, .nprocesses = 1 };
	const struct profile_sample sample = {};
	char number[16];

	return values_add_text(v, selector_value_of(v->key, &of, &sample, number), p->samples);
}

static int by_samples(const void *pa, const void *pb)
{
	const struct value *a = pa, *b = pb;

	if (a->samples != b->samples)
		return a->samples < b->samples ? 1 : -1;
	return strcmp(a->text, b->text);
}

void values_put(struct values *v, struct json_writer *w)
{
	uint32_t told = MIN(v->n, (uint32_t)VALUES_TOLD);

	if (v->n)
		qsort(v->items, v->n, sizeof(*v->items), by_samples);
	/* the index is of another order from here on */
	index_done(&v->index);
	json_put_string(w, "label", v->key);
	json_put_array(w, "values");
	for (uint32_t i = 0; i < told; i++) {
		json_put_object(w, NULL);
		json_put_string(w, "value", v->items[i].text);
		json_put_uint(w, "samples", v->items[i].samples);
		json_put_end(w);
	}
	json_put_end(w);
	json_put_uint(w, "left_out", v->n - told);
}
