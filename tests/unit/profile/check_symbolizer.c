/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "profile/symbolizer.h"

#define CODE UINT64_C(0x7f0000001000)

/* Memory of a target that is gone. */
static int no_memory(void *ctx, uint64_t address, void *buffer, size_t size)
{
	return -EFAULT;
}
static const struct reader gone = { .read = no_memory };

static void layout_311(struct plop_layout *l)
{
	ck_assert_int_eq(layout_by_version(0x030b02f0, l), 0);
}

/*
 * A record of a plain ASCII function at CODE whose table maps the first two code units to
 * firstlineno + 1.
 */
static struct plop_record_code *record_new(const struct plop_layout *l, const char *file,
					   const char *name, uint32_t fingerprint)
{
	/* 3.11's location table: no column, two code units, line delta +1 as svarint 2 */
	static const uint8_t table[] = { 0x80 | 13 << 3 | 1, 2 };
	size_t nfile = strlen(file), nname = strlen(name);
	struct plop_record_code *r = calloc(1, sizeof(*r) + nfile + nname + sizeof(table));

	ck_assert_ptr_nonnull(r);
	r->head.type = PLOP_RECORD_CODE;
	r->code = CODE;
	r->fingerprint = fingerprint;
	r->firstlineno = 40;
	r->file_length = r->file_bytes = (uint16_t)nfile;
	r->name_length = r->name_bytes = (uint16_t)nname;
	r->linetable_size = r->linetable_bytes = sizeof(table);
	/* kind 1, compact, ascii */
	r->file_state = r->name_state = 1u << l->str_kind_shift | 3u << (l->str_kind_shift + 3);
	memcpy(r->data, file, nfile);
	memcpy(r->data + nfile, name, nname);
	memcpy(r->data + nfile + nname, table, sizeof(table));
	return r;
}

struct fixture {
	struct plop_layout layout;
	struct code_table *table;
};

static void fixture_init(struct fixture *f)
{
	layout_311(&f->layout);
	ck_assert_int_eq(code_table_new(&f->layout, &f->table), 0);
}

START_TEST(captured)
{
	struct plop_frame frame = { .code = CODE, .fingerprint = 7 };
	struct plop_record_code *r;
	struct code_object *c;
	struct fixture f;
	enum code_source by_kernel = CODE_UNKNOWN;

	fixture_init(&f);
	r = record_new(&f.layout, "/srv/a.py", "Shop.sell", 7);
	ck_assert_int_eq(code_table_record(f.table, &gone, r), 0);
	c = code_table_find(f.table, &gone, &frame, &by_kernel);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(by_kernel, CODE_CAPTURED);
	ck_assert_str_eq(c->file, "/srv/a.py");
	ck_assert_str_eq(c->name, "Shop.sell");
	ck_assert_int_eq(c->firstlineno, 40);
	code_table_free(f.table);
	free(r);
}
END_TEST

/* Two functions one after the other at one address: each stack gets the name of its time. */
START_TEST(address_used_again)
{
	struct plop_frame first = { .code = CODE, .fingerprint = 7 },
			  second = { .code = CODE, .fingerprint = 8 };
	struct plop_frame third = { .code = CODE, .fingerprint = 9 };
	struct plop_record_code *a, *b;
	struct fixture f;
	enum code_source by_kernel;

	fixture_init(&f);
	a = record_new(&f.layout, "<string>", "first", 7);
	b = record_new(&f.layout, "<string>", "second", 8);
	ck_assert_int_eq(code_table_record(f.table, &gone, a), 0);
	ck_assert_int_eq(code_table_record(f.table, &gone, b), 0);
	ck_assert_str_eq(code_table_find(f.table, &gone, &first, &by_kernel)->name, "first");
	ck_assert_str_eq(code_table_find(f.table, &gone, &second, &by_kernel)->name, "second");
	ck_assert_ptr_null(code_table_find(f.table, &gone, &third, &by_kernel));
	/* not resident at the tick and not readable now: nobody knows */
	third.fingerprint = 0;
	ck_assert_ptr_null(code_table_find(f.table, &gone, &third, &by_kernel));
	code_table_free(f.table);
	free(a);
	free(b);
}
END_TEST

