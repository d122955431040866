/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "http/server.h"

static char path[32];
static int fd = -1;

static void setup(void)
{
	strcpy(path, "/tmp/plop-token-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
}

static void teardown(void)
{
	close(fd);
	unlink(path);
}

START_TEST(addresses)
{
	static const struct {
		const char *url, *base;
	} good[] = {
		{ "http://127.0.0.1:7567", "http://127.0.0.1:7567" },
		{ "HTTPS://plop.example//", "https://plop.example" },
		{ "https://plop.example/below/a/path/", "https://plop.example/below/a/path" },
		{ "http://[::1]:7567/", "http://[::1]:7567" },
	};
	static const char *const bad[] = { "",
					   "plop.example:7567",
					   "file:///etc/passwd",
					   "ftp://plop.example",
					   "http://",
					   "http://a b",
					   "http://plop.example:99999",
					   "http://me@plop.example",
					   "http://me:secret@plop.example",
					   "http://plop.example/?token=abcd",
					   "http://plop.example/#top",
					   "http://plop.example/\r\nHost: b" };
	const char *why;
	char *base;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		base = NULL;
		ck_assert_int_eq(http_server_parse(good[i].url, &base, &why), 0);
		ck_assert_str_eq(base, good[i].base);
		free(base);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		base = NULL;
		why = NULL;
		ck_assert_msg(http_server_parse(bad[i], &base, &why) == -EINVAL, "%s", bad[i]);
		ck_assert_ptr_nonnull(why);
		ck_assert_ptr_null(base);
	}
}
END_TEST

static int token_of(const char *text, size_t size, char **ret)
{
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(pwrite(fd, text, size, 0), (ssize_t)size);
	return http_token_read(path, ret);
}

START_TEST(tokens)
{
	static const char *const bad[] = { "",       "\n",         " \n",       "a b\n",
					   "a\tb\n", "\xc3\xa4\n", "a\x1b[2J\n" };
	char longest[600], *token = NULL;

	ck_assert_int_eq(token_of("a-token\n", 8, &token), 0);
	ck_assert_str_eq(token, "a-token");
	free(token);
	token = NULL;
	/* without an end of line, and with more lines */
	ck_assert_int_eq(token_of("abc", 3, &token), 0);
	ck_assert_str_eq(token, "abc");
	free(token);
	token = NULL;
	ck_assert_int_eq(token_of("abc\r\nX-More: 1\r\n", 16, &token), 0);
	ck_assert_str_eq(token, "abc");
	free(token);
	token = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(token_of(bad[i], strlen(bad[i]), &token), -EBADMSG);
	memset(longest, 'x', sizeof(longest));
	ck_assert_int_eq(token_of(longest, sizeof(longest), &token), -EBADMSG);
	ck_assert_int_eq(http_token_read("/nowhere", &token), -ENOENT);
	ck_assert_int_eq(http_token_read("/", &token), -EISDIR);
	ck_assert_ptr_null(token);
}
END_TEST

CHECK_MAIN_WITH("http/server", setup, teardown, addresses, tokens);
