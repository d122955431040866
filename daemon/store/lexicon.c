/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/lexicon.h"

#include "store/lexicon_load.h"
#include "util/array.h"

int lexicon_prepare(struct lexicon *l, sqlite3 *db, int64_t seed)
{
	int r;

	l->seed = seed;
	r = db_prepare(db,
		       "SELECT id, texts, functions, frames, nodes, processes FROM additions"
		       " WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
		       &l->heads);
	if (r == 0)
		r = db_prepare(db, "SELECT data, hash FROM additions WHERE id = ?1", &l->blob);
	return r;
}

void lexicon_forget(struct lexicon *l)
{
	for (uint32_t i = 0; i < l->nadditions; i++)
		unpacked_done(&l->additions[i].blob);
	free(l->texts);
	free(l->functions);
	free(l->frames);
	free(l->nodes);
	free(l->processes);
	free(l->ways);
	index_done(&l->way_index);
	l->ways = NULL;
	l->nways = l->ways_room = 0;
	l->texts = NULL;
	l->functions = NULL;
	l->frames = NULL;
	l->nodes = NULL;
	l->processes = NULL;
	memset(l->numbers, 0, sizeof(l->numbers));
	l->nadditions = 0;
	l->bytes = 0;
	l->id = 0;
}

void lexicon_done(struct lexicon *l)
{
	lexicon_forget(l);
	sqlite3_finalize(l->heads);
	sqlite3_finalize(l->blob);
	free(l->additions);
	free(l->path);
	*l = (struct lexicon){};
}

size_t lexicon_bytes(const struct lexicon *l)
{
	return l->bytes + l->additions_room * sizeof(*l->additions) +
	       l->path_room * sizeof(*l->path) + l->ways_room * sizeof(*l->ways) +
	       index_bytes(&l->way_index);
}

static int add_addition(struct lexicon *l, const struct lexicon_addition *a)
{
	void *array = l->additions;
	int r = array_reserve(&array, l->nadditions, &l->additions_room, sizeof(*l->additions));

	if (r < 0)
		return r;
	l->additions = array;
	l->additions[l->nadditions++] = *a;
	return 0;
}

/* One more addition, which ends with the numbers that the row says. */
static int add_head(struct lexicon *l)
{
	struct lexicon_addition a = { .id = sqlite3_column_int64(l->heads, 0) };

	for (int i = 0; i < DICTIONARY_PARTS; i++) {
		int64_t last = sqlite3_column_int64(l->heads, 1 + i);

		if (last < l->numbers[i] || last > DICTIONARY_MOST)
			return -EBADMSG;
		a.last[i] = l->numbers[i] = (uint32_t)last;
	}
	return add_addition(l, &a);
}

/* Memory that is not written to costs nothing: most of a dictionary is not loaded. */
static int make_room(struct lexicon *l)
{
	void *rooms[DICTIONARY_PARTS];
	bool all = true;

	for (int i = 0; i < DICTIONARY_PARTS; i++) {
		rooms[i] = calloc((size_t)l->numbers[i] + 1, lexicon_sizes[i]);
		all = all && rooms[i];
	}
	l->texts = rooms[DICTIONARY_TEXTS];
	l->functions = rooms[DICTIONARY_FUNCTIONS];
	l->frames = rooms[DICTIONARY_FRAMES];
	l->nodes = rooms[DICTIONARY_NODES];
	l->processes = rooms[DICTIONARY_PROCESSES];
	return all ? 0 : -ENOMEM;
}

int lexicon_turn(struct lexicon *l, int64_t id)
{
	int r;

	if (l->id == id)
		return 0;
	lexicon_forget(l);
	if (id <= 0 || id > DICTIONARIES_MOST)
		return -EBADMSG;
	sqlite3_reset(l->heads);
	sqlite3_bind_int64(l->heads, 1, id << ADDITION_SHIFT);
	sqlite3_bind_int64(l->heads, 2, ((id + 1) << ADDITION_SHIFT) - 1);
	while ((r = db_step(l->heads)) > 0) {
		r = add_head(l);
		if (r < 0)
			break;
	}
	sqlite3_reset(l->heads);
	if (r == 0)
		r = make_room(l);
	if (r < 0)
		lexicon_forget(l);
	else
		l->id = id;
	return r;
}

