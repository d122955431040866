/* SPDX-License-Identifier: BSD-2-Clause */
#include "plop/limits.h"
#include "python/dicts.h"
#include "python/gather.h"
#include "python/thread_name.h"

/* An entry of _active: hash, key, value. So many are read at once. */
#define ENTRY_SIZE 24
#define BATCH      GATHER_MANY
/* How often what follows from what was read is gathered; what is missing then is read alone. */
#define ROUNDS 12

/* A Thread that is in _active. */
struct found {
	struct gather g;
	struct reader r;
	uint64_t at; /* its entry */
	uint8_t entry[ENTRY_SIZE];
	char **name; /* where it goes */
	bool done;
	int result;
	uint64_t slot, value;
	struct python_string text;
	char *data; /* owned, of text */
};

struct naming {
	const struct reader *r;
	struct dicts d;
	struct found *found; /* BATCH of them */
	size_t n;
	const struct walk_states *states;
	char **names;
	struct dict_hint hint; /* of the attribute */
	uint64_t modules;      /* where an interpreter has sys.modules */
};

/* Errors that concern more than the one thing that was read. */
static bool is_fatal(int error)
{
	return error == -ESRCH || error == -ENOMEM || error == -EPERM;
}

/*
 * Lib/threading.py of 2.7 and 3.6 to 3.15: names of what it did not start, where the kernel's say
 * more.
 */
static bool is_given(const char *name)
{
	size_t dummy = strlen("Dummy-");

	return *name && !streq(name, "MainThread") &&
	       !(strncmp(name, "Dummy-", dummy) == 0 && name[dummy] >= '0' && name[dummy] <= '9');
}

static int text_read(struct naming *n, uint64_t address, struct python_string *ret, char **data)
{
	const uint64_t wanted = n->d.l->version >= 0x0300 ? TYPE_STR : TYPE_BYTES;
	const struct dict_type *type;
	uint64_t at;
	int r = python_string_read(n->d.r, n->d.l, address, PLOP_MAX_THREAD_NAME, ret, data, &at);

	if (r < 0)
		return r;
	/* one that is not compact does not tell */
	r = at ? dicts_type(&n->d, at, &type) : 0;
	if (r < 0)
		return r;
	return !at || type->flags & wanted ? 0 : -EBADMSG;
}

/* From the Thread to its name. */
static int name_read(struct naming *n, struct found *f)
{
	const char *attribute = n->d.l->version >= 0x0300 ? "_name" : "_Thread__name";
	_cleanup_free_ char *data = NULL;
	int r = dicts_attribute(&n->d, object_u64(f->entry, 16), attribute, &n->hint, &f->slot);

	if (r >= 0)
		r = reader_u64(n->d.r, f->slot, &f->value);
	if (r >= 0)
		r = text_read(n, f->value, &f->text, &data);
	if (r < 0)
		return r;
	/* of an attempt that missed something, and is made again */
	free(f->data);
	f->data = TAKE_PTR(data);
	return 0;
}

/* Whether all that led to the name, and the name, is still the same. */
static int name_confirm(struct naming *n, struct found *f)
{
	_cleanup_free_ char *data = NULL;
	struct python_string text;
	uint8_t entry[ENTRY_SIZE];
	uint64_t value;
	int r = text_read(n, f->value, &text, &data);

	if (r >= 0)
		r = reader_u64(n->d.r, f->slot, &value);
	if (r >= 0)
		r = reader_read(n->d.r, f->at, entry, sizeof(entry));
	if (r < 0)
		return r;
	return memcmp(entry, f->entry, sizeof(entry)) == 0 && value == f->value &&
			       text.length == f->text.length && text.kind == f->text.kind &&
			       text.bytes == f->text.bytes &&
			       memcmp(data, f->data, text.bytes) == 0 ?
		       0 :
		       -ESTALE;
}

/* Does a step for all that were found; what it has to read is gathered, from nothing on. */
static void found_step(struct naming *n, int (*step)(struct naming *n, struct found *f))
{
	bool pending = true;

	for (size_t i = 0; i < n->n; i++) {
		gather_reset(&n->found[i].g, n->r);
		n->found[i].done = n->found[i].result < 0;
	}
	for (unsigned int round = 0; pending && round <= ROUNDS; round++) {
		pending = false;
		for (size_t i = 0; i < n->n; i++) {
			struct found *f = &n->found[i];
			uint64_t left = n->d.left;
			int q;

			if (f->done)
				continue;
			f->g.missed = false;
			f->g.direct = round == ROUNDS;
			n->d.r = &f->r;
			q = step(n, f);
			f->done = !f->g.missed;
			f->result = f->done ? q : 0;
			pending |= f->g.missed;
			/* what is looked at again counts once */
			if (f->g.missed)
				n->d.left = left;
		}
		gather_fetch(&n->found->g, sizeof(*n->found), n->n);
	}
	n->d.r = n->r;
}

