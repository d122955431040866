/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a helper tells plopd of the target that it has read. The target may have made the helper run
 * anything: so its answers are as hostile as the target's memory.
 */
#include "fuzz.h"
#include "examiner/examiner.h"
#include "python/python.h"

static void process(struct unpack *body)
{
	struct process_info info = {};
	char **texts[] = PROCESS_INFO_TEXTS(&info);
	struct python_process p = {};

	if (examined_process(body, &p, &info) < 0)
		return;
	FUZZ_ASSERT(p.verdict >= PYTHON_NO && p.verdict < PYTHON_SILENT);
	FUZZ_ASSERT(p.verdict != PYTHON_YES || layout_check(&p.layout) == 0);
	FUZZ_ASSERT(strnlen(p.version, sizeof(p.version)) < sizeof(p.version));
	FUZZ_ASSERT(strnlen(p.why, sizeof(p.why)) < sizeof(p.why));
	FUZZ_ASSERT(info.made <= PROCESS_WORKER);
	FUZZ_ASSERT((info.says_service | info.says_version | info.overwritten | p.starting |
		     p.looked | p.own) <= 1);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		FUZZ_ASSERT(!*texts[i] == !info.comm);
	process_info_done(&info);
}

static void title(struct unpack *body)
{
	char *comm = NULL, *cmdline = NULL;

	if (examined_title(body, &comm, &cmdline) == 0)
		FUZZ_ASSERT(comm && cmdline);
	free(comm);
	free(cmdline);
}

static void async(struct unpack *body)
{
	struct plop_async a;

	(void)examined_async(body, &a);
}

static void threads(struct unpack *body)
{
	struct thread_name_list l = {};

	if (examined_threads(body, &l) < 0)
		return;
	for (size_t i = 0; i < l.n; i++)
		FUZZ_ASSERT(l.names[i].name && (!i || l.names[i].tid >= l.names[i - 1].tid));
	thread_name_list_done(&l);
}

static void states(struct unpack *body)
{
	struct state_place *places = NULL;
	size_t n = 0, size = body->size;

	if (examined_states(body, &places, &n) == 0)
		FUZZ_ASSERT(n * sizeof(*places) <= size);
	free(places);
}

static void members(struct unpack *body)
{
	const char *text = NULL;
	size_t size = body->size, n = 0;

	if (examined_members(body, &text, &n) == 0)
		FUZZ_ASSERT(text && n == size);
}

static void on_gil(uint64_t address, void *ctx)
{
	*(uint64_t *)ctx += address;
}

static int on_thread(const struct asleep_thread *t, void *ctx)
{
	FUZZ_ASSERT(t->n <= PLOP_MAX_DEPTH);
	for (uint32_t i = 0; i < t->n; i++)
		FUZZ_ASSERT(t->frames[i].name && t->frames[i].file &&
			    t->frames[i].kind < PLOP_FRAME_KINDS);
	return t->tid == 13 ? -ENOMEM : 0;
}

static void asleep(struct unpack *body)
{
	uint64_t sum = 0;
	uint32_t left;
	int r = examined_asleep(body, on_gil, on_thread, &sum, &left);

	FUZZ_ASSERT(r == 0 || r == -EBADMSG || r == -ENOMEM);
}

/* Reads what a section has, the same twice over, and what it has not. */
static void replay(const struct reader *r)
{
	uint8_t bytes[64];

	for (uint64_t at = 0; at < 64; at++) {
		(void)reader_read(r, at, bytes, at % 9 + 1);
		(void)reader_read(r, at, bytes, at % 9 + 1);
	}
	FUZZ_ASSERT(reader_read(r, 0, bytes, 0) == 0);
}

/* The sections of three code objects, of which two have one address, and one that was not asked. */
static void readings(struct unpack *body)
{
	struct plop_frame frames[] = { { .code = 16, .instr = 2 },
				       { .code = 8 },
				       { .code = 16, .instr = 1 } };
	const struct plop_frame other = { .code = 9 };
	_cleanup_(readings_freep) struct readings *r = NULL;
	struct replay p;
	struct reader reader;

	if (readings_new(body, frames, ARRAY_SIZE(frames), &r) < 0)
		return;
	reader = readings_of_confirmation(r, &p);
	replay(&reader);
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		reader = readings_of_code(r, &frames[i], &p);
		replay(&reader);
	}
	reader = readings_of_code(r, &other, &p);
	FUZZ_ASSERT(reader_read(&reader, 1, &p, 1) == -EAGAIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const answers[])(struct unpack * body) = {
		process, title, async, threads, states, members, asleep, readings
	};
	struct buf message = {};
	struct unpack body;
	uint8_t which;

	if (!fuzz_take(&data, &size, &which, sizeof(which)))
		return 0;
	/* an exact copy, so that a byte too many is noticed */
	message.data = malloc(size + !size);
	FUZZ_ASSERT(message.data);
	memcpy(message.data, data, size);
	message.size = message.allocated = size;
	body = (struct unpack){ .data = message.data, .size = size, .message = &message };
	answers[which % ARRAY_SIZE(answers)](&body);
	buf_free(&message);
	return 0;
}