/* Memory in which a code object lies at CODE that is nothing but zeroes and its line number. */
struct settled_memory {
	uint8_t head[256];
	uint64_t finalising; /* all words of _PyRuntime, which is at CODE + 4096 */
	int error;
};

static int settled_read(void *ctx, uint64_t address, void *buffer, size_t size)
{
	const struct settled_memory *m = ctx;

	if (m->error)
		return m->error;
	if (address >= CODE + 4096 && address < CODE + 8192 && size == sizeof(m->finalising)) {
		memcpy(buffer, &m->finalising, size);
		return 0;
	}
	if (address < CODE || address - CODE > sizeof(m->head) ||
	    size > sizeof(m->head) - (address - CODE))
		return -EFAULT;
	memcpy(buffer, m->head + (address - CODE), size);
	return 0;
}

static void settled_forget(uint64_t address, void *ctx)
{
	*(uint64_t *)ctx = address;
}

/*
 * What the kernel only remembers holds as long as it is there; what is freed meanwhile has no name
 * in that cycle.
 */
START_TEST(settled)
{
	struct settled_memory m = {};
	const struct reader memory = { .read = settled_read, .ctx = &m };
	enum code_source source;
	uint64_t forgotten = 0;
	struct plop_record_code *r;
	struct plop_frame frame;
	struct fixture f;
	uint32_t fingerprint;

	fixture_init(&f);
	ck_assert_int_eq(code_object_fingerprint(&memory, &f.layout, CODE, &fingerprint), 0);
	r = record_new(&f.layout, "<string>", "first", fingerprint);
	ck_assert_int_eq(code_table_record(f.table, &gone, r), 0);
	frame = (struct plop_frame){ .code = CODE,
				     .fingerprint = fingerprint | PLOP_FINGERPRINT_UNREAD };
	ck_assert_int_eq(code_table_want(f.table, 1, &frame, 1), 0);
	ck_assert_int_eq(
		code_table_confirm(f.table, &memory, CODE + 4096, settled_forget, &forgotten), 0);
	ck_assert_str_eq(code_table_find(f.table, &memory, &frame, &source)->name, "first");
	ck_assert_uint_eq(forgotten, 0);
	/* the next cycle: another lies there */
	m.head[f.layout.code_firstlineno] = 7;
	ck_assert_int_eq(code_table_want(f.table, 2, &frame, 1), 0);
	ck_assert_int_eq(
		code_table_confirm(f.table, &memory, CODE + 4096, settled_forget, &forgotten), 0);
	ck_assert_ptr_null(code_table_find(f.table, &memory, &frame, &source));
	ck_assert_int_eq(source, CODE_STALE);
	ck_assert_uint_eq(forgotten, CODE);
	/* one that was read at the tick itself is sure, whatever lies there now */
	frame.fingerprint = fingerprint;
	ck_assert_str_eq(code_table_find(f.table, &memory, &frame, &source)->name, "first");
	/* the interpreter finalises: what it frees now was good as long as anything ran */
	forgotten = 0;
	m.finalising = 1;
	frame.fingerprint = fingerprint | PLOP_FINGERPRINT_UNREAD;
	ck_assert_int_eq(code_table_want(f.table, 3, &frame, 1), 0);
	ck_assert_int_eq(
		code_table_confirm(f.table, &memory, CODE + 4096, settled_forget, &forgotten), 0);
	ck_assert_str_eq(code_table_find(f.table, &memory, &frame, &source)->name, "first");
	ck_assert_uint_eq(forgotten, 0);
	m.finalising = 0;
	/* the process ended: nothing was freed while it ran */
	m.error = -ESRCH;
	frame.fingerprint = fingerprint | PLOP_FINGERPRINT_UNREAD;
	ck_assert_int_eq(code_table_want(f.table, 4, &frame, 1), 0);
	ck_assert_int_eq(
		code_table_confirm(f.table, &memory, CODE + 4096, settled_forget, &forgotten), 0);
	ck_assert_str_eq(code_table_find(f.table, &memory, &frame, &source)->name, "first");
	ck_assert_uint_eq(forgotten, 0);
	/* its memory does not answer: nothing is known of what was not read at each tick */
	m.error = -EAGAIN;
	ck_assert_int_eq(code_table_want(f.table, 5, &frame, 1), 0);
	ck_assert_int_eq(
		code_table_confirm(f.table, &memory, CODE + 4096, settled_forget, &forgotten), 0);
	ck_assert_ptr_null(code_table_find(f.table, &memory, &frame, &source));
	ck_assert_int_eq(source, CODE_STALE);
	ck_assert_uint_eq(forgotten, CODE);
	/* nor where nobody has confirmed anything; once that is done, there is a name again */
	m.error = 0;
	m.head[f.layout.code_firstlineno] = 0;
	ck_assert_int_eq(code_table_want(f.table, 6, &frame, 1), 0);
	ck_assert_ptr_null(code_table_find(f.table, &memory, &frame, &source));
	ck_assert_int_eq(
		code_table_confirm(f.table, &memory, CODE + 4096, settled_forget, &forgotten), 0);
	ck_assert_str_eq(code_table_find(f.table, &memory, &frame, &source)->name, "first");
	code_table_free(f.table);
	free(r);
}
END_TEST

