/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/lexicon.h"

#include <limits.h>

#include "util/array.h"

struct lexicon_addition {
	int64_t id;
	uint32_t last[DICTIONARY_PARTS]; /* numbers, with it */
	struct unpacked blob;            /* its texts stay */
	bool loaded;
};

/* Numbers of texts and functions are 0 where nothing is loaded yet. */
struct lexicon_function {
	uint32_t name, file, module;
	int line;
	uint32_t kind;
	uint32_t met; /* id in the profile's dict, + 1; 0: not met yet */
};

struct lexicon_frame {
	uint32_t function;
	int line;
	uint32_t met;
};

struct lexicon_node {
	uint32_t parent;
	uint32_t frame : 31, released : 1;
	uint32_t met; /* the stack, + 1 */
};

struct lexicon_process {
	uint64_t start_ticks, start_time;
	uint32_t pid, uid, texts[PROCESS_TEXTS];
	uint32_t note;
};

static const size_t sizes[DICTIONARY_PARTS] = {
	[DICTIONARY_TEXTS] = sizeof(char *),
	[DICTIONARY_FUNCTIONS] = sizeof(struct lexicon_function),
	[DICTIONARY_FRAMES] = sizeof(struct lexicon_frame),
	[DICTIONARY_NODES] = sizeof(struct lexicon_node),
	[DICTIONARY_PROCESSES] = sizeof(struct lexicon_process),
};

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
	       l->path_room * sizeof(*l->path);
}

/* One more addition, which ends with the numbers that the row says. */
static int add_head(struct lexicon *l)
{
	struct lexicon_addition a = { .id = sqlite3_column_int64(l->heads, 0) };
	void *array = l->additions;
	int r;

	for (int i = 0; i < DICTIONARY_PARTS; i++) {
		int64_t last = sqlite3_column_int64(l->heads, 1 + i);

		if (last < l->numbers[i] || last > DICTIONARY_MOST)
			return -EBADMSG;
		a.last[i] = l->numbers[i] = (uint32_t)last;
	}
	r = array_reserve(&array, l->nadditions, &l->additions_room, sizeof(*l->additions));
	if (r < 0)
		return r;
	l->additions = array;
	l->additions[l->nadditions++] = a;
	return 0;
}

