/* SPDX-License-Identifier: BSD-2-Clause */
#include "plop/frame.h"
#include "plop/limits.h"
#include "python/walker.h"

int walker_new(const struct reader *memory, const struct plop_layout *l, uint64_t runtime,
	       struct walker **ret)
{
	struct walker *w;

	if (layout_check(l) < 0)
		return -EBADMSG;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->r = memory;
	w->l = l;
	w->runtime = runtime;
	w->chain = &w->chains[0];
	w->before = &w->chains[1];
	*ret = w;
	return 0;
}

static void codes_clear(struct walker *w)
{
	struct known_code *k, *next;

	HASH_ITER(hh, w->codes, k, next)
	{
		HASH_DEL(w->codes, k);
		code_object_unref(k->code);
		free(k);
	}
	w->bytes = 0;
}

void walker_free(struct walker *w)
{
	if (!w)
		return;
	codes_clear(w);
	free(w);
}

void walk_stack_done(struct walk_stack *s)
{
	for (size_t i = 0; i < s->n; i++)
		code_object_unref(s->frames[i].code);
	free(s->frames);
	*s = (struct walk_stack){};
}

/* Near enough: malloc() adds a word to each, and rounds up. */
static size_t code_bytes(const struct code_object *c)
{
	return c ? sizeof(*c) + strlen(c->file) + strlen(c->name) + c->linetable_size + 64 : 0;
}

/* What an attempt costs that finds no code object. */
#define FAILED_BYTES (64u << 10)

/* Reads what is at the address now. */
static int code_renew(struct walker *w, struct known_code *k)
{
	int r;

	w->bytes -= code_bytes(k->code);
	code_object_unref(k->code);
	k->code = NULL;
	k->tried = w->tries;
	if (w->bytes > WALK_MAX_BYTES || w->read > WALK_MAX_READ)
		return 0;
	r = code_object_read(w->r, w->l, k->address, &k->code, &k->fingerprint);
	w->bytes += code_bytes(k->code);
	w->read += k->code ? code_bytes(k->code) : FAILED_BYTES;
	return r == -ENOMEM || r == -ESRCH ? r : 0;
}

static struct known_code *code_known(struct walker *w, uint64_t address)
{
	struct known_code *k;

	HASH_FIND(hh, w->codes, &address, sizeof(address), k);
	return k;
}

/*
 * Reads the code objects of the chain, and sees whether those that were read before are still
 * there. *ret_same: all were, so that they are those of a stack that was read meanwhile.
 */
static int codes_read(struct walker *w, bool *ret_same)
{
	struct chain *c = w->chain;
	bool same = true;
	size_t n = 0;
	int r;

	for (uint32_t i = 0; i < c->n; i++) {
		uint64_t address = c->links[i].code;
		struct known_code *k;

		if (c->links[i].skipped)
			continue;
		k = code_known(w, address);
		if (k && k->tried == w->tries)
			continue;
		if (k && k->code) {
			k->tried = w->tries;
			w->addresses[n++] = address;
			continue;
		}
		same = false;
		if (!k && HASH_COUNT(w->codes) < WALK_MAX_CODES) {
			k = calloc(1, sizeof(*k));
			if (!k)
				return -ENOMEM;
			k->address = address;
			HASH_ADD(hh, w->codes, address, sizeof(k->address), k);
		}
		r = k ? code_renew(w, k) : 0;
		if (r < 0)
			return r;
	}
	r = code_objects_fingerprint(w->r, w->l, w->addresses, n, w->fingerprints);
	for (size_t i = 0; i < n && r >= 0; i++) {
		struct known_code *k = code_known(w, w->addresses[i]);

		if (w->fingerprints[i].result < 0 ||
		    w->fingerprints[i].fingerprint != k->fingerprint) {
			same = false;
			r = code_renew(w, k);
		}
	}
	*ret_same = same;
	return r;
}

/*
 * Copies the part of the data stack that ends with the frame at f, or only that frame when it lies
 * outside.
 */