/* At an address that changes another was met in the same cycle: whatever lies there now. */
START_TEST(another_was_met)
{
	struct settled_memory m = {};
	const struct reader memory = { .read = settled_read, .ctx = &m };
	enum code_source source;
	uint64_t loosened = 0;
	struct plop_record_code *r, *other;
	struct plop_frame frames[3];
	struct fixture f;
	uint32_t fingerprint;

	fixture_init(&f);
	ck_assert_int_eq(code_object_fingerprint(&memory, &f.layout, CODE, &fingerprint), 0);
	r = record_new(&f.layout, "<string>", "first", fingerprint);
	other = record_new(&f.layout, "<string>", "second", fingerprint ^ 1);
	ck_assert_int_eq(code_table_record(f.table, &gone, r), 0);
	ck_assert_int_eq(code_table_record(f.table, &gone, other), 0);
	for (unsigned int i = 0; i < 3; i++)
		frames[i] = (struct plop_frame){ .code = CODE, .fingerprint = fingerprint };
	frames[0].fingerprint |= PLOP_FINGERPRINT_UNREAD;
	frames[1].fingerprint |= PLOP_FINGERPRINT_LOOSE;
	frames[2].fingerprint ^= 1 | PLOP_FINGERPRINT_LOOSE;
	/* the same one, though its address changes; and in another cycle the other one */
	ck_assert_int_eq(code_table_want(f.table, 1, frames + 2, 1), 0);
	ck_assert_int_eq(code_table_want(f.table, 2, frames, 2), 0);
	ck_assert_int_eq(
		code_table_confirm(f.table, &memory, CODE + 4096, settled_forget, &loosened), 0);
	ck_assert_str_eq(code_table_find(f.table, &memory, &frames[0], &source)->name, "first");
	ck_assert_uint_eq(loosened, 0);
	/* both in one, while the process lives, ends its interpreter, and has gone */
	for (unsigned int i = 0; i < 3; i++) {
		m.finalising = i == 1;
		loosened = 0;
		ck_assert_int_eq(code_table_want(f.table, 3 + i, frames, 3), 0);
		ck_assert_int_eq(code_table_confirm(f.table, i == 2 ? NULL : &memory, CODE + 4096,
						    settled_forget, &loosened),
				 0);
		ck_assert_ptr_null(code_table_find(f.table, &memory, &frames[0], &source));
		ck_assert_int_eq(source, CODE_STALE);
		ck_assert_uint_eq(loosened, CODE);
		/* those that were read at each tick are sure */
		ck_assert_str_eq(code_table_find(f.table, &memory, &frames[1], &source)->name,
				 "first");
		ck_assert_str_eq(code_table_find(f.table, &memory, &frames[2], &source)->name,
				 "second");
	}
	/* nothing but that it has gone */
	loosened = 0;
	ck_assert_int_eq(code_table_want(f.table, 6, frames, 1), 0);
	ck_assert_int_eq(code_table_confirm(f.table, NULL, CODE + 4096, settled_forget, &loosened),
			 0);
	ck_assert_str_eq(code_table_find(f.table, &memory, &frames[0], &source)->name, "first");
	ck_assert_uint_eq(loosened, 0);
	code_table_free(f.table);
	free(r);
	free(other);
}
END_TEST

