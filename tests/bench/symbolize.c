/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_symbolize PYTHON: what a hundred thousand code objects cost that were never seen before, as
 * plopd meets them: by the kernel's records, and out of the memory of a running interpreter. Prints
 * one line of JSON with seconds of CPU time.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "plop/limits.h"
#include "profile/symbolizer.h"
#include "util/clock.h"

#define OBJECTS 100000u

/* Defines the functions and says where the code objects are; waits for the end of its input. */
static const char definitions[] =
	"import sys\n"
	"space = {'__name__': 'bench'}\n"
	"for i in range(0, 100000, 1000):\n"
	"    exec(compile(''.join('def function_number_%d(argument):\\n    result = argument + "
	"1\\n    return result\\n' % n\n"
	"        for n in range(i, i + 1000)), '/srv/application/lib/module_%d.py' % (i // 1000), "
	"'exec'), space)\n"
	"for i in range(100000):\n"
	"    sys.stdout.write('%d\\n' % id(space['function_number_%d' % i].__code__))\n"
	"sys.stdout.flush()\n"
	"sys.stdin.read()\n";

struct bench {
	struct plop_layout layout;
	struct code_table *table;
	struct sink *sink;
	uint32_t process;
	uint32_t named;
};

static void die(const char *what)
{
	fprintf(stderr, "bench_symbolize: %s\n", what);
	exit(1);
}

static void bench_begin(struct bench *b)
{
	const struct process_info info = process_info_of(5);

	b->named = 0;
	if (code_table_new(&b->layout, &b->table) < 0 || sink_new(1, 100, &b->sink) < 0 ||
	    profile_process(sink_profile(b->sink), &info, "3.11.2", &b->process) < 0)
		die("out of memory");
}

static void bench_end(struct bench *b)
{
	if (b->named != OBJECTS)
		die("not every code object has a name");
	code_table_free(b->table);
	sink_free(b->sink);
}

/* A stack of one frame, from its code object to the window. */
static void bench_stack(struct bench *b, const struct reader *memory, uint64_t address,
			uint32_t fingerprint)
{
	struct plop_stack stack = { .tgid = 5, .tid = 5, .count = 1, .depth = 1 };
	struct plop_frame frame = { .code = address,
				    .fingerprint = fingerprint,
				    .instr = b->layout.code_bytecode + 2u };
	struct code_object *code;
	enum code_source source;
	struct symbolized_stack y = { .stack = &stack,
				      .frames = &frame,
				      .codes = &code,
				      .sources = &source,
				      .bytecode = b->layout.code_bytecode };

	code_table_limit(b->table, PLOP_MAX_CODE_BYTES);
	code = code_table_find(b->table, memory, &frame, &source);
	b->named += code != NULL;
	if (sink_add(b->sink, b->process, &y) < 0)
		die("out of memory");
}

static int no_memory(void *ctx, uint64_t address, void *buffer, size_t size)
{
	return -EFAULT;
}

static double bench_records(struct bench *b)
{
	static const uint8_t table[] = { 0x80, 0x00, 0xd8, 0x0d, 0x15, 0x98, 0x81, 0x5c,
					 0x80, 0x46, 0xd8, 0x0b, 0x11, 0x80, 0x4d };
	const struct reader gone = { .read = no_memory };
	uint32_t state = 1u << b->layout.str_kind_shift | 3u << (b->layout.str_kind_shift + 3);
	char data[sizeof(struct plop_record_code) + 256];
	struct plop_record_code *r = (struct plop_record_code *)data;
	uint64_t began;

	bench_begin(b);
	began = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (uint32_t i = 0; i < OBJECTS; i++) {
		char *to = (char *)r->data;

		*r = (struct plop_record_code){ .head = { .type = PLOP_RECORD_CODE, .tgid = 5 },
						.code = 0x7f0000000000 + i * 256ull,
						.fingerprint = i + 1,
						.firstlineno = (int)i,
						.file_state = state,
						.name_state = state,
						.linetable_size = sizeof(table),
						.linetable_bytes = sizeof(table) };
		r->file_length = r->file_bytes =
			(uint16_t)sprintf(to, "/srv/application/lib/module_%u.py", i / 1000);
		to += r->file_bytes;
		r->name_length = r->name_bytes = (uint16_t)sprintf(to, "function_number_%u", i);
		to += r->name_bytes;
		memcpy(to, table, sizeof(table));
		if (code_table_record(b->table, &gone, r) < 0)
			die("out of memory");
		bench_stack(b, &gone, r->code, r->fingerprint);
	}
	began = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - began;
	bench_end(b);
	return (double)began / 1e9;
}

/* Runs PYTHON; the addresses that it says, its input left open. */
static pid_t interpreter(const char *python, uint64_t *addresses, int *ret_input)
{
	int in[2], out[2];
	pid_t pid;
	FILE *f;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		die("no pipe");
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(python, python, "-S", "-E", "-c", definitions, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	f = fdopen(out[0], "r");
	for (uint32_t i = 0; i < OBJECTS; i++) {
		unsigned long long address = 0;

		if (pid < 0 || !f || fscanf(f, "%llu", &address) != 1)
			die("the interpreter does not run");
		addresses[i] = address;
	}
	fclose(f);
	*ret_input = in[1];
	return pid;
}

static double bench_memory(struct bench *b, const char *python)
{
	uint64_t *addresses = calloc(OBJECTS, sizeof(*addresses)), began;
	uint32_t *fingerprints = calloc(OBJECTS, sizeof(*fingerprints));
	struct python_cache *cache = NULL;
	struct python_process p;
	struct reader memory;
	int input = -1;
	pid_t pid;

	if (!addresses || !fingerprints || python_cache_new(&cache) < 0)
		die("out of memory");
	pid = interpreter(python, addresses, &input);
	if (python_discover(cache, pid, &p) < 0 || p.verdict != PYTHON_YES)
		die("that is no interpreter that plop knows");
	b->layout = p.layout;
	memory = process_memory_reader(pid);
	/* the kernel knows the fingerprint at the tick */
	for (uint32_t i = 0; i < OBJECTS; i++) {
		if (code_object_fingerprint(&memory, &b->layout, addresses[i], &fingerprints[i]) <
		    0)
			die("its memory cannot be read");
	}
	bench_begin(b);
	began = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (uint32_t i = 0; i < OBJECTS; i++)
		bench_stack(b, &memory, addresses[i], fingerprints[i]);
	began = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - began;
	bench_end(b);
	close(input);
	waitpid(pid, NULL, 0);
	python_cache_free(cache);
	free(addresses);
	free(fingerprints);
	return (double)began / 1e9;
}

int main(int argc, char **argv)
{
	struct bench b = {};
	double records, memory;

	if (argc != 2 || layout_by_version(0x030b02f0, &b.layout) < 0) {
		fprintf(stderr, "usage: bench_symbolize PYTHON\n");
		return 2;
	}
	records = bench_records(&b);
	memory = bench_memory(&b, argv[1]);
	printf("{\"objects\": %u, \"records\": %.3f, \"memory\": %.3f}\n", OBJECTS, records,
	       memory);
	return 0;
}