static int copy_move(struct walker *w, uint64_t f)
{
	uint64_t header[2], need = w->l->frame_len, start = f;
	int r;

	if (f > UINT64_MAX - need)
		return -EFAULT;
	/* struct _stack_chunk { previous, size, top, data } (cpython/pystate.h, 3.11 to 3.15) */
	if (w->chunk && (f < w->chunk || f >= w->chunk_end) &&
	    reader_read(w->r, w->chunk, header, 8) == 0 && header[0] && f >= header[0] &&
	    reader_read(w->r, header[0] + 8, &header[1], 8) == 0 && f - header[0] < header[1]) {
		w->chunk = header[0];
		w->chunk_end = header[0] + header[1];
	}
	if (w->chunk && f >= w->chunk && f < w->chunk_end) {
		start = f + need > COPY_SIZE ? f + need - COPY_SIZE : 0;
		start = MAX(start, w->chunk);
	}
	r = reader_read(w->r, start, w->copy, f + need - start);
	if (r < 0 && start != f) {
		start = f;
		r = reader_read(w->r, start, w->copy, need);
	}
	w->from = start;
	w->length = r < 0 ? 0 : f + need - start;
	return r;
}

/* FRAME_OWNED_BY_GENERATOR (internal/pycore_frame.h, 3.11 to 3.15) */
#define OWNED_BY_GENERATOR 1

/*
 * CO_GENERATOR, CO_COROUTINE, CO_ITERABLE_COROUTINE, CO_ASYNC_GENERATOR (Include/code.h, 3.6 to
 * 3.15)
 */
#define CODE_IS_GENERATOR 0x3a0

/*
 * Whether a stack can end with this one. A generator's frame has none before it as soon as it has
 * yielded; and from 3.12 on the outermost is always one of the interpreter's own (entry_frame in
 * Python/ceval.c, 3.15: base_frame of PyThreadState). But compiled functions, which run without the
 * interpreter, have none of these below them, and frames that all say of themselves that they are a
 * generator's (Nuitka 2.8, build/static_src/CompiledFrameType.c): such is one whose code is no
 * generator's.
 */
static bool is_outermost(struct walker *w, const struct link *k)
{
	uint32_t flags;

	if (w->l->version >= 0x030c ? k->skipped : !k->generator)
		return true;
	return k->generator &&
	       reader_read(w->r, k->code + w->l->code_flags, &flags, sizeof(flags)) == 0 &&
	       !(flags & CODE_IS_GENERATOR);
}

/* What a frame's bytes say. False: no frame. */
static bool link_parse(const struct plop_layout *l, uint64_t address, const uint8_t *p,
		       struct link *ret)
{
	struct link k = { .address = address };

	k.previous = object_u64(p, l->frame_previous);
	/*
	 * a PyFrameObject that was freed, but keeps its code for the next call of it
	 * (Objects/frameobject.c, 2.7 to 3.10)
	 */
	if (l->frame_link == PLOP_LINK_OBJECT && (int64_t)object_u64(p, 0) <= 0)
		return false;
	if (l->frame_owner && p[l->frame_owner] >= l->frame_owner_skip) {
		k.skipped = true;
		*ret = k;
		return true;
	}
	k.generator = l->frame_owner && p[l->frame_owner] == OWNED_BY_GENERATOR;
	k.code = object_u64(p, l->frame_code) & ~(uint64_t)l->frame_tag_mask;
	if (l->frame_link == PLOP_LINK_OBJECT)
		k.instr = object_u32(p, l->frame_instr) * l->frame_lasti_unit;
	else
		k.instr = (uint32_t)(object_u64(p, l->frame_instr) - k.code);
	*ret = k;
	return plop_frame_is_python(k.code);
}

int walker_frame(struct walker *w, uint64_t *ret_cframe, uint64_t *ret)
{
	uint64_t frame = object_u64(w->ts, w->l->ts_frame);
	int r;

	*ret_cframe = 0;
	if (w->l->frame_link == PLOP_LINK_CFRAME && frame) {
		*ret_cframe = frame + w->l->cframe_current;
		r = reader_u64(w->r, *ret_cframe, &frame);
		if (r < 0)
			return r;
	}
	*ret = frame;
	return 0;
}

/* Reads a stack, frame by frame. -EAGAIN: it changed on the way. */
static int chain_read(struct walker *w, uint64_t ts)
{
	struct chain *c = w->chain;
	uint32_t lap = 1;
	uint64_t f;
	int r;

	c->n = 0;
	c->more = false;
	w->chunk = w->length = 0;
	w->tries++;
	r = reader_read(w->r, ts, w->ts, w->l->ts_len);
	if (r < 0)
		return r;
	r = walker_frame(w, &c->cframe, &f);
	if (r < 0)
		return r == -EFAULT ? -EAGAIN : r;
	if (w->l->ts_chunk) {
		/* datastack_chunk, then datastack_top */
		w->chunk = object_u64(w->ts, w->l->ts_chunk);
		w->chunk_end = object_u64(w->ts, PLOP_TS_CHUNK_END(w->l));
	}
	while (f) {
		if (c->n == WALK_MAX_LINKS) {
			c->more = true;
			break;
		}
		if (f < w->from || f - w->from > w->length ||
		    w->length - (f - w->from) < w->l->frame_len) {
			r = copy_move(w, f);
			if (r < 0)
				return r == -EFAULT ? -EAGAIN : r;
		}
		w->work++;
		if (!link_parse(w->l, f, w->copy + (f - w->from), &c->links[c->n]))
			return -EAGAIN;
		f = c->links[c->n++].previous;
		/* one that goes round comes back to where it was at some power of two */
		if (f == c->links[lap - 1].address)
			return -EAGAIN;
		if (c->n == 2 * lap)
			lap = c->n;
	}
	if (c->n > 0 && !c->more && !is_outermost(w, &c->links[c->n - 1]))
		return -EAGAIN;
	return 0;
}