/* Memory that nobody has read: what is asked of it is unknown, and not failed. */
START_TEST(what_was_not_read_is_wanted)
{
	struct settled_memory m = { .error = -EAGAIN };
	const struct reader unread = { .read = settled_read, .ctx = &m };
	enum code_source source;
	uint64_t forgotten = 0;
	struct plop_record_code *r;
	struct plop_frame frames[2];
	struct code_wants w;
	struct fixture f;

	fixture_init(&f);
	r = record_new(&f.layout, "/srv/a.py", "first", 7);
	/* more of the table is in the target */
	r->linetable_size = 5000;
	ck_assert_int_eq(code_table_record(f.table, &unread, r), 0);
	ck_assert(code_table_lacks(f.table, CODE, 7));
	ck_assert(!code_table_lacks(f.table, CODE, 8));
	frames[0] = (struct plop_frame){ .code = CODE, .fingerprint = 7, .instr = 5 };
	frames[1] = (struct plop_frame){ .code = CODE + 64, .fingerprint = 9 };
	ck_assert_int_eq(code_table_want(f.table, 1, frames, 2), 0);
	ck_assert_int_eq(code_table_want(f.table, 1, frames, 2), 0);
	code_table_wants(f.table, 1, CODE + 4096, &w);
	ck_assert_uint_eq(w.nconfirm, 0);
	ck_assert_uint_eq(w.nread, 2);
	ck_assert_uint_eq(w.read[0].code, CODE);
	ck_assert_uint_eq(w.read[0].instr, 5);
	ck_assert_uint_eq(w.read[1].code, CODE + 64);
	/* of another cycle there is nothing */
	code_table_wants(f.table, 2, CODE + 4096, &w);
	ck_assert_uint_eq(w.nread, 0);
	ck_assert_str_eq(code_table_find(f.table, &unread, &frames[0], &source)->name, "first");
	ck_assert_int_eq(source, CODE_CAPTURED);
	ck_assert_ptr_null(code_table_find(f.table, &unread, &frames[1], &source));
	/* the next cycle asks again; now the target says that there is nothing */
	ck_assert_int_eq(code_table_want(f.table, 2, frames, 2), 0);
	code_table_wants(f.table, 2, CODE + 4096, &w);
	ck_assert_uint_eq(w.nread, 2);
	ck_assert_str_eq(code_table_find(f.table, &gone, &frames[0], &source)->name, "first");
	ck_assert_ptr_null(code_table_find(f.table, &gone, &frames[1], &source));
	ck_assert_int_eq(code_table_want(f.table, 3, frames, 2), 0);
	code_table_wants(f.table, 3, CODE + 4096, &w);
	ck_assert_uint_eq(w.nread, 0);
	/* settled, and not confirmed by anybody: whether it is still that function is not known */
	frames[0].fingerprint |= PLOP_FINGERPRINT_UNREAD;
	ck_assert_int_eq(code_table_want(f.table, 4, frames, 1), 0);
	code_table_wants(f.table, 4, CODE + 4096, &w);
	ck_assert_uint_eq(w.nconfirm, 1);
	ck_assert_int_eq(
		code_table_confirm(f.table, &unread, CODE + 4096, settled_forget, &forgotten), 0);
	ck_assert_uint_eq(forgotten, CODE);
	ck_assert_ptr_null(code_table_find(f.table, &unread, &frames[0], &source));
	ck_assert_int_eq(source, CODE_STALE);
	code_table_free(f.table);
	free(r);
}
END_TEST

START_TEST(faulted_names_are_not_guessed)
{
	struct plop_frame frame = { .code = CODE, .fingerprint = 7 };
	struct plop_record_code *r;
	struct fixture f;
	enum code_source by_kernel;

	fixture_init(&f);
	r = record_new(&f.layout, "/srv/a.py", "sell", 7);
	r->faults = PLOP_FAULT_NAME;
	ck_assert_int_eq(code_table_record(f.table, &gone, r), 0);
	ck_assert_ptr_null(code_table_find(f.table, &gone, &frame, &by_kernel));
	code_table_free(f.table);
	free(r);
}
END_TEST

