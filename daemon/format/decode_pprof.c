/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/decode.h"

#include "util/array.h"
#include "util/index.h"
#include "util/utf8.h"

/*
 * pprof's profile.proto, as far as it is needed, read where it lies: nothing is allocated by a size
 * that the file says. Numbers of fields and wire types are those of profile.proto and of
 * protobuf.dev/programming-guides/encoding.
 */
struct span {
	const uint8_t *at, *end;
};

struct field {
	uint32_t number;
	uint64_t value;   /* of wire type 0 */
	struct span span; /* of wire type 2; of others NULL */
};

static bool get_varint(struct span *s, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64 && s->at < s->end; shift += 7) {
		uint8_t byte = *s->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* The next field. 1; 0: there is none; -EBADMSG. */
static int get_field(struct span *s, struct field *ret)
{
	uint64_t tag, size = 0;

	if (s->at == s->end)
		return 0;
	*ret = (struct field){};
	if (!get_varint(s, &tag))
		return -EBADMSG;
	ret->number = (uint32_t)(tag >> 3);
	switch (tag & 7) {
	case 0:
		return get_varint(s, &ret->value) ? 1 : -EBADMSG;
	case 1:
		size = 8;
		break;
	case 5:
		size = 4;
		break;
	case 2:
		if (!get_varint(s, &size))
			return -EBADMSG;
		ret->span = (struct span){ s->at, s->at + MIN(size, (uint64_t)(s->end - s->at)) };
		break;
	default:
		return -EBADMSG;
	}
	if (size > (uint64_t)(s->end - s->at))
		return -EBADMSG;
	s->at += size;
	return 1;
}

/* The numbers of a repeated field, packed or one by one: the next of them. */
static bool next_number(struct field *f, uint64_t *ret)
{
	if (!f->span.at) {
		*ret = f->value;
		f->span.at = f->span.end = (const uint8_t *)"";
		return true;
	}
	return f->span.at < f->span.end && get_varint(&f->span, ret);
}

/* What has an id: a location's frames, or a function's number in the dict. */
struct item {
	uint64_t id;
	struct span message;
	uint32_t function; /* of a function: in the dict */
};
struct items {
	struct item *items;
	uint32_t n, room;
	struct index index;
};

static void items_done(struct items *x)
{
	free(x->items);
	index_done(&x->index);
}

static int items_add(struct items *x, uint64_t id, struct span message, uint32_t function)
{
	void *array = x->items;
	int r = index_reserve(&x->index, 1);

	if (r == 0)
		r = array_reserve(&array, x->n, &x->room, sizeof(*x->items));
	if (r < 0)
		return r;
	x->items = array;
	index_add(&x->index, index_hash(id, 0), x->n);
	x->items[x->n++] = (struct item){ id, message, function };
	return 0;
}

static const struct item *items_find(const struct items *x, uint64_t id)
{
	uint32_t hash = index_hash(id, 0), i;

	for (uint32_t at = index_start(&x->index, hash); index_next(&x->index, hash, &at, &i);)
		if (x->items[i].id == id)
			return &x->items[i];
	return NULL;
}

struct reading {
	struct span file;
	struct dict *dict;
	struct items strings; /* by number: where the text lies */
	struct items functions, locations;
	uint32_t unknown; /* the frame of a location without a function */
	uint32_t value;   /* which of a sample's values counts */
	uint64_t period;  /* what it is divided by */
};

static void reading_done(struct reading *x)
{
	items_done(&x->strings);
	items_done(&x->functions);
	items_done(&x->locations);
}

/* A string of the table, cleaned. Owned by the caller; NULL: out of memory. */
static char *string_of(const struct reading *x, uint64_t number)
{
	_cleanup_free_ char *raw = NULL;

	if (number >= x->strings.n)
		return strdup("");
	raw = strndup((const char *)x->strings.items[number].message.at,
		      (size_t)(x->strings.items[number].message.end -
			       x->strings.items[number].message.at));
	return raw ? utf8_clean(raw) : NULL;
}

/* The value of a field of a message, 0 where it has none. -EBADMSG. */
static int value_of(struct span message, uint32_t number, uint64_t *ret)
{
	struct field f;
	int r;

	*ret = 0;
	while ((r = get_field(&message, &f)) > 0)
		if (f.number == number && !f.span.at)
			*ret = f.value;
	return r;
}

/* Strings (6), functions (5) and locations (4): what others refer to. */
static int collect(struct reading *x)
{
	struct span rest = x->file;
	struct field f;
	uint64_t id;
	int r;

	while ((r = get_field(&rest, &f)) > 0) {
		struct items *to = f.number == 4 ? &x->locations : &x->functions;

		if (!f.span.at || f.number < 4 || f.number > 6)
			continue;
		if (f.number == 6) {
			r = items_add(&x->strings, x->strings.n, f.span, 0);
		} else {
			r = value_of(f.span, 1, &id);
			if (r == 0)
				r = items_add(to, id, f.span, 0);
		}
		if (r < 0)
			return r;
	}
	return r;
}

static int make_function(struct reading *x, struct item *i)
{
	_cleanup_free_ char *name = NULL, *file = NULL;
	uint64_t name_number, file_number, line;
	struct dict_function f = { .module = "", .kind = PLOP_FRAME_PYTHON };
	int r = value_of(i->message, 2, &name_number);

	if (r == 0)
		r = value_of(i->message, 4, &file_number);
	if (r == 0)
		r = value_of(i->message, 5, &line);
	if (r < 0)
		return r;
	name = string_of(x, name_number);
	file = string_of(x, file_number);
	if (!name || !file)
		return -ENOMEM;
	f.name = name;
	f.file = file;
	if (*name == '[' && !*file)
		f.kind = PLOP_FRAME_SYNTHETIC;
	else if (*file && !strstr(file, ".py") && *file != '<')
		f.kind = PLOP_FRAME_NATIVE;
	return dict_function(x->dict, &f, &i->function);
}

static bool is_called(const struct reading *x, uint64_t number, const char *name)
{
	size_t size = strlen(name);

	return number < x->strings.n &&
	       (size_t)(x->strings.items[number].message.end -
			x->strings.items[number].message.at) == size &&
	       memcmp(x->strings.items[number].message.at, name, size) == 0;
}

/* Which value of a sample counts samples; else the last one, which is divided by the period. */
static int choose_value(struct reading *x, struct decoded *to)
{
	struct span rest = x->file;
	struct field f;
	uint64_t type, unit, period = 0;
	uint32_t n = 0;
	bool counts = false;
	int r;

	while ((r = get_field(&rest, &f)) > 0) {
		if (f.number == 12 && !f.span.at)
			period = f.value;
		if (f.number != 1 || !f.span.at)
			continue;
		r = value_of(f.span, 1, &type);
		if (r == 0)
			r = value_of(f.span, 2, &unit);
		if (r < 0)
			return r;
		to->wall |= is_called(x, type, "wall");
		if (!counts)
			x->value = n;
		counts |= is_called(x, unit, "count");
		n++;
	}
	x->period = counts || period == 0 || period > INT64_MAX ? 1 : period;
	to->weights = !counts && x->period == 1;
	return n == 0 ? -EBADMSG : r;
}

/* Frames of a location, the innermost first, in front of those that are there. */
static int put_location(struct reading *x, uint64_t id, uint32_t *frames, uint32_t *depth)
{
	const struct item *location = items_find(&x->locations, id);
	struct span rest = location ? location->message : (struct span){};
	uint32_t before = *depth;
	struct field f;
	int r = 0;

	while (location && (r = get_field(&rest, &f)) > 0) {
		const struct item *function;
		uint64_t number, line;

		if (f.number != 4 || !f.span.at || *depth == DECODE_DEPTH)
			continue;
		r = value_of(f.span, 1, &number);
		if (r == 0)
			r = value_of(f.span, 2, &line);
		function = items_find(&x->functions, number);
		if (r == 0 && function)
			r = dict_frame(x->dict, function->function,
				       line <= INT32_MAX ? (int)line : 0, &frames[(*depth)++]);
		if (r < 0)
			return r;
	}
	if (r == 0 && *depth == before && *depth < DECODE_DEPTH)
		frames[(*depth)++] = x->unknown;
	return r;
}

static int add_sample(struct reading *x, struct span message, struct profile *p)
{
	uint32_t frames[DECODE_DEPTH], depth = 0, stack, n = 0;
	uint64_t number, count = 0;
	struct field f;
	int r;

	while ((r = get_field(&message, &f)) > 0) {
		while (r > 0 && (f.number == 1 || f.number == 2) && next_number(&f, &number)) {
			if (f.number == 1)
				r = put_location(x, number, frames, &depth) < 0 ? -EBADMSG : 1;
			else if (n++ == x->value)
				count = number;
		}
		if (r < 0)
			return r;
	}
	/* a negative one is of a difference of two profiles */
	count = count > INT64_MAX ? 0 : count / x->period;
	if (r < 0 || depth == 0 || count == 0)
		return r;
	for (uint32_t i = 0; i < depth / 2; i++) {
		uint32_t frame = frames[i];

		frames[i] = frames[depth - 1 - i];
		frames[depth - 1 - i] = frame;
	}
	r = dict_stack(p->dict, frames, depth, &stack);
	if (r == 0)
		r = profile_add(p, 0, 0, stack, MIN(count, UINT64_C(1) << 48));
	return r == 0 && profile_bytes(p) > DECODE_MEMORY ? -E2BIG : r;
}

static int read_all(struct reading *x, struct decoded *to)
{
	struct span rest = x->file;
	struct field f;
	int r = collect(x);

	if (r == 0)
		r = choose_value(x, to);
	if (r == 0)
		r = dict_synthetic(x->dict, "[unknown]", &x->unknown);
	for (uint32_t i = 0; i < x->functions.n && r == 0; i++)
		r = make_function(x, &x->functions.items[i]);
	if (r < 0)
		return r;
	while ((r = get_field(&rest, &f)) > 0) {
		if (f.number == 2 && f.span.at)
			r = add_sample(x, f.span, to->profile);
		if (r < 0)
			return r;
	}
	return r;
}

int pprof_decode(const uint8_t *data, size_t size, struct decoded *to, char why[DECODE_WHY_MAX])
{
	_cleanup_(reading_done) struct reading x = { .file = { data, data + size },
						     .dict = to->profile->dict };
	int r = read_all(&x, to);

	if (r == -EBADMSG)
		snprintf(why, DECODE_WHY_MAX, "it is no pprof profile, or a broken one");
	return r;
}
