/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <xxhash.h>
#include <zlib.h>

#include "http/poster.h"
#include "otlp.pb-c.h"
#include "plop/version.h"
#include "ship/push_part.h"
#include "util/utf8.h"

/*
 * OTLP over HTTP: one resource, which is the service, and one profile, of one value for each
 * sample: readers take no more than that. A message of protobuf is the concatenation of its parts,
 * so dictionary and profile are packed part by part and never exist as a tree.
 */
struct otlp {
	const struct push_part *part;
	struct dict *strings; /* its texts, in order; "" is the first */
	struct dict *modules; /* texts: module i is mapping 1 + i */
	struct buf dictionary, profile;
	uint32_t nattributes;
	/* attributes; 0: there is none yet */
	int32_t kinds[4], gil[SAMPLE_STATES];
	struct of_process {
		int32_t pid, comm;
	} * processes;
	int32_t *ids; /* of the locations of one stack */
};

static void otlp_done(struct otlp *o)
{
	dict_free(o->strings);
	dict_free(o->modules);
	buf_free(&o->dictionary);
	buf_free(&o->profile);
	free(o->processes);
	free(o->ids);
}

/* Packs more of a message behind what is there. */
static int emit(struct buf *b, const ProtobufCMessage *m)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	void *room = buf_reserve(b, size);

	if (!room)
		return b->error;
	b->size += protobuf_c_message_pack(m, room);
	return 0;
}

static int string(struct otlp *o, const char *s, int32_t *ret)
{
	_cleanup_free_ char *clean = utf8_clean(s);
	uint32_t id;
	int r;

	if (!clean)
		return -ENOMEM;
	r = dict_text(o->strings, clean, &id);
	if (r == 0)
		*ret = (int32_t)id;
	return r;
}

/* One more attribute: a text, or a number where text is NULL. */
static int attribute(struct otlp *o, const char *key, const char *text, int64_t number,
		     int32_t *ret)
{
	_cleanup_free_ char *clean = text ? utf8_clean(text) : NULL;
	Plop__Otlp__Dictionary d = PLOP__OTLP__DICTIONARY__INIT;
	Plop__Otlp__Attribute a = PLOP__OTLP__ATTRIBUTE__INIT;
	Plop__Otlp__Attribute *attributes[] = { &a };
	Plop__Otlp__Value value = PLOP__OTLP__VALUE__INIT;
	int r = string(o, key, &a.key);

	if (r < 0 || (text && !clean))
		return r < 0 ? r : -ENOMEM;
	value.value_case = text ? PLOP__OTLP__VALUE__VALUE_TEXT : PLOP__OTLP__VALUE__VALUE_NUMBER;
	if (text)
		value.text = clean;
	else
		value.number = number;
	a.value = &value;
	d.n_attributes = 1;
	d.attributes = attributes;
	*ret = (int32_t)o->nattributes++;
	return emit(&o->dictionary, &d.base);
}

/* The first entry of each table, which stands for none; that of the strings comes with them. */
static int put_zeros(struct otlp *o)
{
	Plop__Otlp__Dictionary d = PLOP__OTLP__DICTIONARY__INIT;
	Plop__Otlp__Mapping mapping = PLOP__OTLP__MAPPING__INIT, *mappings[] = { &mapping };
	Plop__Otlp__Location location = PLOP__OTLP__LOCATION__INIT, *locations[] = { &location };
	Plop__Otlp__Function function = PLOP__OTLP__FUNCTION__INIT, *functions[] = { &function };
	Plop__Otlp__Link link = PLOP__OTLP__LINK__INIT, *links[] = { &link };
	Plop__Otlp__Attribute attribute = PLOP__OTLP__ATTRIBUTE__INIT;
	Plop__Otlp__Attribute *attributes[] = { &attribute };
	Plop__Otlp__Stack stack = PLOP__OTLP__STACK__INIT, *stacks[] = { &stack };
	int32_t empty;
	int r = string(o, "", &empty);

	if (r < 0)
		return r;
	d.n_mappings = d.n_locations = d.n_functions = d.n_links = d.n_attributes = d.n_stacks = 1;
	d.mappings = mappings;
	d.locations = locations;
	d.functions = functions;
	d.links = links;
	d.attributes = attributes;
	d.stacks = stacks;
	o->nattributes = 1;
	return emit(&o->dictionary, &d.base);
}