/* What was seen last outlives the table's bound; what was not, and the memory for it, goes. */
START_TEST(many)
{
	const uint64_t n = 2 * PLOP_MAX_CODES_PROCESS;
	struct plop_frame first = { .code = CODE, .fingerprint = 1 }, frame = { .fingerprint = 1 };
	struct plop_record_code *r;
	struct fixture f;
	enum code_source by_kernel;

	fixture_init(&f);
	r = record_new(&f.layout, "/srv/a.py", "sell", 1);
	for (uint64_t i = 0; i < n; i++) {
		r->code = CODE + i * 192;
		code_table_limit(f.table, PLOP_MAX_CODE_BYTES);
		ck_assert_int_eq(code_table_record(f.table, &gone, r), 0);
		code_table_limit(f.table, PLOP_MAX_CODE_BYTES);
		ck_assert_uint_le(code_table_bytes(f.table), PLOP_MAX_CODE_BYTES);
		/* the newest, and one that is used all the time */
		frame.code = r->code;
		ck_assert_ptr_nonnull(code_table_find(f.table, &gone, &frame, &by_kernel));
		ck_assert_ptr_nonnull(code_table_find(f.table, &gone, &first, &by_kernel));
	}
	for (uint64_t i = n - 10000; i < n; i++) {
		frame.code = CODE + i * 192;
		ck_assert_ptr_nonnull(code_table_find(f.table, &gone, &frame, &by_kernel));
	}
	frame.code = CODE + 192;
	ck_assert_ptr_null(code_table_find(f.table, &gone, &frame, &by_kernel));
	code_table_limit(f.table, 0);
	ck_assert_uint_eq(code_table_bytes(f.table), 0);
	code_table_free(f.table);
	free(r);
}
END_TEST

/* Code objects as large as they can be, between two calls of code_table_limit(). */
START_TEST(large)
{
	size_t bytes = sizeof(struct plop_record_code) + 10 + UINT16_MAX;
	struct plop_record_code *small, *r = calloc(1, bytes);
	struct plop_frame frame = { .code = CODE, .fingerprint = 1 };
	struct fixture f;
	enum code_source by_kernel;

	fixture_init(&f);
	small = record_new(&f.layout, "/srv/a.py", "f", 1);
	ck_assert_ptr_nonnull(r);
	memcpy(r, small, sizeof(*r) + 10);
	r->linetable_bytes = UINT16_MAX;
	r->linetable_size = UINT16_MAX;
	for (uint64_t i = 0; i < 2000; i++) {
		r->code = CODE + i * 192;
		ck_assert_int_eq(code_table_record(f.table, &gone, r), 0);
	}
	ck_assert_uint_le(code_table_bytes(f.table), 3 * PLOP_MAX_CODE_BYTES);
	ck_assert_ptr_nonnull(code_table_find(f.table, &gone, &frame, &by_kernel));
	frame.code = r->code;
	ck_assert_ptr_null(code_table_find(f.table, &gone, &frame, &by_kernel));
	/* no address: never remembered */
	frame.code = 0;
	ck_assert_ptr_null(code_table_find(f.table, &gone, &frame, &by_kernel));
	code_table_free(f.table);
	free(small);
	free(r);
}
END_TEST

/* Frame i of stack 0 of a profile, root first, as "name:line". */
static const char *shown(const struct profile *p, uint32_t stack, uint32_t i)
{
	static char text[128];
	const struct dict_stack *s = dict_get_stack(p->dict, stack);
	const struct dict_frame *frame;

	ck_assert_uint_lt(i, s->depth);
	frame = dict_get_frame(p->dict, s->frames[i]);
	snprintf(text, sizeof(text), "%s:%d", dict_get_function(p->dict, frame->function)->name,
		 frame->line);
	return text;
}

