/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/kept.h"

void kept_done(struct kept *k)
{
	for (size_t i = 0; i < k->nlisted; i++)
		free(k->listed[i].facts);
	free(k->listed);
	buf_free(&k->elements);
	buf_free(&k->facts);
	*k = (struct kept){};
}

void kept_set(struct kept *k, const char *ident, bool with_profile)
{
	if (strlen(ident) < sizeof(k->ident))
		strcpy(k->ident, ident);
	k->with_profile = with_profile;
}

int kept_list(struct kept *k, const char *ident, char *facts)
{
	struct kept_listed *listed = reallocarray(k->listed, k->nlisted + 1, sizeof(*k->listed));

	if (!listed) {
		free(facts);
		return -ENOMEM;
	}
	k->listed = listed;
	listed[k->nlisted] = (struct kept_listed){ .facts = facts };
	strncpy(listed[k->nlisted].ident, ident, RECORDING_ID_MAX);
	k->nlisted++;
	return 0;
}

bool kept_is_wanted(const struct query *q, const char *name, const struct labels *labels,
		    uint64_t start_ns, uint64_t end_ns)
{
	/* of processes and samples nothing is asked: kept_fit() */
	static const struct profile_process none;

	return (!q->name || streq(q->name, name)) && end_ns > q->from_ns && start_ns < q->to_ns &&
	       selectors_match_labeled(&q->selectors, &none, labels);
}

int kept_fit(struct query *q, struct refusal *ret_why)
{
	for (size_t i = 0; i < q->selectors.n; i++) {
		if (strncmp(q->selectors.items[i].key, "label.", strlen("label.")) == 0)
			continue;
		refusal_say(
			ret_why, 400,
			"recordings are chosen by name, label.NAME, from and to; what is in one "
			"is chosen where it is exported",
			"%.64s does not choose among recordings", q->selectors.items[i].key);
		return -EINVAL;
	}
	if (!q->has_from)
		q->from_ns = 0;
	if (!q->has_to)
		q->to_ns = UINT64_MAX;
	return 0;
}

/* One that was read is not told a second time. */
static void unlist(struct kept *k, const char *ident)
{
	for (size_t i = 0; i < k->nlisted; i++) {
		if (streq(k->listed[i].ident, ident))
			free(TAKE_PTR(k->listed[i].facts));
	}
}

struct reading {
	struct kept *kept;
	const struct query *query;
};

static int read_one(const struct store_recording *r, void *ctx)
{
	const struct reading *x = ctx;
	struct buf *to = &x->kept->elements;

	unlist(x->kept, r->ident);
	if (!kept_is_wanted(x->query, r->name, r->labels, r->start_ns, r->end_ns))
		return 0;
	if (to->size)
		buf_putc(to, ',');
	buf_puts(to, r->facts);
	return to->error;
}

int kept_read_all(struct kept *k, struct store_reader *reader, const struct query *q)
{
	struct reading x = { k, q };

	return store_each_recording(reader, &k->see, read_one, &x);
}

int kept_read_one(struct kept *k, struct store_reader *reader, struct profile **ret)
{
	int r = store_read_recording(reader, k->ident, &k->see, &k->facts,
				     k->with_profile ? ret : NULL);

	return r < 0 ? r : k->facts.error;
}

void kept_put(const struct kept *k, struct json_writer *w)
{
	_cleanup_buf_ struct buf all = {};

	for (size_t i = 0; i < k->nlisted; i++) {
		if (!k->listed[i].facts)
			continue;
		if (all.size)
			buf_putc(&all, ',');
		buf_puts(&all, k->listed[i].facts);
	}
	if (all.size && k->elements.size)
		buf_putc(&all, ',');
	buf_append(&all, k->elements.data, k->elements.size);
	json_put_elements(w, "recordings", &all);
}
