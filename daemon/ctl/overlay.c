/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/overlay.h"

#include "ctl/ctl.h"
#include "diff/identity.h"
#include "util/array.h"

/* A node of a tree whose children were not added yet, and where it is here. */
struct waiting {
	const json_t *node;
	uint32_t number;
};

struct waiting_list {
	struct waiting *items;
	uint32_t n, room;
};

void overlay_done(struct overlay *o)
{
	for (uint32_t i = 0; i < o->n; i++)
		free(o->nodes[i].key);
	free(o->nodes);
	index_done(&o->index);
}

char *overlay_key_as(const json_t *function, const char *name)
{
	const char *file = json_string_at(function, "file");
	_cleanup_free_ char *identity = malloc(strlen(file) + 1);
	char *key;

	if (!identity)
		return NULL;
	identity_of(file, identity);
	if (asprintf(&key, "%s\n%s\n%s", json_string_at(function, "kind"),
		     *file ? identity : json_string_at(function, "module"), name) < 0)
		return NULL;
	return key;
}

char *overlay_key(const json_t *function)
{
	return overlay_key_as(function, json_string_at(function, "name"));
}

static uint32_t hash_of(uint32_t above, const char *key)
{
	return index_hash(above, index_hash_bytes(key, strlen(key)));
}

static bool find(const struct overlay *o, uint32_t above, const char *key, uint32_t *ret)
{
	uint32_t hash = hash_of(above, key), i;

	for (uint32_t at = index_start(&o->index, hash); index_next(&o->index, hash, &at, &i);) {
		if (o->nodes[i].above == above && streq(o->nodes[i].key, key)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

/* A new last child of above; the root if there is nothing yet. Takes the key, unless it fails. */
static int add(struct overlay *o, uint32_t above, char *key)
{
	int r = array_reserve((void **)&o->nodes, o->n, &o->room, sizeof(*o->nodes));

	if (r == 0)
		r = index_reserve(&o->index, 1);
	if (r < 0)
		return r;
	o->nodes[o->n] = (struct overlay_node){ .key = key, .above = above };
	if (o->n > 0) {
		struct overlay_node *caller = &o->nodes[above];

		*(caller->last ? &o->nodes[caller->last].next : &caller->child) = o->n;
		caller->last = o->n;
		index_add(&o->index, hash_of(above, key), o->n);
	}
	o->n++;
	return 0;
}

static int find_or_add(struct overlay *o, uint32_t above, const json_t *node, const json_t *renamed,
		       uint32_t *ret)
{
	_cleanup_free_ char *key = overlay_key(node);
	const char *now = key ? json_string_value(json_object_get(renamed, key)) : NULL;
	int r;

	if (now) {
		free(key);
		key = strdup(now);
	}
	if (!key)
		return -ENOMEM;
	if (find(o, above, key, ret))
		return 0;
	r = add(o, above, key);
	if (r < 0)
		return r;
	TAKE_PTR(key);
	*ret = o->n - 1;
	return 0;
}

static int add_children(struct overlay *o, struct waiting_list *t, struct waiting of, double whole,
			int side, const json_t *renamed)
{
	const json_t *children = json_object_get(of.node, "children"), *child;
	size_t i;

	json_array_foreach(children, i, child)
	{
		int r = array_reserve((void **)&t->items, t->n, &t->room, sizeof(*t->items));
		uint32_t number;

		if (r == 0)
			r = find_or_add(o, of.number, child, renamed, &number);
		if (r < 0)
			return r;
		o->nodes[number].function = child;
		o->nodes[number].total[side] += json_number_at(child, "value") / whole;
		o->nodes[number].self[side] += json_number_at(child, "self") / whole;
		t->items[t->n++] = (struct waiting){ child, number };
	}
	return 0;
}

int overlay_add(struct overlay *o, const json_t *tree, int side, const json_t *renamed)
{
	double whole = json_number_at(tree, "value");
	struct waiting_list t = {};
	int r = 0;

	if (o->n == 0) {
		_cleanup_free_ char *key = strdup("");

		r = key ? add(o, 0, key) : -ENOMEM;
		if (r < 0)
			return r;
		TAKE_PTR(key);
	}
	o->nodes[0].function = tree;
	if (!(whole > 0))
		return 0;
	o->nodes[0].total[side] = 1;
	o->nodes[0].self[side] = json_number_at(tree, "self") / whole;
	r = add_children(o, &t, (struct waiting){ tree, 0 }, whole, side, renamed);
	while (r == 0 && t.n > 0)
		r = add_children(o, &t, t.items[--t.n], whole, side, renamed);
	free(t.items);
	return r;
}
