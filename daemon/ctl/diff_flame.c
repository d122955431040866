/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/diff_flame.h"

#include "ctl/ctl.h"
#include "ctl/diff_table.h"
#include "ctl/overlay.h"
#include "draw/flame.h"

/* Both sides, and what may mislead. */
#define NOTES 8

/* Functions of which more is known than that they are the same, or that it is not clear. */
struct said {
	char **keys, **texts; /* owned */
	uint32_t n;
	struct index index;
	json_t *renamed; /* by the key on the base side, that on the new one; owned */
};

static void said_done(struct said *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		free(s->keys[i]);
		free(s->texts[i]);
	}
	free(s->keys);
	free(s->texts);
	json_decref(s->renamed);
	index_done(&s->index);
}

static uint32_t hash_of(const char *key)
{
	return index_hash_bytes(key, strlen(key));
}

static int said_add(struct said *s, const json_t *f)
{
	bool both = json_is_number(json_object_get(f, "relative"));
	_cleanup_free_ char *key = overlay_key(f), *text = NULL;
	const char *was = json_string_at(f, "was");
	char change[DIFF_CHANGE_MAX];

	diff_table_change(f, change);
	if (asprintf(&text, "%s%s%s%s%s", diff_table_verdict(f), *was ? ", was " : "", was,
		     both ? ", its own cost " : "", both ? change : "") < 0)
		text = NULL;
	if (!key || !text || index_reserve(&s->index, 1) < 0)
		return -ENOMEM;
	index_add(&s->index, hash_of(key), s->n);
	s->keys[s->n] = TAKE_PTR(key);
	s->texts[s->n++] = TAKE_PTR(text);
	return 0;
}

static int rename_add(struct said *s, const json_t *f, const char *was)
{
	_cleanup_free_ char *before = overlay_key_as(f, was), *now = overlay_key(f);

	return before && now && json_object_set_new(s->renamed, before, json_string(now)) == 0 ?
		       0 :
		       -ENOMEM;
}

static int said_fill(struct said *s, const json_t *answer)
{
	const json_t *functions = json_object_get(answer, "functions"), *f;
	size_t i, n = json_array_size(functions);
	int r = 0;

	s->keys = calloc(n + 1, sizeof(*s->keys));
	s->texts = calloc(n + 1, sizeof(*s->texts));
	s->renamed = json_object();
	if (!s->keys || !s->texts || !s->renamed)
		return -ENOMEM;
	json_array_foreach(functions, i, f)
	{
		const char *was = json_string_at(f, "was"), *verdict = diff_table_verdict(f);

		if (r == 0 && *was)
			r = rename_add(s, f, was);
		if (r == 0 && !streq(verdict, "same") && !streq(verdict, "unclear"))
			r = said_add(s, f);
	}
	return r;
}

static const char *said_of(const struct said *s, const char *key)
{
	uint32_t hash = hash_of(key), i;

	for (uint32_t at = index_start(&s->index, hash); index_next(&s->index, hash, &at, &i);)
		if (streq(s->keys[i], key))
			return s->texts[i];
	return NULL;
}

/* The frames of an overlay; owned by the caller, and NULL without memory. */
static struct flame_frame *frames_of(const struct overlay *o, const struct said *s)
{
	struct flame_frame *frames = calloc(o->n, sizeof(*frames));

	for (uint32_t i = 0; frames && i < o->n; i++) {
		const struct overlay_node *n = &o->nodes[i];

		frames[i] = (struct flame_frame){
			.name = json_string_at(n->function, "name"),
			.file = json_place_at(n->function),
			.line = (int)json_number_at(n->function, "line"),
			.total = n->total[1],
			.self = n->self[1],
			.base_total = n->total[0],
			.base_self = n->self[0],
			.said = said_of(s, n->key),
			.child = n->child,
			.next = n->next,
		};
	}
	return frames;
}

/* Lines below the title: what the sides are, and the warnings. Owned, *n of them. */
static int notes_of(const json_t *answer, char *notes[NOTES], uint32_t *n)
{
	static const char *const sides[] = { "base", "new" };
	const json_t *warnings = json_object_get(answer, "warnings"), *text;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sides); i++) {
		_cleanup_buf_ struct buf b = {};

		diff_table_side(answer, sides[i], &b);
		notes[*n] = buf_string(&b);
		if (!notes[*n])
			return -ENOMEM;
		++*n;
	}
	json_array_foreach(warnings, i, text)
	{
		if (*n == NOTES)
			return 0;
		notes[*n] = strdup(json_string_value(text));
		if (!notes[*n])
			return -ENOMEM;
		++*n;
	}
	return 0;
}

static int draw(const json_t *answer, const struct overlay *o, const struct said *s,
		struct buf *out)
{
	_cleanup_free_ struct flame_frame *frames = frames_of(o, s);
	char *notes[NOTES] = {};
	uint32_t nnotes = 0;
	int r = frames ? notes_of(answer, notes, &nnotes) : -ENOMEM;
	const struct flame f = {
		.title = "What changed, by plop",
		.notes = (const char *const *)notes,
		.nnotes = nnotes,
		.difference = true,
		.frames = frames,
		.nframes = o->n,
	};

	if (r == 0)
		r = flame_svg(&f, out);
	for (uint32_t i = 0; i < nnotes; i++)
		free(notes[i]);
	return r;
}

int diff_flame_draw(const json_t *answer, json_t *const trees[2], struct buf *out)
{
	_cleanup_(overlay_done) struct overlay o = {};
	_cleanup_(said_done) struct said s = {};
	int r = said_fill(&s, answer);

	for (int i = 0; i < 2 && r == 0; i++)
		r = overlay_add(&o, trees[i], i, i == 0 ? s.renamed : NULL);
	return r < 0 ? r : draw(answer, &o, &s, out);
}
