/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <inttypes.h>
#include <zlib.h>

#include "format/encoders.h"
#include "format/text.h"
#include "pprof.pb-c.h"
#include "util/utf8.h"

#define FLUSH (64 * 1024)
/* Ids of mappings: of all that is Python or synthetic, and of the first module. */
#define MAPPING_PYTHON  1
#define MAPPING_MODULES 2

/*
 * A protobuf message is the concatenation of its parts, so the profile is packed and compressed
 * piece by piece and never exists as a tree. Readers to please: Parca wants ids 1 to n in the order
 * of the tables and drops numeric labels; go tool pprof cuts <...> out of a name that equals
 * system_name, which therefore stays empty.
 */
struct writer {
	/* texts: those of native and kernel functions; text i has mapping MAPPING_MODULES + i */
	struct dict *modules;
	struct dict *strings; /* the string table: its texts, in order */
	struct buf packed;
	z_stream z;
	bool z_begun;
	struct buf *out;
	bool bare;       /* no labels */
	const char *cpu; /* what CPU time is called, where nothing else is told; NULL: all is */
};

static void writer_done(struct writer *w)
{
	dict_free(w->strings);
	dict_free(w->modules);
	buf_free(&w->packed);
	if (w->z_begun)
		deflateEnd(&w->z);
}

