/* SPDX-License-Identifier: BSD-2-Clause */
#include "examiner/readings.h"

struct entry {
	uint64_t address;
	uint32_t size;
	int32_t result;
};

/* The section of a code object. */
struct section {
	uint64_t address;
	uint32_t instr;
	const char *data;
	size_t size;
};

struct readings {
	struct buf message;
	struct section confirmation;
	struct section *codes; /* by address and instr */
	size_t n;
};

static void note(struct recorder *recorder, uint64_t address, const void *buffer, size_t size,
		 int r)
{
	struct entry e = { .address = address, .size = (uint32_t)size, .result = r };

	buf_append(recorder->to, &e, sizeof(e));
	if (r == 0 && size > 0)
		buf_append(recorder->to, buffer, size);
}

static int recorder_read(void *ctx, uint64_t address, void *buffer, size_t size)
{
	struct recorder *recorder = ctx;
	int r = reader_read(&recorder->from, address, buffer, size);

	note(recorder, address, buffer, size, r);
	return r;
}

static void recorder_read_parts(void *ctx, struct reader_part *parts, size_t n)
{
	struct recorder *r = ctx;

	reader_read_parts(&r->from, parts, n);
	for (size_t i = 0; i < n; i++)
		note(r, parts[i].address, parts[i].buffer, parts[i].size, parts[i].result);
}

struct reader recorder_reader(struct recorder *r)
{
	return (struct reader){ .read = recorder_read,
				.read_parts = recorder_read_parts,
				.ctx = r };
}

bool recorder_full(const struct recorder *r)
{
	return r->to->size >= READINGS_MAX_BYTES;
}

static int by_address(const void *a, const void *b)
{
	const struct section *x = a, *y = b;

	return x->address != y->address ? (x->address > y->address ? 1 : -1) :
					  (x->instr > y->instr) - (x->instr < y->instr);
}

/* One section at *data, which moves on. -ENODATA: there is none. */
static int section_take(const char **data, const char *end, struct section *ret)
{
	uint32_t size;

	if (*data == end)
		return -ENODATA;
	if ((size_t)(end - *data) < sizeof(size))
		return -EBADMSG;
	memcpy(&size, *data, sizeof(size));
	*data += sizeof(size);
	if ((size_t)(end - *data) < size)
		return -EBADMSG;
	ret->data = *data;
	ret->size = size;
	*data += size;
	return 0;
}

int readings_new(const struct unpack *body, const struct plop_frame *frames, size_t n,
		 struct readings **ret)
{
	_cleanup_(readings_freep) struct readings *readings = calloc(1, sizeof(*readings));
	const char *data = body->data, *end = data + body->size;
	int r;

	if (!readings)
		return -ENOMEM;
	readings->codes = calloc(n + 1, sizeof(*readings->codes));
	if (!readings->codes)
		return -ENOMEM;
	r = section_take(&data, end, &readings->confirmation);
	while (r >= 0 && readings->n < n) {
		r = section_take(&data, end, &readings->codes[readings->n]);
		if (r >= 0) {
			readings->codes[readings->n].address = frames[readings->n].code;
			readings->codes[readings->n].instr = frames[readings->n].instr;
			readings->n++;
		}
	}
	if (r < 0 && r != -ENODATA)
		return r;
	qsort(readings->codes, readings->n, sizeof(*readings->codes), by_address);
	readings->message = *body->message;
	*body->message = (struct buf){};
	*ret = TAKE_PTR(readings);
	return 0;
}

void readings_free(struct readings *r)
{
	if (!r)
		return;
	buf_free(&r->message);
	free(r->codes);
	free(r);
}

/* Looks for a reading in [from, to); moves the section's place behind it. */
static bool replay_find(struct replay *p, size_t from, size_t to, uint64_t address, void *buffer,
			size_t size, int *ret_result)
{
	while (from < to && to - from >= sizeof(struct entry)) {
		struct entry e;
		size_t have;

		memcpy(&e, p->data + from, sizeof(e));
		from += sizeof(e);
		have = e.result == 0 ? e.size : 0;
		if (have > to - from)
			return false;
		if (e.address == address && e.size == size) {
			if (have > 0)
				memcpy(buffer, p->data + from, have);
			p->at = from + have;
			*ret_result = MIN(e.result, 0);
			return true;
		}
		from += have;
	}
	return false;
}

static int replay_read(void *ctx, uint64_t address, void *buffer, size_t size)
{
	struct replay *p = ctx;
	int r;

	if (size == 0)
		return 0;
	if (replay_find(p, p->at, p->size, address, buffer, size, &r) ||
	    replay_find(p, 0, p->at, address, buffer, size, &r))
		return r;
	return -EAGAIN;
}

static struct reader replay_reader(const struct section *s, struct replay *p)
{
	*p = (struct replay){ .data = s ? s->data : NULL, .size = s ? s->size : 0 };
	return (struct reader){ .read = replay_read, .ctx = p };
}

struct reader readings_of_confirmation(const struct readings *r, struct replay *p)
{
	return replay_reader(r ? &r->confirmation : NULL, p);
}

struct reader readings_of_code(const struct readings *r, const struct plop_frame *f,
			       struct replay *p)
{
	const struct section key = { .address = f->code, .instr = f->instr };
	size_t from = 0, to = r ? r->n : 0;

	/* the first that is not before it */
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (by_address(&r->codes[middle], &key) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	if (r && from < r->n && r->codes[from].address == f->code)
		return replay_reader(&r->codes[from], p);
	if (r && from > 0 && r->codes[from - 1].address == f->code)
		return replay_reader(&r->codes[from - 1], p);
	return replay_reader(NULL, p);
}