/* Names those that were found, and forgets them. */
static int found_name(struct naming *n)
{
	int r = 0;

	found_step(n, name_read);
	found_step(n, name_confirm);
	for (size_t i = 0; i < n->n; i++) {
		struct found *f = &n->found[i];
		_cleanup_free_ char *name = NULL;
		bool cut;

		if (f->result >= 0)
			f->result = python_string_text(n->d.l, &f->text, PLOP_MAX_THREAD_NAME,
						       &name, &cut);
		if (is_fatal(f->result))
			r = f->result;
		if (f->result >= 0 && is_given(name) && !*f->name)
			*f->name = TAKE_PTR(name);
		free(f->data);
	}
	n->n = 0;
	return r;
}

static void found_add(struct naming *n, uint64_t at, const uint8_t *entry, char **name)
{
	struct found *f = &n->found[n->n++];

	f->r = gather_reader(&f->g);
	f->at = at;
	memcpy(f->entry, entry, sizeof(f->entry));
	f->name = name;
	f->result = 0;
	f->data = NULL;
}

static int by_thread(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = ((const struct walk_state *)b)->thread_id;

	return (x > y) - (x < y);
}

/*
 * Names those that are in _active. Its keys are ints, and the hash of an int below 2^61 - 1 is
 * itself (Objects/longobject.c; 2.7: intobject.c), so that keys need not be read.
 */
static int active_read(struct naming *n, const struct dict_table *t)
{
	uint8_t bytes[BATCH * ENTRY_SIZE];

	for (uint64_t i = 0; i < t->n; i += BATCH) {
		size_t some = (size_t)MIN(t->n - i, (uint64_t)BATCH);
		uint64_t at = t->entries + i * ENTRY_SIZE;
		int r;

		if (n->d.left < some)
			return -E2BIG;
		n->d.left -= some;
		r = reader_read(n->d.r, at, bytes, some * ENTRY_SIZE);
		if (r < 0)
			return r;
		for (size_t k = 0; k < some; k++) {
			const uint8_t *entry = bytes + k * ENTRY_SIZE;
			uint64_t ident = object_u64(entry, 0);
			const struct walk_state *s;
			char **name;

			if (!object_u64(entry, 16))
				continue;
			s = bsearch(&ident, n->states->states, n->states->n, sizeof(*s), by_thread);
			name = s ? &n->names[s - n->states->states] : NULL;
			if (name && !*name)
				found_add(n, at + k * ENTRY_SIZE, entry, name);
		}
		r = found_name(n);
		if (r < 0)
			return r;
	}
	return 0;
}

/* sys.modules["threading"]._active of one interpreter. */
static int interp_read(struct naming *n, uint64_t interp)
{
	struct dict_table t;
	uint64_t at;
	int r = dicts_module(&n->d, interp + n->modules, "threading", &at);

	if (r >= 0)
		r = dicts_value(&n->d, at, "_active", &at);
	if (r >= 0)
		r = dicts_open(&n->d, at, &t);
	if (r < 0)
		return r;
	return dict_table_hashed(&t) && !t.values ? active_read(n, &t) : -ENOENT;
}

int thread_names_read(const struct reader *memory, const struct plop_layout *l, uint64_t runtime,
		      const struct walk_states *s, char **ret_names)
{
	const struct object_layout *o = object_layout_find(l);
	struct naming n = { .r = memory, .states = s, .names = ret_names };
	uint64_t seen = UINT64_MAX;
	int r;

	memset(ret_names, 0, s->n * sizeof(*ret_names));
	if (!o)
		return -EOPNOTSUPP;
	dicts_init(&n.d, memory, l, o);
	r = dicts_modules(&n.d, runtime, &n.modules);
	if (r < 0)
		return is_fatal(r) ? r : 0;
	n.found = calloc(BATCH, sizeof(*n.found));
	if (!n.found)
		return -ENOMEM;
	/*
	 * the oldest interpreter first, each once: a thread that calls into another is the first
	 * one's
	 */
	for (size_t done = 0; r != -E2BIG && !is_fatal(r) && done < s->n; done++) {
		const struct walk_state *next = NULL;

		for (size_t i = 0; i < s->n; i++) {
			const struct walk_state *k = &s->states[i];

			if ((seen == UINT64_MAX || k->interp_no > seen) &&
			    (!next || k->interp_no < next->interp_no))
				next = k;
		}
		if (!next)
			break;
		seen = next->interp_no;
		r = interp_read(&n, next->interp);
	}
	free(n.found);
	if (!is_fatal(r))
		return 0;
	for (size_t i = 0; i < s->n; i++) {
		free(ret_names[i]);
		ret_names[i] = NULL;
	}
	return r;
}
