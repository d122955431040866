/* SPDX-License-Identifier: BSD-2-Clause */
#include <jansson.h>

#include "target/marks.h"
#include "util/array.h"

static void mark_done(struct mark *k)
{
	selectors_done(&k->whom);
	free(k->version);
}

void marks_done(struct marks *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		mark_done(&m->items[i]);
	free(m->items);
	*m = (struct marks){};
}

static bool has(const struct selectors *s, const struct selector *item)
{
	for (size_t i = 0; i < s->n; i++)
		if (streq(s->items[i].key, item->key) && streq(s->items[i].value, item->value))
			return true;
	return false;
}

static bool is_same(const struct selectors *a, const struct selectors *b)
{
	if (!selectors_are_for_the_same(a, b) || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!has(b, &a->items[i]))
			return false;
	return true;
}

bool marks_has(const struct marks *m, const struct selectors *whom)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (is_same(&m->items[i].whom, whom))
			return true;
	return false;
}

static void drop(struct marks *m, const struct selectors *whom)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->n; i++) {
		if (is_same(&m->items[i].whom, whom))
			mark_done(&m->items[i]);
		else
			m->items[n++] = m->items[i];
	}
	m->n = n;
}

static int add(struct marks *m, struct mark *k)
{
	void *array = m->items;
	uint32_t users = 0;
	int r;

	for (uint32_t i = 0; i < m->n; i++)
		users += k->whom.owned && selectors_are_for_the_same(&m->items[i].whom, &k->whom);
	if (m->n >= MARKS_MAX || users >= MARKS_USER_MAX)
		return -E2BIG;
	r = array_reserve(&array, m->n, &m->room, sizeof(*m->items));
	if (r < 0)
		return r;
	m->items = array;
	m->items[m->n++] = *k;
	*k = (struct mark){};
	return 0;
}

int marks_set(struct marks *m, struct selectors *whom, const char *version, uint64_t at_ns)
{
	struct mark k = { .version = strdup(version), .at_ns = at_ns };
	int r;

	if (!k.version)
		return -ENOMEM;
	drop(m, whom);
	k.whom = *whom;
	*whom = (struct selectors){};
	r = *version ? add(m, &k) : 0;
	mark_done(&k);
	return r;
}

const char *marks_version(const struct marks *m, const struct process_info *p)
{
	const struct profile_process one = { .info = *p };

	for (uint32_t i = m->n; i > 0; i--)
		if (selectors_match_process(&m->items[i - 1].whom, &one))
			return m->items[i - 1].version;
	return NULL;
}

static void put_one(const struct mark *k, struct json_writer *w)
{
	json_put_object(w, NULL);
	if (k->whom.owned)
		json_put_uint(w, "uid", k->whom.uid);
	else
		json_put_null(w, "uid");
	json_put_array(w, "selectors");
	for (size_t i = 0; i < k->whom.n; i++) {
		_cleanup_buf_ struct buf text = {};

		buf_printf(&text, "%s=%s", k->whom.items[i].key, k->whom.items[i].value);
		json_put_text(w, NULL, text.data, text.size);
	}
	json_put_end(w);
	json_put_string(w, "version", k->version);
	json_put_seconds(w, "time", (int64_t)k->at_ns);
	json_put_end(w);
}

void marks_put(const struct marks *m, const struct selectors *see, struct json_writer *w)
{
	json_put_object(w, NULL);
	json_put_array(w, "marks");
	for (uint32_t i = 0; i < m->n; i++)
		if (!see || !see->owned || selectors_are_for_the_same(&m->items[i].whom, see))
			put_one(&m->items[i], w);
	json_put_end(w);
	json_put_end(w);
}

static int parse_one(struct marks *m, const json_t *one)
{
	const json_t *uid = json_object_get(one, "uid"), *all = json_object_get(one, "selectors"),
		     *text;
	const char *version = json_string_value(json_object_get(one, "version"));
	double at = json_number_value(json_object_get(one, "time"));
	struct selectors whom = { .owned = json_is_integer(uid),
				  .uid = (uid_t)json_integer_value(uid) };
	int r = version && json_array_size(all) > 0 && (json_is_null(uid) || whom.owned) ? 0 :
											   -EBADMSG;
	size_t i;

	json_array_foreach(all, i, text) if (r == 0)
		r = json_is_string(text) ? selectors_add(&whom, json_string_value(text)) : -EBADMSG;
	if (r == 0)
		r = marks_set(m, &whom, version, at > 0 && at < 1e10 ? (uint64_t)(at * 1e9) : 0);
	selectors_done(&whom);
	return r == 0 || r == -ENOMEM ? r : -EBADMSG;
}

int marks_parse(struct marks *m, const char *text, size_t size)
{
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	const json_t *all = json_object_get(root, "marks"), *one;
	struct marks read = {};
	int r = json_is_array(all) ? 0 : -EBADMSG;
	size_t i;

	json_array_foreach(all, i, one) if (r == 0) r = parse_one(&read, one);
	json_decref(root);
	if (r < 0) {
		marks_done(&read);
		return r;
	}
	marks_done(m);
	*m = read;
	return 0;
}
