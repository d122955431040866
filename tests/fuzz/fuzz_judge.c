/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the stores of others answer to what they are sent, when it is no success; what a store says
 * of services; and what plop itself keeps in files, of which somebody may have made something else.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>
#include <xxhash.h>

#include "clickhouse/client.h"
#include "fuzz.h"
#include "http/server.h"
#include "plopd/named_tokens.h"
#include "ship/cursor.h"
#include "ship/push_judge.h"
#include "ship/services.h"
#include "target/marks.h"

static const char *const names[] = { "host_id", "shipped", "shipping" };
static char folder[] = "/tmp/plop-fuzz-XXXXXX";

/* An answer that is no success: one sentence, with nothing that a terminal would take for more. */
static void is_sentence(const char *text, size_t room)
{
	FUZZ_ASSERT(strnlen(text, room) < room);
	for (; *text; text++)
		FUZZ_ASSERT((unsigned char)*text >= ' ' && (unsigned char)*text < 0x7f);
}

static void push(const char *data, size_t size)
{
	struct poster_answer answer = { .said = { .data = (char *)data, .size = size } };
	char sentence[POSTER_WHY] = "";
	uint16_t status;

	if (size < sizeof(status))
		return;
	memcpy(&status, data, sizeof(status));
	answer.status = status;
	answer.said.data += sizeof(status);
	answer.said.size -= sizeof(status);
	for (int store = PUSH_PYROSCOPE; store <= PUSH_OTLP; store++) {
		(void)push_judge((enum push_store)store, "store:4040", &answer, status & 1,
				 sentence);
		is_sentence(sentence, sizeof(sentence));
	}
	if (push_judge_partial("store:4040", &answer.said, sentence))
		is_sentence(sentence, sizeof(sentence));
}

static void clickhouse(const char *data, size_t size)
{
	const struct buf body = { .data = (char *)data, .size = size };
	struct clickhouse_trouble t;

	clickhouse_judge("store:8123", 500, 1, &body, &t);
	is_sentence(t.sentence, sizeof(t.sentence));
	FUZZ_ASSERT(poster_retry_after(data, size) <= 3600);
}

static void services(const char *data, size_t size)
{
	const struct buf answer = { .data = (char *)data, .size = size };
	struct services s = {};

	services_meet(&s, "main", "2");
	services_meet(&s, "x", "1");
	services_count(&s);
	(void)services_answer(&s, &answer);
	services_done(&s);
}

static void marks(const char *data, size_t size)
{
	struct marks m = {};
	struct buf text = {}, again = {};
	struct json_writer w = json_writer_on(&text), v = json_writer_on(&again);

	if (marks_parse(&m, data, size) == 0) {
		FUZZ_ASSERT(m.n <= MARKS_MAX);
		marks_put(&m, NULL, &w);
		FUZZ_ASSERT(json_writer_done(&w) == 0);
		FUZZ_ASSERT(marks_parse(&m, text.data, text.size) == 0);
		marks_put(&m, NULL, &v);
		FUZZ_ASSERT(json_writer_done(&v) == 0 && again.size == text.size &&
			    memcmp(again.data, text.data, text.size) == 0);
	}
	buf_free(&text);
	buf_free(&again);
	marks_done(&m);
}

/* Tokens as they were kept: what is taken is written, and taken again. */
static void tokens(const char *data, size_t size)
{
	static struct named_tokens t, again;
	_cleanup_buf_ struct buf text = {};
	struct json_writer w = json_writer_on(&text);

	if (named_tokens_parse(&t, data, size) < 0) {
		FUZZ_ASSERT(t.n == 0);
		return;
	}
	for (size_t i = 0; i < t.n; i++)
		FUZZ_ASSERT(token_name_valid(t.items[i].name) &&
			    t.items[i].scope.may != SCOPE_ALL && t.items[i].scope.may < SCOPES);
	named_tokens_put(&t, true, &w);
	FUZZ_ASSERT(json_writer_done(&w) == 0);
	FUZZ_ASSERT(named_tokens_parse(&again, text.data, text.size) == 0 && again.n == t.n);
}

static void put(const char *name, const struct buf *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FUZZ_ASSERT(fd >= 0 && write(fd, text->data, text->size) == (ssize_t)text->size);
	close(fd);
}

static void secrets(void)
{
	char path[64], *text = NULL;

	snprintf(path, sizeof(path), "%s/%s", folder, names[0]);
	if (http_token_read(path, &text) == 0)
		FUZZ_ASSERT(*text && !strpbrk(text, " \r\n"));
	free(text);
	text = NULL;
	if (poster_secret(path, &text) == 0)
		FUZZ_ASSERT(!strpbrk(text, "\r\n"));
	free(text);
}

/* The same in all of plop-gateway's files, and in a token's; with the hash that those must have. */
static void files(const char *data, size_t size)
{
	struct cursor_part part = {};
	struct store_place place = {};
	_cleanup_buf_ struct buf text = {};
	_cleanup_free_ char *error = NULL;
	uint64_t host = 0;

	buf_append(&text, data, size);
	if (size && data[size - 1] == '\n')
		buf_printf(&text, "hash %016" PRIx64 "\n", (uint64_t)XXH3_64bits(data, size));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		put(names[i], &text);
	if (cursor_host_id(folder, &host, &error) < 0)
		FUZZ_ASSERT(error);
	if (cursor_read(folder, &place) == 0)
		FUZZ_ASSERT(place.any);
	if (cursor_read_part(folder, &part) == 0)
		FUZZ_ASSERT(part.rows <= part.all);
	secrets();
}

static void clean(void)
{
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	FUZZ_ASSERT(mkdtemp(folder) && atexit(clean) == 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const char *data, size_t size) = { push,     clickhouse,
									  services, marks,
									  files,    tokens };
	uint8_t which;

	if (!fuzz_take(&data, &size, &which, sizeof(which)))
		return 0;
	parsers[which % ARRAY_SIZE(parsers)]((const char *)data, size);
	return 0;
}