static bool link_same(const struct link *a, const struct link *b)
{
	return a->address == b->address && a->previous == b->previous && a->code == b->code &&
	       a->instr == b->instr && a->skipped == b->skipped;
}

/* How many of the chain's outer links are as they were, by what was read again. */
static uint32_t chain_stayed(const struct walker *w)
{
	const struct chain *c = w->chain;
	uint32_t n = 0;

	while (n < c->n) {
		uint32_t i = c->n - 1 - n;
		struct link now;

		if (!link_parse(w->l, c->links[i].address, w->frames[i], &now) ||
		    !link_same(&now, &c->links[i]))
			break;
		n++;
	}
	return n;
}

/*
 * Reads all of the chain's frames again at once, innermost first: 0 when they are as they were. The
 * innermost one may have gone on meanwhile, and its place is that of this reading: those around it
 * stood still before and after. *ret_stayed: how many of the outer ones are as they were.
 */
static int chain_confirm(struct walker *w, uint64_t ts, uint32_t *ret_stayed)
{
	struct chain *c = w->chain;
	uint64_t current = 0;
	size_t n = 0, cframe = 0;
	int r;

	*ret_stayed = 0;
	w->parts[n++] = (struct reader_part){ ts, w->ts, w->l->ts_len, 0 };
	if (c->cframe) {
		cframe = n;
		w->parts[n++] = (struct reader_part){ c->cframe, &current, sizeof(current), 0 };
	}
	for (uint32_t i = 0; i < c->n; i++)
		w->parts[n++] = (struct reader_part){ c->links[i].address, w->frames[i],
						      w->l->frame_len, 0 };
	w->work += n;
	r = reader_read_parts(w->r, w->parts, n);
	if (r < 0)
		return r == -EFAULT ? -EAGAIN : r;
	*ret_stayed = chain_stayed(w);
	if (cframe && object_u64(w->ts, w->l->ts_frame) + w->l->cframe_current != c->cframe)
		return -EAGAIN;
	if (!cframe)
		current = object_u64(w->ts, w->l->ts_frame);
	if (current != (c->n > 0 ? c->links[0].address : 0))
		return -EAGAIN;
	for (uint32_t i = 0; i < c->n; i++) {
		struct link now;

		if (!link_parse(w->l, c->links[i].address, w->frames[i], &now))
			return -EAGAIN;
		if (i == 0)
			c->links[0].instr = now.instr;
		if (!link_same(&now, &c->links[i]))
			return -EAGAIN;
	}
	return 0;
}

/*
 * How many of the outer links two readings have in common. *ret_end: where in b they end; it is not
 * b's end where both readings had to stop before the outermost frame.
 */
static uint32_t chain_common(const struct chain *a, const struct chain *b, uint32_t *ret_end)
{
	uint32_t n = 0, ends[2] = { a->n, b->n };

	*ret_end = b->n;
	if (a->n == 0 || b->n == 0)
		return 0;
	if (a->more || b->more) {
		while (ends[1] > 0 && b->links[ends[1] - 1].address != a->links[a->n - 1].address)
			ends[1]--;
		if (ends[1] == 0) {
			ends[1] = b->n;
			while (ends[0] > 0 &&
			       a->links[ends[0] - 1].address != b->links[b->n - 1].address)
				ends[0]--;
		}
		*ret_end = ends[1];
	}
	while (n < ends[0] && n < ends[1] &&
	       link_same(&a->links[ends[0] - 1 - n], &b->links[ends[1] - 1 - n]))
		n++;
	return n;
}

/* A search for a copy of bytecode reads more than a frame. */
#define COPY_WORK 16