START_TEST(sinks)
{
	const struct process_info info = process_info_of(5);
	struct plop_stack stack = {
		.tgid = 5, .tid = 6, .count = 3, .depth = 2, .flags = PLOP_STACK_TRUNCATED
	};
	struct plop_frame frames[2] = { { .code = CODE, .fingerprint = 7 },
					{ .code = CODE + 4096, .fingerprint = 1 } };
	struct code_object *codes[2];
	enum code_source sources[2];
	struct symbolized_stack y = {
		.stack = &stack, .frames = frames, .codes = codes, .sources = sources
	};
	struct plop_record_code *r;
	struct profile *p;
	struct fixture f;
	struct sink *s;
	uint32_t process;

	fixture_init(&f);
	y.bytecode = f.layout.code_bytecode;
	frames[0].instr = frames[1].instr = y.bytecode + 2;
	r = record_new(&f.layout, "/srv/a.py", "sell", 7);
	ck_assert_int_eq(code_table_record(f.table, &gone, r), 0);
	codes[0] = code_table_find(f.table, &gone, &frames[0], &sources[0]);
	codes[1] = code_table_find(f.table, &gone, &frames[1], &sources[1]);
	ck_assert_ptr_null(codes[1]);
	ck_assert_int_eq(sink_new(1000, 100, &s), 0);
	ck_assert_int_eq(profile_process(sink_profile(s), &info, "3.11.2", &process), 0);
	ck_assert_int_eq(sink_add(s, process, &y), 0);
	ck_assert_int_eq(sink_add(s, process, &y), 0);
	stack = (struct plop_stack){
		.tgid = 5, .tid = 7, .count = 1, .flags = PLOP_STACK_NO_THREAD
	};
	ck_assert_int_eq(sink_add(s, process, &y), 0);
	/* the sink keeps what it needs when the process is forgotten */
	code_table_free(f.table);
	p = sink_take(s);
	ck_assert_uint_eq(p->samples_total, 7);
	ck_assert_uint_eq(p->nsamples, 2);
	ck_assert_uint_eq(p->samples[0].count, 6);
	ck_assert_uint_eq(p->samples[0].thread, 6);
	ck_assert_str_eq(shown(p, p->samples[0].stack, 0), "[truncated]:0");
	ck_assert_str_eq(shown(p, p->samples[0].stack, 1), "[unresolved]:0");
	ck_assert_str_eq(shown(p, p->samples[0].stack, 2), "sell:41");
	ck_assert_str_eq(shown(p, p->samples[1].stack, 0), "[native thread]:0");
	profile_free(p);
	free(r);
}
END_TEST

/*
 * What 3.13 and later put below an __init__ is no frame of a program's; a function that is called
 * like it is.
 */
START_TEST(init_cleanup_is_not_shown)
{
	static const struct {
		uint16_t version;
		const char *file;
		int firstlineno;
		bool shown;
	} rows[] = { { 0x030e, "__init__", 0, false },
		     { 0x030e, "__init__", 1, true },
		     { 0x030e, "/srv/__init__.py", 0, true },
		     { 0x030c, "__init__", 0, true } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct code_object outer = { .refs = 1,
					     .version = rows[i].version,
					     .file = (char *)"/srv/a.py",
					     .name = (char *)"sell",
					     .firstlineno = 5 };
		struct code_object inner = outer, *codes[] = { &inner, &outer };
		struct plop_stack stack = { .tgid = 5, .tid = 6, .count = 1, .depth = 2 };
		struct plop_frame frames[2] = {};
		struct symbolized_stack y = { .stack = &stack, .frames = frames, .codes = codes };
		struct process_info info = { .pid = 5 };
		uint32_t process;
		struct profile *p;
		struct sink *s;

		inner.file = (char *)rows[i].file;
		inner.name = (char *)"__init__";
		inner.firstlineno = rows[i].firstlineno;
		info.comm = info.exe = info.cmdline = info.cgroup = info.unit = info.container =
			info.service = info.version = (char *)"";
		ck_assert_int_eq(sink_new(1000, 100, &s), 0);
		ck_assert_int_eq(profile_process(sink_profile(s), &info, "", &process), 0);
		ck_assert_int_eq(sink_add(s, process, &y), 0);
		p = sink_take(s);
		ck_assert_uint_eq(dict_get_stack(p->dict, p->samples[0].stack)->depth,
				  rows[i].shown ? 2 : 1);
		profile_free(p);
	}
}
END_TEST

CHECK_MAIN("symbolizer", captured, address_used_again, settled, another_was_met,
	   what_was_not_read_is_wanted, faulted_names_are_not_guessed, many, large, sinks,
	   init_cleanup_is_not_shown);