static int writer_init(struct writer *w, struct buf *out)
{
	int r;

	w->out = out;
	r = dict_new(&w->strings);
	if (r == 0)
		r = dict_new(&w->modules);
	if (r < 0)
		return r;
	/* 16: a gzip header, with neither time nor name, so that equal profiles are equal bytes. */
	if (deflateInit2(&w->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	w->z_begun = true;
	return 0;
}

static int compress_packed(struct writer *w, int flush)
{
	int z;

	if (w->packed.error)
		return w->packed.error;
	w->z.next_in = (unsigned char *)w->packed.data;
	w->z.avail_in = (unsigned int)w->packed.size;
	do {
		unsigned char *room = buf_reserve(w->out, FLUSH);

		if (!room)
			return w->out->error;
		w->z.next_out = room;
		w->z.avail_out = FLUSH;
		z = deflate(&w->z, flush);
		w->out->size += FLUSH - w->z.avail_out;
	} while (z == Z_OK && w->z.avail_out == 0);
	buf_clear(&w->packed);
	return 0;
}

static int emit(struct writer *w, const Plop__Pprof__Profile *part)
{
	size_t size = plop__pprof__profile__get_packed_size(part);
	void *room = buf_reserve(&w->packed, size);

	if (!room)
		return w->packed.error;
	w->packed.size += plop__pprof__profile__pack(part, room);
	return w->packed.size >= FLUSH ? compress_packed(w, Z_NO_FLUSH) : 0;
}

/* The string's index. */
static int string(struct writer *w, const char *s, int64_t *ret)
{
	_cleanup_free_ char *clean = utf8_clean(s);
	uint32_t id;
	int r;

	if (!clean)
		return -ENOMEM;
	r = dict_text(w->strings, clean, &id);
	if (r < 0)
		return r;
	*ret = id;
	return 0;
}

static int64_t period_ns(const struct profile *p)
{
	return (int64_t)(NSEC_PER_SEC / MAX(p->hz, 1u));
}

static int64_t cpu_ns(const struct profile *p, const struct profile_sample *s)
{
	return (int64_t)s->count * period_ns(p);
}

/* The ticks, then each label: 1 + LABELS_MAX at most. */
static int write_comments(struct writer *w, const struct profile *p, int64_t *ret, size_t *ret_n)
{
	for (size_t i = 0; i <= p->labels.n; i++) {
		_cleanup_buf_ struct buf b = {};
		_cleanup_free_ char *s = NULL;
		int r;

		if (i == 0)
			text_comment(&b, p);
		else
			buf_printf(&b, "label.%s=%s", p->labels.items[i - 1].key,
				   p->labels.items[i - 1].value);
		s = buf_string(&b);
		r = s ? string(w, s, &ret[i]) : -ENOMEM;
		if (r < 0)
			return r;
	}
	*ret_n = p->labels.n + 1;
	return 0;
}

static int write_head(struct writer *w, const struct profile *p)
{
	Plop__Pprof__ValueType count = PLOP__PPROF__VALUE_TYPE__INIT;
	Plop__Pprof__ValueType cpu = PLOP__PPROF__VALUE_TYPE__INIT, wall = cpu;
	Plop__Pprof__ValueType *types[] = { &count, &cpu, &wall };
	Plop__Pprof__Profile m = PLOP__PPROF__PROFILE__INIT;
	int64_t comments[1 + LABELS_MAX], empty;
	int r;

	r = string(w, "", &empty);
	if (r == 0)
		r = string(w, "samples", &count.type);
	if (r == 0)
		r = string(w, "count", &count.unit);
	if (r == 0)
		r = string(w, w->cpu ? w->cpu : "cpu", &cpu.type);
	if (r == 0)
		r = string(w, "nanoseconds", &cpu.unit);
	if (r == 0 && p->off_cpu)
		r = string(w, "wall", &wall.type);
	wall.unit = cpu.unit;
	if (r == 0)
		r = write_comments(w, p, comments, &m.n_comments);
	if (r < 0)
		return r;
	m.n_sample_types = w->cpu ? 1 : p->off_cpu ? 3 : 2;
	m.sample_types = w->cpu ? types + 1 : types;
	m.time_nanos = (int64_t)p->start_ns;
	m.duration_nanos = p->end_ns > p->start_ns ? (int64_t)(p->end_ns - p->start_ns) : 0;
	m.period_type = &cpu;
	m.period = period_ns(p);
	m.comments = comments;
	m.default_sample_type = p->off_cpu ? wall.type : cpu.type;
	return emit(w, &m);
}

/* Its flags say that nothing is left to symbolize. */
static int write_mapping(struct writer *w, uint64_t id, const char *name)
{
	Plop__Pprof__Mapping mapping = PLOP__PPROF__MAPPING__INIT;
	Plop__Pprof__Profile m = PLOP__PPROF__PROFILE__INIT;
	Plop__Pprof__Mapping *mappings[] = { &mapping };
	int r;

	mapping.id = id;
	mapping.has_functions = true;
	mapping.has_file_names = true;
	mapping.has_line_numbers = true;
	r = string(w, name, &mapping.file_name);
	if (r < 0)
		return r;
	m.n_mappings = 1;
	m.mappings = mappings;
	return emit(w, &m);
}

/*
 * One mapping for all that is Python, which comes first: readers show its file as the program. It
 * stands in brackets, so that it names no file: where go tool pprof can open it, it looks for our
 * locations in its machine code and its source view stays empty. Then one for each module of other
 * functions.
 */
static int write_mappings(struct writer *w, const struct profile *p)
{
	const char *exe = p->nprocesses ? p->processes[0].info.exe : "";
	_cleanup_free_ char *name = NULL;
	_cleanup_buf_ struct buf b = {};
	int r;

	for (uint32_t i = 1; i < p->nprocesses; i++)
		if (!streq(p->processes[i].info.exe, exe))
			exe = "";
	exe = strrchr(exe, '/') ? strrchr(exe, '/') + 1 : exe;
	buf_printf(&b, "[%s]", *exe ? exe : "python");
	name = buf_string(&b);
	if (!name)
		return -ENOMEM;
	r = write_mapping(w, MAPPING_PYTHON, name);
	for (uint32_t i = 0; r == 0 && i < dict_texts(w->modules); i++)
		r = write_mapping(w, MAPPING_MODULES + i, dict_get_text(w->modules, i));
	return r;
}

/* The mapping of a function. One whose module is not known is of the program. */
static int mapping_of(struct writer *w, const struct dict_function *f, uint64_t *ret)
{
	uint32_t id;
	int r;

	*ret = MAPPING_PYTHON;
	if (f->kind == PLOP_FRAME_PYTHON || f->kind == PLOP_FRAME_SYNTHETIC || !*f->module)
		return 0;
	r = dict_text(w->modules, f->module, &id);
	if (r == 0)
		*ret = MAPPING_MODULES + id;
	return r;
}

static int write_functions(struct writer *w, const struct dict *d)
{
	for (uint32_t i = 0; i < dict_functions(d); i++) {
		const struct dict_function *f = dict_get_function(d, i);
		Plop__Pprof__Function function = PLOP__PPROF__FUNCTION__INIT;
		Plop__Pprof__Profile m = PLOP__PPROF__PROFILE__INIT;
		Plop__Pprof__Function *functions[] = { &function };
		int r;

		function.id = i + UINT64_C(1);
		function.start_line = f->line;
		r = string(w, f->name, &function.name);
		if (r == 0)
			r = string(w, f->file, &function.file_name);
		if (r < 0)
			return r;
		m.n_functions = 1;
		m.functions = functions;
		r = emit(w, &m);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_locations(struct writer *w, const struct dict *d)
{
	for (uint32_t i = 0; i < dict_frames(d); i++) {
		const struct dict_frame *f = dict_get_frame(d, i);
		Plop__Pprof__Location location = PLOP__PPROF__LOCATION__INIT;
		Plop__Pprof__Profile m = PLOP__PPROF__PROFILE__INIT;
		Plop__Pprof__Location *locations[] = { &location };
		Plop__Pprof__Line line = PLOP__PPROF__LINE__INIT;
		Plop__Pprof__Line *lines[] = { &line };
		int r;

		r = mapping_of(w, dict_get_function(d, f->function), &location.mapping_id);
		if (r < 0)
			return r;
		line.function_id = f->function + UINT64_C(1);
		line.line = MAX(f->line, 0);
		location.id = i + UINT64_C(1);
		location.n_lines = 1;
		location.lines = lines;
		m.n_locations = 1;
		m.locations = locations;
		r = emit(w, &m);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Of one sample: of its process, of the sample itself, and those of the recording. */
#define MAX_LABELS (7 + 4 + LABELS_MAX)

/* A label as strings' numbers. */
struct pair {
	int64_t key, value;
};
struct pairs {
	struct pair items[MAX_LABELS];
	size_t n;
};

/* The labels that many samples share, put into strings once. */
struct labels_of {
	struct pairs recording;
	struct pairs *processes; /* n 0: not yet */
	uint64_t *ids;           /* of the locations of one sample */
};

static void labels_of_done(struct labels_of *l)
{
	free(l->processes);
	free(l->ids);
}

static int put(struct writer *w, struct pairs *l, const char *key, const char *value)
{
	struct pair *item = &l->items[l->n];
	int r;

	assert(l->n < MAX_LABELS);
	r = string(w, key, &item->key);
	if (r == 0)
		r = string(w, value, &item->value);
	l->n += r == 0;
	return r;
}

static int put_number(struct writer *w, struct pairs *l, const char *key, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	return put(w, l, key, text);
}

static int put_process(struct writer *w, struct pairs *l, const struct process_info *info)
{
	const struct {
		const char *key, *value;
	} rows[] = {
		{ "service", info->service }, { "version", info->version },
		{ "unit", info->unit },       { "container", info->container },
		{ "cgroup", info->cgroup },
	};
	int r;

	r = put_number(w, l, "pid", (uint64_t)info->pid);
	if (r == 0)
		r = put(w, l, "comm", info->comm);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rows); i++)
		if (*rows[i].value)
			r = put(w, l, rows[i].key, rows[i].value);
	return r;
}

/* Somebody's own label of a name that plop gives, too, becomes label.NAME. */
static int put_recording(struct writer *w, struct pairs *l, const struct labels *labels)
{
	static const char *const own[] = { "pid",    "comm",  "service",    "version",
					   "unit",   "gil",   "container",  "cgroup",
					   "thread", "state", "thread_name" };
	char key[sizeof("label.") + LABEL_KEY_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < labels->n; i++) {
		bool taken = false;

		for (size_t k = 0; k < ARRAY_SIZE(own); k++)
			taken |= streq(own[k], labels->items[i].key);
		snprintf(key, sizeof(key), "%s%s", taken ? "label." : "", labels->items[i].key);
		r = put(w, l, key, labels->items[i].value);
	}
	return r;
}

static int put_sample(struct writer *w, struct pairs *l, const struct profile *p,
		      const struct profile_sample *s)
{
	const char *name = profile_thread_name(p, s->process, s->thread);
	const char *gil = sample_gil(s->state);
	int r = 0;

	if (s->thread)
		r = put_number(w, l, "thread", s->thread);
	if (r == 0 && *name)
		r = put(w, l, "thread_name", name);
	if (r == 0 && *gil)
		r = put(w, l, "gil", gil);
	/* Without time off CPU all that was seen ran, and says no more than that by being there. */
	if (r == 0 && (p->off_cpu || s->state >= SAMPLE_WAITING_GIL))
		r = put(w, l, "state", sample_doing(s->state));
	return r;
}

static size_t add_labels(Plop__Pprof__Label *items, Plop__Pprof__Label **pointers, size_t n,
			 const struct pairs *l)
{
	for (size_t i = 0; i < l->n; i++, n++) {
		plop__pprof__label__init(&items[n]);
		items[n].key = l->items[i].key;
		items[n].str = l->items[i].value;
		pointers[n] = &items[n];
	}
	return n;
}

static int write_sample(struct writer *w, const struct profile *p, const struct profile_sample *s,
			struct labels_of *all)
{
	const struct dict_stack *stack = dict_get_stack(p->dict, s->stack);
	int64_t values[] = { (int64_t)s->count, cpu_ns(p, s),
			     cpu_ns(p, s) + (int64_t)s->off_cpu_ns };
	Plop__Pprof__Label items[MAX_LABELS], *pointers[MAX_LABELS];
	struct pairs *process = &all->processes[s->process], own = {};
	Plop__Pprof__Sample sample = PLOP__PPROF__SAMPLE__INIT;
	Plop__Pprof__Profile m = PLOP__PPROF__PROFILE__INIT;
	Plop__Pprof__Sample *samples[] = { &sample };
	int r = 0;

	for (uint32_t i = 0; i < stack->depth; i++)
		all->ids[i] = stack->frames[stack->depth - 1 - i] + UINT64_C(1);
	if (!w->bare && !process->n)
		r = put_process(w, process, &p->processes[s->process].info);
	if (!w->bare && r == 0)
		r = put_sample(w, &own, p, s);
	if (r < 0)
		return r;
	sample.n_location_ids = stack->depth;
	sample.location_ids = all->ids;
	sample.n_values = w->cpu ? 1 : p->off_cpu ? 3 : 2;
	sample.values = w->cpu ? values + 1 : values;
	sample.n_labels = add_labels(items, pointers, 0, process);
	sample.n_labels = add_labels(items, pointers, sample.n_labels, &own);
	sample.n_labels = add_labels(items, pointers, sample.n_labels, &all->recording);
	sample.labels = pointers;
	m.n_samples = 1;
	m.samples = samples;
	return emit(w, &m);
}

static int write_samples(struct writer *w, const struct profile *p)
{
	_cleanup_(labels_of_done) struct labels_of all = {};
	uint32_t deepest = 0;
	int r;

	for (uint32_t i = 0; i < dict_stacks(p->dict); i++)
		deepest = MAX(deepest, dict_get_stack(p->dict, i)->depth);
	all.ids = calloc((size_t)deepest + 1, sizeof(*all.ids));
	all.processes = calloc((size_t)p->nprocesses + 1, sizeof(*all.processes));
	if (!all.ids || !all.processes)
		return -ENOMEM;
	r = put_recording(w, &all.recording, &p->labels);
	for (uint32_t i = 0; r == 0 && i < p->nsamples; i++)
		r = write_sample(w, p, &p->samples[i], &all);
	return r;
}

/* Last: by now every string is known. */
static int write_strings(struct writer *w)
{
	for (uint32_t i = 0; i < dict_texts(w->strings); i++) {
		Plop__Pprof__Profile m = PLOP__PPROF__PROFILE__INIT;
		char *strings[] = { (char *)dict_get_text(w->strings, i) };
		int r;

		m.n_strings = 1;
		m.strings = strings;
		r = emit(w, &m);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_all(struct writer *w, const struct profile *p, struct buf *out)
{
	int r = writer_init(w, out);

	if (r == 0)
		r = write_head(w, p);
	if (r == 0)
		r = write_samples(w, p);
	if (r == 0)
		r = write_locations(w, p->dict);
	if (r == 0)
		r = write_mappings(w, p);
	if (r == 0)
		r = write_functions(w, p->dict);
	if (r == 0)
		r = write_strings(w);
	return r == 0 ? compress_packed(w, Z_FINISH) : r;
}

int pprof_encode_bare(const struct profile *p, const char *cpu, struct buf *out)
{
	_cleanup_(writer_done) struct writer w = { .bare = true, .cpu = cpu };

	return write_all(&w, p, out);
}

int pprof_encode(const struct profile *p, struct buf *out)
{
	_cleanup_(writer_done) struct writer w = {};

	return write_all(&w, p, out);
}