static int stack_make(struct walker *w, const struct chain *c, struct walk_stack *ret)
{
	struct walk_stack s = { .truncated = c->more };

	s.frames = calloc(MIN(c->n, (uint32_t)PLOP_MAX_DEPTH) + 1, sizeof(*s.frames));
	if (!s.frames)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->n; i++) {
		const struct link *k = &c->links[i];
		struct known_code *known = k->skipped ? NULL : code_known(w, k->code);
		struct walk_frame *f = &s.frames[s.n];

		if (k->skipped || (known && known->code && code_object_hidden(known->code)))
			continue;
		if (s.n == PLOP_MAX_DEPTH) {
			s.truncated = true;
			break;
		}
		s.n++;
		if (!known || !known->code)
			continue;
		f->code = code_object_ref(known->code);
		if (f->code->copied && w->work < WALK_MAX_WORK) {
			w->work += COPY_WORK;
			code_object_find_copy(w->r, w->l, k->code, known->fingerprint, k->instr,
					      f->code);
		}
		f->line = code_object_line(f->code, k->instr, w->l->code_bytecode);
	}
	*ret = s;
	return 0;
}

/*
 * One reading of a stack, and a second one at once. 0: they agree, and so do the code objects;
 * -EAGAIN: they do not, or the code objects were not known yet. Those of a thread that stands still
 * are read, then it is looked at once more; those of one that runs on must have been there before,
 * and be there after. *ret_stayed: how many outer links all readings have, 0 if one failed.
 */
static int stack_try(struct walker *w, uint64_t ts, void (*meanwhile)(void *ctx), void *ctx,
		     uint32_t *ret_stayed)
{
	uint32_t instr, stayed;
	bool same;
	int first, r;

	first = chain_confirm(w, ts, ret_stayed);
	if (first < 0 && first != -EAGAIN)
		return first;
	instr = w->chain->links[0].instr;
	r = codes_read(w, &same);
	if (r < 0)
		return r;
	if (meanwhile)
		meanwhile(ctx);
	if (first < 0)
		return first;
	r = chain_confirm(w, ts, &stayed);
	*ret_stayed = MIN(*ret_stayed, stayed);
	if (r == -EAGAIN && same) {
		w->chain->links[0].instr = instr;
		return 0;
	}
	return r;
}

/*
 * An innermost frame without a code object was on its way in or out in both readings: it is not one
 * that stayed.
 */
static void best_settle(struct walker *w)
{
	struct chain *best = &w->best;
	uint32_t n = 0;

	while (n < best->n && !best->links[n].skipped) {
		const struct known_code *k = code_known(w, best->links[n].code);

		if (k && k->code)
			break;
		n++;
	}
	best->n -= n;
	memmove(best->links, best->links + n, best->n * sizeof(*best->links));
}

static void chains_swap(struct walker *w)
{
	struct chain *c = w->chain;

	w->chain = w->before;
	w->before = c;
}

int walker_stack(struct walker *w, const struct walk_state *state, void (*meanwhile)(void *ctx),
		 void *ctx, struct walk_stack *ret)
{
	struct chain *best = &w->best;
	bool any = false; /* w->before was read, with its code objects */
	int r;

	best->n = 0;
	best->more = false;
	if (w->bytes > WALK_MAX_BYTES / 2 || HASH_COUNT(w->codes) > WALK_MAX_CODES / 2)
		codes_clear(w);
	for (unsigned int i = 0; i < WALK_TRIES; i++) {
		uint32_t common = 0, stayed = 0, end, cut;

		if (w->work > WALK_MAX_WORK || (i > 2 && w->tries > WALK_TRIES_ALL))
			break;

		r = chain_read(w, state->address);
		if (r == -EAGAIN)
			continue;
		if (r < 0)
			return r;
		r = stack_try(w, state->address, meanwhile, ctx, &stayed);
		if (r == 0)
			return stack_make(w, w->chain, ret);
		if (r != -EAGAIN)
			return r;
		/* two readings have a caller of another moment in common now and then */
		if (any) {
			common = chain_common(w->before, w->chain, &end);
			cut = w->chain->n - end;
			common = stayed > cut ? MIN(common, stayed - cut) : 0;
		}
		if (common > best->n) {
			memcpy(best->links, &w->chain->links[end - common],
			       common * sizeof(*best->links));
			best->n = common;
			best->more = w->chain->more || end < w->chain->n;
		}
		any = true;
		chains_swap(w);
	}
	if (!any)
		return -EFAULT;
	best_settle(w);
	r = stack_make(w, best, ret);
	if (r == 0)
		ret->changing = true;
	return r;
}
