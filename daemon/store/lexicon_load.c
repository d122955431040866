/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/lexicon_load.h"

#include <limits.h>

const size_t lexicon_sizes[DICTIONARY_PARTS] = {
	[DICTIONARY_TEXTS] = sizeof(char *),
	[DICTIONARY_FUNCTIONS] = sizeof(struct lexicon_function),
	[DICTIONARY_FRAMES] = sizeof(struct lexicon_frame),
	[DICTIONARY_NODES] = sizeof(struct lexicon_node),
	[DICTIONARY_PROCESSES] = sizeof(struct lexicon_process),
};

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
static int load_frames(struct lexicon *l, struct packed *parts, uint32_t first, uint32_t last,
		       uint32_t functions)
{
	uint32_t function = 0;

	for (uint32_t i = first; i <= last; i++) {
		struct lexicon_function *f = NULL;
		int r = get_step(&parts[ADDITION_FRAMES], &function, functions);

		if (r == 0)
			r = lexicon_get_function(l, function, &f);
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
		l->bytes += (a->last[i] - before[i]) * lexicon_sizes[i];
	return r;
}

int lexicon_load_first(struct lexicon *l)
{
	static const uint32_t none[DICTIONARY_PARTS];

	l->additions[0].loaded = true;
	return load_parts(l, &l->additions[0], none);
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

int lexicon_get_text(struct lexicon *l, uint32_t number, const char **ret)
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

int lexicon_get_function(struct lexicon *l, uint32_t number, struct lexicon_function **ret)
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

int lexicon_get_frame(struct lexicon *l, uint32_t number, struct lexicon_frame **ret)
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

int lexicon_get_node(struct lexicon *l, uint32_t number, struct lexicon_node **ret)
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

int lexicon_get_process(struct lexicon *l, uint32_t number, struct lexicon_process **ret)
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

int lexicon_load_all(struct lexicon *l)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < l->nadditions; i++)
		r = load(l, i);
	return r;
}