static int put_head(struct otlp *o)
{
	const struct profile *p = o->part->profile;
	Plop__Otlp__ValueType samples = PLOP__OTLP__VALUE_TYPE__INIT, cpu = samples;
	Plop__Otlp__Profile m = PLOP__OTLP__PROFILE__INIT;
	XXH128_canonical_t id;
	_cleanup_buf_ struct buf key = {};
	int r = string(o, "samples", &samples.type);

	if (r == 0)
		r = string(o, "count", &samples.unit);
	if (r == 0)
		r = string(o, "cpu", &cpu.type);
	if (r == 0)
		r = string(o, "nanoseconds", &cpu.unit);
	/* the same of what is sent again */
	buf_printf(&key, "%" PRIu64 " %s %u %u", p->start_ns, o->part->from->host, o->part->first,
		   o->part->rows);
	if (r < 0 || key.error)
		return r < 0 ? r : key.error;
	XXH128_canonicalFromHash(&id, XXH3_128bits(key.data, key.size));
	m.sample_type = &samples;
	m.time_ns = p->start_ns;
	m.duration_ns = p->end_ns > p->start_ns ? p->end_ns - p->start_ns : 0;
	m.period_type = &cpu;
	m.period = (int64_t)(NSEC_PER_SEC / MAX(p->hz, 1u));
	m.id = (ProtobufCBinaryData){ sizeof(id.digest), id.digest };
	return emit(&o->profile, &m.base);
}