/* Memory that is not written to costs nothing: most of a dictionary is not loaded. */
static int make_room(struct lexicon *l)
{
	void *rooms[DICTIONARY_PARTS];
	bool all = true;

	for (int i = 0; i < DICTIONARY_PARTS; i++) {
		rooms[i] = calloc((size_t)l->numbers[i] + 1, sizes[i]);
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

/* Takes a step from *last, which becomes the number that it leads to: one from 1 to most. */
static int get_step(struct packed *p, uint32_t *last, uint32_t most)
{
	int64_t step;
	int r = packed_get_signed(p, &step);

	if (r < 0)
		return r;
	if (__builtin_add_overflow(step, (int64_t)*last, &step) || step < 1 || step > most)
		return -EBADMSG;
	*last = (uint32_t)step;
	return 0;
}

static int get_line(struct packed *p, int base, int *ret)
{
	int64_t line;
	int r = packed_get_signed(p, &line);

	if (r < 0)
		return r;
	if (__builtin_add_overflow(line, (int64_t)base, &line) || line > INT_MAX || line < INT_MIN)
		return -EBADMSG;
	*ret = (int)line;
	return 0;
}

static int get_u32(struct packed *p, uint32_t *ret)
{
	uint64_t v;
	int r = packed_get(p, &v);

	if (r < 0)
		return r;
	if (v > UINT32_MAX)
		return -EBADMSG;
	*ret = (uint32_t)v;
	return 0;
}

static int load_texts(struct lexicon *l, struct packed *parts, uint32_t first, uint32_t last)
{
	struct packed *p = &parts[ADDITION_TEXTS];

	for (uint32_t i = first; i <= last; i++) {
		const uint8_t *end = memchr(p->at, '\0', (size_t)(p->end - p->at));

		if (!end)
			return -EBADMSG;
		l->texts[i] = (const char *)p->at;
		p->at = end + 1;
	}
	return 0;
}

static int load_functions(struct lexicon *l, struct packed *parts, uint32_t first, uint32_t last,
			  uint32_t texts)
{
	uint32_t name = 0, file = 0, module = 0;

	for (uint32_t i = first; i <= last; i++) {
		struct lexicon_function f = {};
		int r = get_step(&parts[ADDITION_NAMES], &name, texts);

		if (r == 0)
			r = get_step(&parts[ADDITION_FILES], &file, texts);
		if (r == 0)
			r = get_line(&parts[ADDITION_LINES], 0, &f.line);
		if (r == 0)
			r = get_u32(&parts[ADDITION_KINDS], &f.kind);
		if (r == 0)
			r = get_step(&parts[ADDITION_KINDS], &module, texts);
		if (r < 0)
			return r;
		if (f.kind >= PLOP_FRAME_KINDS)
			return -EBADMSG;
		f.name = name;
		f.file = file;
		f.module = module;
		l->functions[i] = f;
	}
	return 0;
}

/* A frame's line is from that of its function, which is loaded with it. */
static int get_function(struct lexicon *l, uint32_t number, struct lexicon_function **ret);

static int load_frames(struct lexicon *l, struct packed *parts, uint32_t first, uint32_t last,
		       uint32_t functions)
{
	uint32_t function = 0;

	for (uint32_t i = first; i <= last; i++) {
		struct lexicon_function *f = NULL;
		int r = get_step(&parts[ADDITION_FRAMES], &function, functions);

		if (r == 0)
			r = get_function(l, function, &f);
		if (r == 0)
			r = get_line(&parts[ADDITION_FRAMES], f->line, &l->frames[i].line);
		if (r < 0)
			return r;
		l->frames[i].function = function;
	}
	return 0;
}

static int load_nodes(struct lexicon *l, struct packed *parts, uint32_t first, uint32_t last,
		      uint32_t frames)
{
	uint32_t frame = 0, up;

	for (uint32_t i = first; i <= last; i++) {
		int r = get_u32(&parts[ADDITION_NODE_PARENTS], &up);
		bool released = r == 0 && up == 0;

		if (released)
			r = get_u32(&parts[ADDITION_NODE_PARENTS], &up);
		if (r == 0)
			r = get_step(&parts[ADDITION_NODE_FRAMES], &frame, frames);
		if (r < 0)
			return r;
		if (up == 0 || up > i)
			return -EBADMSG;
		l->nodes[i] = (struct lexicon_node){ i - up, frame, released, 0 };
	}
	return 0;
}

static int load_processes(struct lexicon *l, struct packed *parts, uint32_t first, uint32_t last,
			  uint32_t texts)
{
	struct packed *p = &parts[ADDITION_PROCESSES];
	struct lexicon_process at = {};

	for (uint32_t i = first; i <= last; i++) {
		int64_t pid, ticks, time;
		int r = packed_get_signed(p, &pid);

		if (r == 0)
			r = packed_get_signed(p, &ticks);
		if (r == 0)
			r = packed_get_signed(p, &time);
		if (r == 0)
			r = get_u32(p, &at.uid);
		for (unsigned int k = 0; r == 0 && k < PROCESS_TEXTS; k++)
			r = get_step(&parts[ADDITION_PROCESS_TEXTS], &at.texts[k], texts);
		if (r < 0)
			return r;
		at.pid += (uint32_t)pid;
		at.start_ticks += (uint64_t)ticks;
		at.start_time += (uint64_t)time;
		l->processes[i] = at;
	}
	return 0;
}

static int load_parts(struct lexicon *l, const struct lexicon_addition *a, const uint32_t *before)
{
	struct packed parts[ADDITION_SECTIONS];
	const uint32_t *last = a->last;
	int r;

	memcpy(parts, a->blob.parts, sizeof(parts));
	r = load_texts(l, parts, before[DICTIONARY_TEXTS] + 1, last[DICTIONARY_TEXTS]);
	if (r == 0)
		r = load_functions(l, parts, before[DICTIONARY_FUNCTIONS] + 1,
				   last[DICTIONARY_FUNCTIONS], last[DICTIONARY_TEXTS]);
	if (r == 0)
		r = load_frames(l, parts, before[DICTIONARY_FRAMES] + 1, last[DICTIONARY_FRAMES],
				last[DICTIONARY_FUNCTIONS]);
	if (r == 0)
		r = load_nodes(l, parts, before[DICTIONARY_NODES] + 1, last[DICTIONARY_NODES],
			       last[DICTIONARY_FRAMES]);
	if (r == 0)
		r = load_processes(l, parts, before[DICTIONARY_PROCESSES] + 1,
				   last[DICTIONARY_PROCESSES], last[DICTIONARY_TEXTS]);
	/* nothing is left over */
	for (int i = 0; r == 0 && i < ADDITION_SECTIONS; i++)
		r = parts[i].at == parts[i].end ? 0 : -EBADMSG;
	return r;
}

static int unpack_row(struct lexicon *l, struct lexicon_addition *a)
{
	int64_t numbers[DICTIONARY_PARTS];
	const void *data;
	size_t size;
	int r;

	for (int i = 0; i < DICTIONARY_PARTS; i++)
		numbers[i] = a->last[i];
	sqlite3_reset(l->blob);
	sqlite3_bind_int64(l->blob, 1, a->id);
	r = db_step(l->blob);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	data = sqlite3_column_blob(l->blob, 0);
	size = (size_t)sqlite3_column_bytes(l->blob, 0);
	if (!data || dictionary_hash(l->seed, a->id, numbers, DICTIONARY_PARTS, data, size) !=
			     (uint64_t)sqlite3_column_int64(l->blob, 1))
		return -EBADMSG;
	return sections_unpack(data, size, ADDITION_SECTIONS, &a->blob);
}

static int load(struct lexicon *l, uint32_t addition)
{
	static const uint32_t none[DICTIONARY_PARTS];
	const uint32_t *before = addition ? l->additions[addition - 1].last : none;
	struct lexicon_addition *a = &l->additions[addition];
	int r;

	if (a->loaded)
		return 0;
	/* before what it refers to is, so that one that refers to itself ends here */
	a->loaded = true;
	r = unpack_row(l, a);
	sqlite3_reset(l->blob);
	if (r == 0)
		r = load_parts(l, a, before);
	l->bytes += a->blob.size;
	for (int i = 0; i < DICTIONARY_PARTS; i++)
		l->bytes += (a->last[i] - before[i]) * sizes[i];
	return r;
}

/* Has the addition loaded that has the number. -EBADMSG: none has it. */
static int load_number(struct lexicon *l, enum dictionary_part part, uint32_t number)
{
	uint32_t low = 0, high = l->nadditions;

	if (number == 0 || number > l->numbers[part])
		return -EBADMSG;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (l->additions[mid].last[part] < number)
			low = mid + 1;
		else
			high = mid;
	}
	return load(l, low);
}

static int get_text(struct lexicon *l, uint32_t number, const char **ret)
{
	int r = 0;

	if (number > l->numbers[DICTIONARY_TEXTS] || !l->texts[number])
		r = load_number(l, DICTIONARY_TEXTS, number);
	if (r == 0 && !l->texts[number])
		r = -EBADMSG;
	if (r == 0)
		*ret = l->texts[number];
	return r;
}

static int get_function(struct lexicon *l, uint32_t number, struct lexicon_function **ret)
{
	int r = 0;

	if (number > l->numbers[DICTIONARY_FUNCTIONS] || !l->functions[number].name)
		r = load_number(l, DICTIONARY_FUNCTIONS, number);
	if (r == 0 && !l->functions[number].name)
		r = -EBADMSG;
	if (r == 0)
		*ret = &l->functions[number];
	return r;
}

static int get_frame(struct lexicon *l, uint32_t number, struct lexicon_frame **ret)
{
	int r = 0;

	if (number > l->numbers[DICTIONARY_FRAMES] || !l->frames[number].function)
		r = load_number(l, DICTIONARY_FRAMES, number);
	if (r == 0 && !l->frames[number].function)
		r = -EBADMSG;
	if (r == 0)
		*ret = &l->frames[number];
	return r;
}

static int get_node(struct lexicon *l, uint32_t number, struct lexicon_node **ret)
{
	int r = 0;

	if (number > l->numbers[DICTIONARY_NODES] || !l->nodes[number].frame)
		r = load_number(l, DICTIONARY_NODES, number);
	if (r == 0 && !l->nodes[number].frame)
		r = -EBADMSG;
	if (r == 0)
		*ret = &l->nodes[number];
	return r;
}

static int meet_function(struct lexicon *l, uint32_t number, struct dict *to, uint32_t *ret)
{
	struct lexicon_function *f = NULL;
	struct dict_function d = {};
	int r = get_function(l, number, &f);

	if (r < 0)
		return r;
	if (!f->met) {
		d.line = f->line;
		d.kind = (enum plop_frame_kind)f->kind;
		r = get_text(l, f->name, &d.name);
		if (r == 0)
			r = get_text(l, f->file, &d.file);
		if (r == 0)
			r = get_text(l, f->module, &d.module);
		if (r == 0)
			r = dict_function(to, &d, ret);
		if (r < 0)
			return r;
		f->met = *ret + 1;
	}
	*ret = f->met - 1;
	return 0;
}

static int meet_frame(struct lexicon *l, uint32_t number, struct dict *to, uint32_t *ret)
{
	struct lexicon_frame *f = NULL;
	uint32_t function;
	int r = get_frame(l, number, &f);

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

/* The frames from a node up, the innermost first, into l->path. */
static int walk(struct lexicon *l, uint32_t node, struct dict *to, uint32_t *ret_depth)
{
	struct lexicon_node *n = NULL;
	uint32_t depth = 0;
	int r;

	for (; node; node = n->parent) {
		void *array = l->path;

		r = depth < DICTIONARY_DEPTH ? get_node(l, node, &n) : -EBADMSG;
		if (r == 0)
			r = array_reserve(&array, depth, &l->path_room, sizeof(*l->path));
		if (r < 0)
			return r;
		l->path = array;
		r = meet_frame(l, n->frame, to, &l->path[depth++]);
		if (r < 0)
			return r;
	}
	*ret_depth = depth;
	return 0;
}

int lexicon_stack(struct lexicon *l, uint32_t node, struct dict *to, uint32_t *ret)
{
	uint32_t depth;
	int r;

	/* the empty stack has a place as well: node 0 */
	if (node <= l->numbers[DICTIONARY_NODES] && l->nodes[node].met) {
		*ret = l->nodes[node].met - 1;
		return l->nodes[node].released;
	}
	r = walk(l, node, to, &depth);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < depth / 2; i++) {
		uint32_t frame = l->path[i];

		l->path[i] = l->path[depth - 1 - i];
		l->path[depth - 1 - i] = frame;
	}
	r = dict_stack(to, l->path, depth, ret);
	if (r < 0)
		return r;
	l->nodes[node].met = *ret + 1;
	return l->nodes[node].released;
}

static int get_process(struct lexicon *l, uint32_t number, struct lexicon_process **ret)
{
	int r = 0;

	if (number > l->numbers[DICTIONARY_PROCESSES] || !l->processes[number].texts[0])
		r = load_number(l, DICTIONARY_PROCESSES, number);
	if (r == 0 && !l->processes[number].texts[0])
		r = -EBADMSG;
	if (r == 0)
		*ret = &l->processes[number];
	return r;
}

int lexicon_note(struct lexicon *l, uint32_t process, uint32_t **ret)
{
	struct lexicon_process *p = NULL;
	int r = get_process(l, process, &p);

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
	int r = get_process(l, process, &k);

	for (unsigned int i = 0; r == 0 && i < PROCESS_TEXTS; i++)
		r = get_text(l, k->texts[i], (const char **)texts[i]);
	if (r < 0)
		return r;
	p.info.pid = (pid_t)k->pid;
	p.info.uid = (uid_t)k->uid;
	p.info.start_ticks = k->start_ticks;
	memcpy(&p.info.start_time, &k->start_time, sizeof(p.info.start_time));
	*ret = p;
	return 0;
}