int lexicon_take(struct lexicon *l, struct unpacked *sections,
		 const uint32_t numbers[static DICTIONARY_PARTS])
{
	struct lexicon_addition a = { .blob = *sections };
	int r;

	lexicon_forget(l);
	for (int i = 0; i < DICTIONARY_PARTS; i++) {
		/* each takes a byte at least */
		if (numbers[i] > sections->size || numbers[i] > DICTIONARY_MOST)
			return -EBADMSG;
		a.last[i] = l->numbers[i] = numbers[i];
	}
	r = add_addition(l, &a);
	if (r < 0)
		return r;
	*sections = (struct unpacked){};
	r = make_room(l);
	return r < 0 ? r : lexicon_load_first(l);
}

static int meet_function(struct lexicon *l, uint32_t number, struct dict *to, uint32_t *ret)
{
	struct lexicon_function *f = NULL;
	struct dict_function d;
	int r = lexicon_get_function(l, number, &f);

	if (r == 0 && !f->met) {
		r = lexicon_function(l, number, &d);
		if (r == 0)
			r = dict_function(to, &d, ret);
		if (r == 0)
			f->met = *ret + 1;
	}
	if (r == 0)
		*ret = f->met - 1;
	return r;
}

static int meet_frame(struct lexicon *l, uint32_t number, struct dict *to, uint32_t *ret)
{
	struct lexicon_frame *f = NULL;
	uint32_t function;
	int r = lexicon_get_frame(l, number, &f);

	if (r < 0)
		return r;
	if (!f->met) {
		r = meet_function(l, f->function, to, &function);
		if (r == 0)
			r = dict_frame(to, function, l->no_lines ? MIN(f->line, 0) : f->line, ret);
		if (r < 0)
			return r;
		f->met = *ret + 1;
	}
	*ret = f->met - 1;
	return 0;
}

/* One more at the end of l->path, which has so many. */
static int put_path(struct lexicon *l, uint32_t *depth, uint32_t value)
{
	void *array = l->path;
	int r = *depth < DICTIONARY_DEPTH ?
			array_reserve(&array, *depth, &l->path_room, sizeof(*l->path)) :
			-EBADMSG;

	if (r < 0)
		return r;
	l->path = array;
	l->path[(*depth)++] = value;
	return 0;
}

/* The frames from a node up, the innermost first, into l->path. */
static int walk(struct lexicon *l, uint32_t node, struct dict *to, uint32_t *ret_depth)
{
	struct lexicon_node *n = NULL;
	uint32_t depth = 0, frame;
	int r;

	for (; node; node = n->parent) {
		r = lexicon_get_node(l, node, &n);
		if (r == 0)
			r = meet_frame(l, n->frame, to, &frame);
		if (r == 0)
			r = put_path(l, &depth, frame);
		if (r < 0)
			return r;
	}
	*ret_depth = depth;
	return 0;
}

/* The stack of l->path. */
static int put_stack(struct lexicon *l, uint32_t depth, struct dict *to, uint32_t *ret)
{
	for (uint32_t i = 0; i < depth / 2; i++) {
		uint32_t frame = l->path[i];

		l->path[i] = l->path[depth - 1 - i];
		l->path[depth - 1 - i] = frame;
	}
	return dict_stack(to, l->path, depth, ret);
}

/* The way (+ 1) that leads on from another (+ 1; 0: none) to a frame. */
static int meet_way(struct lexicon *l, uint32_t parent, uint32_t frame, uint32_t *ret)
{
	uint32_t hash = index_hash(parent, frame), i;
	void *array = l->ways;
	int r;

	for (uint32_t at = index_start(&l->way_index, hash);
	     index_next(&l->way_index, hash, &at, &i);) {
		if (l->ways[i].parent == parent && l->ways[i].frame == frame) {
			*ret = i + 1;
			return 0;
		}
	}
	r = index_reserve(&l->way_index, 1);
	if (r == 0)
		r = array_reserve(&array, l->nways, &l->ways_room, sizeof(*l->ways));
	if (r < 0)
		return r;
	l->ways = array;
	l->ways[l->nways] = (struct lexicon_way){ parent, frame, 0 };
	index_add(&l->way_index, hash, l->nways++);
	*ret = l->nways;
	return 0;
}

/* The way to a node, of which most is known from other nodes. */
static int find_way(struct lexicon *l, uint32_t node, struct dict *to, uint32_t *ret)
{
	struct lexicon_node *n = NULL;
	uint32_t depth = 0, way = 0, frame;
	int r;

	for (; node; node = n->parent) {
		r = lexicon_get_node(l, node, &n);
		if (r == 0 && n->met) {
			way = n->met;
			break;
		}
		if (r == 0)
			r = put_path(l, &depth, node);
		if (r < 0)
			return r;
	}
	while (depth > 0) {
		n = &l->nodes[l->path[--depth]];
		r = meet_frame(l, n->frame, to, &frame);
		if (r == 0)
			r = meet_way(l, way, frame, &way);
		if (r < 0)
			return r;
		n->met = way;
	}
	*ret = way;
	return 0;
}