static int put_functions(struct otlp *o, const struct dict *d)
{
	for (uint32_t i = 0; i < dict_functions(d); i++) {
		const struct dict_function *f = dict_get_function(d, i);
		Plop__Otlp__Function function = PLOP__OTLP__FUNCTION__INIT;
		Plop__Otlp__Function *functions[] = { &function };
		Plop__Otlp__Dictionary m = PLOP__OTLP__DICTIONARY__INIT;
		int r = string(o, f->name, &function.name);

		if (r == 0)
			r = string(o, f->file, &function.file_name);
		if (r < 0)
			return r;
		function.start_line = f->line;
		m.n_functions = 1;
		m.functions = functions;
		r = emit(&o->dictionary, &m.base);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What kind of frame it is, in the words of OpenTelemetry; 0: what stands in brackets has none. */
static int kind_of(struct otlp *o, const struct dict_function *f, int32_t *ret)
{
	static const char *const names[] = {
		[PLOP_FRAME_PYTHON] = "cpython",
		[PLOP_FRAME_NATIVE] = "native",
		[PLOP_FRAME_KERNEL] = "kernel",
	};
	int r = 0;

	*ret = 0;
	if (f->kind >= ARRAY_SIZE(names) || !names[f->kind])
		return 0;
	if (!o->kinds[f->kind])
		r = attribute(o, "profile.frame.type", names[f->kind], 0, &o->kinds[f->kind]);
	*ret = o->kinds[f->kind];
	return r;
}

static int mapping_of(struct otlp *o, const struct dict_function *f, int32_t *ret)
{
	uint32_t id;
	int r;

	*ret = 0;
	if ((f->kind != PLOP_FRAME_NATIVE && f->kind != PLOP_FRAME_KERNEL) || !*f->module)
		return 0;
	r = dict_text(o->modules, f->module, &id);
	if (r == 0)
		*ret = (int32_t)id + 1;
	return r;
}

static int put_locations(struct otlp *o, const struct dict *d)
{
	for (uint32_t i = 0; i < dict_frames(d); i++) {
		const struct dict_frame *f = dict_get_frame(d, i);
		const struct dict_function *function = dict_get_function(d, f->function);
		Plop__Otlp__Location location = PLOP__OTLP__LOCATION__INIT;
		Plop__Otlp__Location *locations[] = { &location };
		Plop__Otlp__Line line = PLOP__OTLP__LINE__INIT, *lines[] = { &line };
		Plop__Otlp__Dictionary m = PLOP__OTLP__DICTIONARY__INIT;
		int32_t kind;
		int r = kind_of(o, function, &kind);

		if (r == 0)
			r = mapping_of(o, function, &location.mapping);
		if (r < 0)
			return r;
		line.function = (int32_t)f->function + 1;
		line.line = MAX(f->line, 0);
		location.n_lines = 1;
		location.lines = lines;
		location.n_attributes = kind != 0;
		location.attributes = &kind;
		m.n_locations = 1;
		m.locations = locations;
		r = emit(&o->dictionary, &m.base);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_mappings(struct otlp *o)
{
	for (uint32_t i = 0; i < dict_texts(o->modules); i++) {
		Plop__Otlp__Mapping mapping = PLOP__OTLP__MAPPING__INIT;
		Plop__Otlp__Mapping *mappings[] = { &mapping };
		Plop__Otlp__Dictionary m = PLOP__OTLP__DICTIONARY__INIT;
		int r = string(o, dict_get_text(o->modules, i), &mapping.file_name);

		if (r < 0)
			return r;
		m.n_mappings = 1;
		m.mappings = mappings;
		r = emit(&o->dictionary, &m.base);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_stacks(struct otlp *o, const struct dict *d)
{
	for (uint32_t i = 0; i < dict_stacks(d); i++) {
		const struct dict_stack *s = dict_get_stack(d, i);
		Plop__Otlp__Stack stack = PLOP__OTLP__STACK__INIT, *stacks[] = { &stack };
		Plop__Otlp__Dictionary m = PLOP__OTLP__DICTIONARY__INIT;
		int r;

		for (uint32_t k = 0; k < s->depth; k++)
			o->ids[k] = (int32_t)s->frames[s->depth - 1 - k] + 1;
		stack.n_locations = s->depth;
		stack.locations = o->ids;
		m.n_stacks = 1;
		m.stacks = stacks;
		r = emit(&o->dictionary, &m.base);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Of a sample: its process, and what is known of the GIL. */
#define MAX_ATTRIBUTES 3
static int attributes_of(struct otlp *o, const struct profile_sample *s,
			 int32_t ret[MAX_ATTRIBUTES], size_t *ret_n)
{
	const struct process_info *info = &o->part->profile->processes[s->process].info;
	struct of_process *process = &o->processes[s->process];
	int r = 0;

	*ret_n = 0;
	if (!process->pid)
		r = attribute(o, "process.pid", NULL, info->pid, &process->pid);
	if (r == 0 && !process->comm && *info->comm)
		r = attribute(o, "process.executable.name", info->comm, 0, &process->comm);
	if (r == 0 && *sample_gil(s->state) && !o->gil[s->state])
		r = attribute(o, "plop.gil", sample_gil(s->state), 0, &o->gil[s->state]);
	if (r < 0)
		return r;
	ret[(*ret_n)++] = process->pid;
	if (process->comm)
		ret[(*ret_n)++] = process->comm;
	if (o->gil[s->state])
		ret[(*ret_n)++] = o->gil[s->state];
	return 0;
}

static int put_samples(struct otlp *o, const struct profile *p)
{
	for (uint32_t i = 0; i < p->nsamples; i++) {
		const struct profile_sample *s = &p->samples[i];
		Plop__Otlp__Sample sample = PLOP__OTLP__SAMPLE__INIT, *samples[] = { &sample };
		Plop__Otlp__Profile m = PLOP__OTLP__PROFILE__INIT;
		int64_t count = (int64_t)s->count;
		int32_t attributes[MAX_ATTRIBUTES];
		int r = attributes_of(o, s, attributes, &sample.n_attributes);

		if (r < 0)
			return r;
		sample.stack = (int32_t)s->stack + 1;
		sample.attributes = attributes;
		sample.n_values = 1;
		sample.values = &count;
		m.n_samples = 1;
		m.samples = samples;
		r = emit(&o->profile, &m.base);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Last: by now every string is known. */
static int put_strings(struct otlp *o)
{
	for (uint32_t i = 0; i < dict_texts(o->strings); i++) {
		Plop__Otlp__Dictionary m = PLOP__OTLP__DICTIONARY__INIT;
		char *strings[] = { (char *)dict_get_text(o->strings, i) };
		int r;

		m.n_strings = 1;
		m.strings = strings;
		r = emit(&o->dictionary, &m.base);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The whole message: the resource, with the profile in it, and the dictionary. */
static int put_request(struct otlp *o, struct buf *out)
{
	const struct {
		const char *key, *value;
	} rows[] = {
		{ "service.name", o->part->service },
		{ "service.version", o->part->version },
		{ "host.name", o->part->from->host },
		{ "cloud.region", o->part->from->region },
	};
	Plop__Otlp__ResourceProfiles resource_profiles = PLOP__OTLP__RESOURCE_PROFILES__INIT;
	Plop__Otlp__ResourceProfiles *resources[] = { &resource_profiles };
	Plop__Otlp__ScopeProfiles scope_profiles = PLOP__OTLP__SCOPE_PROFILES__INIT;
	Plop__Otlp__ScopeProfiles *scopes[] = { &scope_profiles };
	Plop__Otlp__Resource resource = PLOP__OTLP__RESOURCE__INIT;
	Plop__Otlp__Scope scope = PLOP__OTLP__SCOPE__INIT;
	Plop__Otlp__Request request = PLOP__OTLP__REQUEST__INIT;
	Plop__Otlp__KeyValue pairs[ARRAY_SIZE(rows)], *all[ARRAY_SIZE(rows)];
	Plop__Otlp__Value values[ARRAY_SIZE(rows)];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!*rows[i].value)
			continue;
		plop__otlp__value__init(&values[i]);
		values[i].value_case = PLOP__OTLP__VALUE__VALUE_TEXT;
		values[i].text = (char *)rows[i].value;
		plop__otlp__key_value__init(&pairs[i]);
		pairs[i].key = (char *)rows[i].key;
		pairs[i].value = &values[i];
		all[resource.n_attributes++] = &pairs[i];
	}
	resource.attributes = all;
	scope.name = (char *)"plop";
	scope.version = (char *)PLOP_VERSION;
	scope_profiles.scope = &scope;
	scope_profiles.profile =
		(ProtobufCBinaryData){ o->profile.size, (uint8_t *)o->profile.data };
	resource_profiles.resource = &resource;
	resource_profiles.n_scopes = 1;
	resource_profiles.scopes = scopes;
	request.n_resources = 1;
	request.resources = resources;
	request.dictionary =
		(ProtobufCBinaryData){ o->dictionary.size, (uint8_t *)o->dictionary.data };
	return emit(out, &request.base);
}

static int otlp_init(struct otlp *o, const struct push_part *p)
{
	const struct profile *profile = p->profile;
	uint32_t deepest = 0;
	int r;

	*o = (struct otlp){ .part = p };
	for (uint32_t i = 0; i < dict_stacks(profile->dict); i++)
		deepest = MAX(deepest, dict_get_stack(profile->dict, i)->depth);
	r = dict_new(&o->strings);
	if (r == 0)
		r = dict_new(&o->modules);
	o->ids = calloc((size_t)deepest + 1, sizeof(*o->ids));
	o->processes = calloc((size_t)profile->nprocesses + 1, sizeof(*o->processes));
	return r < 0 ? r : o->ids && o->processes ? 0 : -ENOMEM;
}

int push_otlp_encode(const struct push_part *p, struct push_request *ret, size_t *ret_raw)
{
	_cleanup_(otlp_done) struct otlp o;
	_cleanup_buf_ struct buf all = {};
	int r = otlp_init(&o, p);

	if (r == 0)
		r = put_zeros(&o);
	if (r == 0)
		r = put_head(&o);
	if (r == 0)
		r = put_samples(&o, p->profile);
	if (r == 0)
		r = put_stacks(&o, p->profile->dict);
	if (r == 0)
		r = put_locations(&o, p->profile->dict);
	if (r == 0)
		r = put_mappings(&o);
	if (r == 0)
		r = put_functions(&o, p->profile->dict);
	if (r == 0)
		r = put_strings(&o);
	if (r == 0)
		r = put_request(&o, &all);
	if (r == 0)
		r = poster_gzip(&all, Z_DEFAULT_COMPRESSION, &ret->body);
	if (r < 0)
		return r;
	*ret_raw = all.size;
	ret->content_type = "application/x-protobuf";
	ret->gzip = true;
	ret->path = strdup("/v1development/profiles");
	return ret->path ? 0 : -ENOMEM;
}
