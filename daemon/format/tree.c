/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "format/encoders.h"
#include "format/text.h"
#include "profile/tree.h"

/* What was written of a function, which is most of a node: the same in each node that it has. */
struct written {
	size_t at, size; /* in what is written; 0: it was not yet */
};

static void write_function(const struct dict_function *f, struct buf *out)
{
	buf_puts(out, "{\"name\":");
	text_json(out, f->name);
	text_json_where(out, f);
	buf_puts(out, ",\"value\":");
}

static void write_node(const struct profile *p, const struct tree_node *n, struct written *before,
		       struct buf *out)
{
	bool other = n->function == TREE_OTHER;
	struct written *k = other ? NULL : &before[n->function];
	size_t at = out->size;
	char *room;

	if (k && k->size && (room = buf_reserve(out, k->size))) {
		memcpy(room, out->data + k->at, k->size);
		out->size += k->size;
	} else {
		write_function(tree_function(p, n), out);
		if (k)
			*k = (struct written){ at, out->size - at };
	}
	buf_put_u64(out, n->value);
	buf_puts(out, ",\"self\":");
	buf_put_u64(out, n->self);
	buf_puts(out, ",\"children\":[");
}

/* All children of the root, and theirs, without recursion. */
static void write_nodes(const struct profile *p, const struct tree *t, struct written *before,
			struct buf *out)
{
	/* the nodes above, and that one below the deepest that stands for the rest */
	uint32_t way[TREE_DEPTH + 2], depth = 0, at = t->nodes[0].child;

	while (at || depth) {
		if (!at) {
			buf_puts(out, "]}");
			at = t->nodes[way[--depth]].next;
			if (at)
				buf_putc(out, ',');
			continue;
		}
		write_node(p, &t->nodes[at], before, out);
		way[depth++] = at;
		at = t->nodes[at].child;
	}
}

int tree_encode(const struct profile *p, struct buf *out)
{
	_cleanup_free_ struct written *before =
		calloc((size_t)dict_functions(p->dict) + 1, sizeof(*before));
	_cleanup_(tree_freep) struct tree *t = NULL;
	int r = before ? tree_new(p, &t) : -ENOMEM;

	if (r < 0)
		return r;
	buf_puts(out, "{\"type\":\"plop-tree\"");
	text_json_head(out, p, t->nodes[0].value, t->states);
	buf_printf(out, ",\"folded\":{\"nodes\":%" PRIu64 ",\"value\":%" PRIu64 "},\"labels\":",
		   t->folded, t->folded_value);
	text_json_labels(out, &p->labels);
	buf_printf(out,
		   ",\"name\":\"all\",\"value\":%" PRIu64 ",\"self\":%" PRIu64 ",\"children\":[",
		   t->nodes[0].value, t->nodes[0].self);
	write_nodes(p, t, before, out);
	buf_puts(out, "]}");
	return out->error;
}