/* The stack of a node without the lines that ran. */
static int stack_of_way(struct lexicon *l, uint32_t node, struct dict *to, uint32_t *ret)
{
	uint32_t way, depth = 0;
	int r = find_way(l, node, to, &way);

	if (r == 0 && way && l->ways[way - 1].met) {
		*ret = l->ways[way - 1].met - 1;
		return l->nodes[node].released;
	}
	for (uint32_t i = way; r == 0 && i; i = l->ways[i - 1].parent)
		r = put_path(l, &depth, l->ways[i - 1].frame);
	if (r == 0)
		r = put_stack(l, depth, to, ret);
	if (r < 0)
		return r;
	if (way)
		l->ways[way - 1].met = *ret + 1;
	return l->nodes[node].released;
}

int lexicon_stack(struct lexicon *l, uint32_t node, struct dict *to, uint32_t *ret)
{
	uint32_t depth;
	int r;

	if (l->no_lines)
		return stack_of_way(l, node, to, ret);
	/* the empty stack has a place as well: node 0 */
	if (node <= l->numbers[DICTIONARY_NODES] && l->nodes[node].met) {
		*ret = l->nodes[node].met - 1;
		return l->nodes[node].released;
	}
	r = walk(l, node, to, &depth);
	if (r < 0)
		return r;
	r = put_stack(l, depth, to, ret);
	if (r < 0)
		return r;
	l->nodes[node].met = *ret + 1;
	return l->nodes[node].released;
}

int lexicon_note(struct lexicon *l, uint32_t process, uint32_t **ret)
{
	struct lexicon_process *p = NULL;
	int r = lexicon_get_process(l, process, &p);

	if (r == 0)
		*ret = &p->note;
	return r;
}

int lexicon_process(struct lexicon *l, uint32_t process, struct profile_process *ret)
{
	struct profile_process p = {};
	struct lexicon_process *k = NULL;
	char **texts[PROCESS_TEXTS] = { &p.python,         &p.info.comm,    &p.info.exe,
					&p.info.cmdline,   &p.info.cgroup,  &p.info.unit,
					&p.info.container, &p.info.service, &p.info.version };
	int r = lexicon_get_process(l, process, &k);

	for (unsigned int i = 0; r == 0 && i < PROCESS_TEXTS; i++)
		r = lexicon_get_text(l, k->texts[i], (const char **)texts[i]);
	if (r < 0)
		return r;
	p.info.pid = (pid_t)k->pid;
	p.info.uid = (uid_t)k->uid;
	p.info.start_ticks = k->start_ticks;
	memcpy(&p.info.start_time, &k->start_time, sizeof(p.info.start_time));
	*ret = p;
	return 0;
}

int lexicon_text(struct lexicon *l, uint32_t text, const char **ret)
{
	return lexicon_get_text(l, text, ret);
}

int lexicon_function(struct lexicon *l, uint32_t function, struct dict_function *ret)
{
	struct lexicon_function *f = NULL;
	struct dict_function d = {};
	int r = lexicon_get_function(l, function, &f);

	if (r < 0)
		return r;
	d.line = f->line;
	d.kind = (enum plop_frame_kind)f->kind;
	r = lexicon_get_text(l, f->name, &d.name);
	if (r == 0)
		r = lexicon_get_text(l, f->file, &d.file);
	if (r == 0)
		r = lexicon_get_text(l, f->module, &d.module);
	if (r == 0)
		*ret = d;
	return r;
}

int lexicon_node(struct lexicon *l, uint32_t node, uint32_t *ret_parent, uint32_t *ret_function)
{
	struct lexicon_node *n = NULL;
	struct lexicon_frame *f = NULL;
	int r = lexicon_get_node(l, node, &n);

	if (r == 0)
		r = lexicon_get_frame(l, n->frame, &f);
	if (r < 0)
		return r;
	*ret_parent = n->parent;
	*ret_function = f->function;
	return n->released;
}

int lexicon_line(struct lexicon *l, uint32_t node, int *ret_first, int *ret_line)
{
	struct lexicon_function *function = NULL;
	struct lexicon_frame *f = NULL;
	struct lexicon_node *n = NULL;
	int r = lexicon_get_node(l, node, &n);

	if (r == 0)
		r = lexicon_get_frame(l, n->frame, &f);
	if (r == 0)
		r = lexicon_get_function(l, f->function, &function);
	if (r < 0)
		return r;
	*ret_first = function->line;
	*ret_line = f->line;
	return 0;
}
