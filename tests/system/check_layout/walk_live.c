/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints what the layout of a live interpreter leads to, read from user space: walk_live PID. One
 * line a thread ("T", thread id, native id, frames on the newest data-stack chunk) and one a frame,
 * innermost first ("F", name, file, first line, line being executed, fingerprint), fields separated
 * by tabs. The target must be at rest.
 */
#include <inttypes.h>

#include "plop/limits.h"
#include "proc/process.h"
#include "python/python.h"

struct walk {
	struct reader r;
	struct plop_layout l;
};

static uint64_t u64_at(const uint8_t *p, size_t at)
{
	uint64_t v;

	memcpy(&v, p + at, sizeof(v));
	return v;
}

/* As the kernel gives it. */
static uint32_t instr(const struct plop_layout *l, const uint8_t *frame, uint64_t code)
{
	uint32_t v;

	if (l->frame_link != PLOP_LINK_OBJECT)
		return (uint32_t)(u64_at(frame, l->frame_instr) - code);
	memcpy(&v, frame + l->frame_instr, sizeof(v));
	return v * l->frame_lasti_unit;
}

static int print_frame(const struct walk *w, const uint8_t *frame, uint64_t code)
{
	_cleanup_(code_object_unrefp) struct code_object *c = NULL;
	uint32_t fingerprint, at = instr(&w->l, frame, code);
	int64_t lasti;
	int line, r;

	r = code_object_read(&w->r, &w->l, code, &c, &fingerprint);
	if (r < 0) {
		fprintf(stderr, "code object %" PRIx64 ": %s\n", code, strerror(-r));
		return r;
	}
	if (c->copied)
		code_object_find_copy(&w->r, &w->l, code, fingerprint, at, c);
	r = code_object_lasti(c, at, w->l.code_bytecode, &lasti);
	if (r == 0)
		r = linetable_lookup(c->version, c->linetable, c->linetable_size, c->linetable_cut,
				     c->firstlineno, lasti, &line);
	if (r < 0) {
		fprintf(stderr, "line of %s: %s\n", c->name, strerror(-r));
		return r;
	}
	printf("F\t%s\t%s\t%d\t%d\t%08x\n", c->name, c->file, c->firstlineno, line, fingerprint);
	return 0;
}

static int print_frames(const struct walk *w, uint64_t address, uint64_t chunk, uint64_t chunk_size)
{
	const struct plop_layout *l = &w->l;
	unsigned int inside = 0;

	for (unsigned int depth = 0; address; depth++) {
		uint8_t frame[PLOP_FRAME_MAX];
		uint64_t code;
		int r;

		if (depth > PLOP_MAX_DEPTH * 4)
			return -ELOOP;
		r = reader_read(&w->r, address, frame, l->frame_len);
		if (r < 0)
			return r;
		inside += address - chunk < chunk_size;
		code = u64_at(frame, l->frame_code) & ~(uint64_t)l->frame_tag_mask;
		if (!l->frame_owner || frame[l->frame_owner] < l->frame_owner_skip) {
			r = print_frame(w, frame, code);
			if (r < 0)
				return r;
		}
		address = u64_at(frame, l->frame_previous);
	}
	printf("C\t%u\n", inside);
	return 0;
}

static int print_thread(const struct walk *w, const uint8_t *ts)
{
	const struct plop_layout *l = &w->l;
	uint64_t frame = u64_at(ts, l->ts_frame), chunk[2] = {}, chunk_address = 0;
	int r;

	if (l->frame_link == PLOP_LINK_CFRAME) {
		r = reader_u64(&w->r, frame + l->cframe_current, &frame);
		if (r < 0)
			return r;
	}
	/* struct _PyStackChunk: previous, size, top, data. */
	if (l->ts_chunk) {
		chunk_address = u64_at(ts, l->ts_chunk);
		r = chunk_address ? reader_read(&w->r, chunk_address, chunk, sizeof(chunk)) : 0;
		if (r < 0)
			return r;
		/* datastack_top follows, and lies in that chunk. */
		if (chunk_address && u64_at(ts, l->ts_chunk + 8u) - chunk_address > chunk[1])
			return -ERANGE;
	}
	printf("T\t%" PRIu64 "\t%" PRIu64 "\n", u64_at(ts, l->ts_thread_id),
	       l->ts_native_id ? u64_at(ts, l->ts_native_id) : 0);
	return print_frames(w, frame, chunk_address, chunk[1]);
}

static int walk(const struct walk *w, uint64_t runtime)
{
	const struct plop_layout *l = &w->l;
	uint64_t interp, thread;
	int r;

	r = reader_u64(&w->r, runtime + l->runtime_interpreters_head, &interp);
	while (r == 0 && interp) {
		r = reader_u64(&w->r, interp + l->interp_threads_head, &thread);
		while (r == 0 && thread) {
			uint8_t ts[PLOP_TS_MAX];

			r = reader_read(&w->r, thread, ts, l->ts_len);
			if (r == 0)
				r = print_thread(w, ts);
			thread = r == 0 ? u64_at(ts, l->ts_next) : 0;
		}
		if (r == 0)
			r = reader_u64(&w->r, interp + l->interp_next, &interp);
	}
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_(python_cache_freep) struct python_cache *cache = NULL;
	struct python_process p;
	struct walk w;
	pid_t pid;
	int r;

	if (argc != 2)
		return EXIT_FAILURE;
	pid = atoi(argv[1]);
	r = python_cache_new(&cache);
	if (r == 0)
		r = python_discover(cache, pid, &p);
	if (r < 0) {
		fprintf(stderr, "discover: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	printf("P\t%d\t%s\t%08x\t%s\n", p.verdict, p.version, p.hexversion, p.why);
	if (p.verdict != PYTHON_YES)
		return EXIT_SUCCESS;
	w = (struct walk){ .r = process_memory_reader(pid), .l = p.layout };
	r = walk(&w, p.runtime);
	if (r < 0) {
		fprintf(stderr, "walk: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
