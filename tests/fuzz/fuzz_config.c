/* SPDX-License-Identifier: BSD-2-Clause */
/* What people write: a configuration, options, numbers, durations, times, addresses. */
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "config/edit.h"
#include "fuzz.h"
#include "http/server.h"
#include "util/parse.h"
#include "util/utf8.h"
#include "util/when.h"

#define NOW (UINT64_C(1795359600) * NSEC_PER_SEC)

static void numbers(const char *text, size_t size)
{
	struct parsed_address address;
	uint64_t n = 7;

	if (parse_u64(text, 3, 1u << 30, &n) == 0)
		FUZZ_ASSERT(n >= 3 && n <= 1u << 30);
	(void)parse_duration(text, &n);
	(void)parse_millionths(text, &n);
	(void)parse_size(text, &n);
	(void)parse_unix_seconds(text, &n);
	if (parse_address(text, &address) == 0)
		FUZZ_ASSERT(strlen(address.host) < sizeof(address.host));
}

static void times(const char *text, size_t size)
{
	uint64_t first = 7, last = 7;
	int r = when_parse(text, NOW, false, &first), q = when_parse(text, NOW, true, &last);

	FUZZ_ASSERT(r == 0 || r == -EINVAL || r == -ERANGE);
	FUZZ_ASSERT(r == q && (r == 0 || (first == 7 && last == 7)));
	FUZZ_ASSERT(first <= last);
}

static void texts(const char *text, size_t size)
{
	_cleanup_free_ char *clean = utf8_clean(text), *visible = strdup(text), *base = NULL;
	const char *why = NULL;

	FUZZ_ASSERT(clean && visible && utf8_is_valid(clean));
	FUZZ_ASSERT(utf8_is_valid(text) == streq(text, clean));
	utf8_make_visible(visible);
	FUZZ_ASSERT(utf8_is_valid(visible) && strlen(visible) <= strlen(text));
	for (const char *p = visible; *p;) {
		uint32_t c;

		p += utf8_decode(p, &c);
		FUZZ_ASSERT(utf8_is_visible(c));
	}
	if (http_server_parse(text, &base, &why) == 0)
		FUZZ_ASSERT(strlen(base) && base[strlen(base) - 1] != '/');
	else
		FUZZ_ASSERT(why);
}

/* The file is in memory; there is no folder beside it. */
static int load(const char *text, size_t size, struct config **ret)
{
	_cleanup_(config_freep) struct config *c = NULL;
	_cleanup_free_ char *error = NULL;
	int fd = memfd_create("plop.conf", MFD_CLOEXEC), r;
	char path[64];

	FUZZ_ASSERT(fd >= 0 && write(fd, text, size) == (ssize_t)size && config_new(&c) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = config_load(c, path, false, &error);
	close(fd);
	FUZZ_ASSERT(r <= 0 && (r < 0) == (error != NULL));
	if (r == 0)
		*ret = TAKE_PTR(c);
	return r;
}

static void file(const char *text, size_t size)
{
	_cleanup_(config_freep) struct config *c = NULL;

	if (load(text, size, &c) < 0)
		return;
	FUZZ_ASSERT(c->hz >= 1 && c->hz <= 10000 && c->mode < CONFIG_MODES);
	FUZZ_ASSERT(c->window_ns >= NSEC_PER_SEC && c->max_store >= 16u << 20);
	FUZZ_ASSERT(c->state_dir[0] == '/' && c->socket[0] == '/');
	FUZZ_ASSERT(*c->token == '\0' || strlen(c->token) >= 16);
}

/* What is set is read again; and all else is as it was. */
static void edit(const char *text, size_t size)
{
	const struct config_value values[] = { { "hz", "123" }, { "mode", NULL } };
	_cleanup_(config_freep) struct config *before = NULL, *after = NULL;
	_cleanup_buf_ struct buf out = {}, again = {};
	_cleanup_free_ char *once = NULL;

	config_edit(text, "plopd", values, ARRAY_SIZE(values), &out);
	once = buf_string(&out);
	FUZZ_ASSERT(once);
	config_edit(once, "plopd", values, ARRAY_SIZE(values), &again);
	FUZZ_ASSERT(again.size == strlen(once) && memcmp(again.data, once, again.size) == 0);
	if (load(text, strlen(text), &before) < 0 || load(once, strlen(once), &after) < 0)
		return;
	FUZZ_ASSERT(before->max_store == after->max_store && streq(before->token, after->token));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const char *text, size_t size) = { numbers, times, texts,
									  file, edit };
	_cleanup_free_ char *text = malloc(size + 1);
	uint8_t which;

	FUZZ_ASSERT(text);
	if (!fuzz_take(&data, &size, &which, sizeof(which)))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	parsers[which % ARRAY_SIZE(parsers)](text, size);
	return 0;
}
