/* SPDX-License-Identifier: BSD-2-Clause */
#include <ftw.h>
#include <sys/stat.h>

#include "check_main.h"
#include "config/config.h"

static char directory[] = "/tmp/plop-check-config-XXXXXX";
static char file[64];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static void setup(void)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/plop.conf", directory);
}

static void teardown(void)
{
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

START_TEST(defaults_are_the_contract)
{
	_cleanup_(config_freep) struct config *c = NULL;

	ck_assert_int_eq(config_new(&c), 0);
	ck_assert_uint_eq(c->hz, 100);
	ck_assert_uint_eq(c->window_ns, 30 * NSEC_PER_SEC);
	ck_assert_str_eq(c->state_dir, "/var/lib/plop");
	ck_assert_str_eq(c->socket, "/run/plop/plopd.sock");
	ck_assert_uint_eq(c->retention_ns, 2 * 86400 * NSEC_PER_SEC);
	ck_assert_uint_eq(c->retention_10m_ns, 14 * 86400 * NSEC_PER_SEC);
	ck_assert_uint_eq(c->retention_6h_ns, 400 * 86400 * NSEC_PER_SEC);
	ck_assert_uint_eq(c->max_store, UINT64_C(1) << 30);
	ck_assert_uint_eq(c->max_depth, 1024);
	ck_assert_uint_eq(c->user_rate, 2000);
	ck_assert_uint_eq(c->budget, 10000);
	ck_assert_str_eq(c->listen, "127.0.0.1:7567");
	ck_assert_str_eq(c->token, "");
}
END_TEST

START_TEST(later_files_and_the_command_line_win)
{
	_cleanup_(config_freep) struct config *c = NULL;
	char *error = NULL;

	put("plop.conf", "# a comment\n; another\n\n[plopd]\nhz = 200\nwindow=10s ; "
			 "inline\nretention = 1d\n[gateway]\ntoken = 0123456789abcde=\n");
	mkdir(strcat(strcpy((char[64]){}, file), ".d"), 0700);
	put("plop.conf.d/20.conf", "[plopd]\nhz = 400\n");
	put("plop.conf.d/10.conf", "[plopd]\nhz = 300\nmax_store = 2G\n");
	put("plop.conf.d/30.conf.old", "[plopd]\nhz = nonsense\n");
	put("plop.conf.d/.hidden.conf", "[plopd]\nhz = nonsense\n");
	ck_assert_int_eq(config_new(&c), 0);
	ck_assert_int_eq(config_load(c, file, false, &error), 0);
	ck_assert_ptr_null(error);
	ck_assert_uint_eq(c->hz, 400);
	ck_assert_uint_eq(c->window_ns, 10 * NSEC_PER_SEC);
	ck_assert_uint_eq(c->max_store, UINT64_C(2) << 30);
	ck_assert_str_eq(c->token, "0123456789abcde=");
	ck_assert_int_eq(config_set(c, "plopd", "hz", "500", &error), 0);
	ck_assert_uint_eq(c->hz, 500);
	ck_assert_int_eq(config_set(c, "plopd", "nothing", "500", &error), -ENOENT);
}
END_TEST

START_TEST(errors_name_file_line_and_range)
{
	static const struct {
		const char *text, *line, *says;
	} bad[] = {
		{ "[plopd]\nhz = 0\n", ":2:", "from 1 to 10000" },
		{ "[plopd]\n\nhz = 10001\n", ":3:", "from 1 to 10000" },
		{ "[plopd]\nhz = many\n", ":2:", "a number" },
		{ "[plopd]\nhz =\n", ":2:", "a number" },
		{ "[plopd]\nwindow = 500ms\n", ":2:", "from 1s to 1h" },
		{ "[plopd]\nwindow = 2h\nhz = 0\n", ":2:", "from 1s to 1h" },
		{ "[plopd]\nstate_dir = relative\n", ":2:", "absolute path" },
		{ "[plopd]\nmax_store = 1.5G\n", ":2:", "a size like" },
		{ "[gateway]\nlisten = 7567\n", ":2:", "127.0.0.1:7567" },
		{ "[plopd]\nhz = 100\nthis is nothing\n", ":3:", "key = value" },
		{ "[plopd\n", ":1:", "key = value" },
		{ "[source]\npaths = /srv/app:app\n", ":2:", "absolute paths" },
		{ "[source]\npaths = /srv/app:\n", ":2:", "absolute paths" },
		{ "[source]\npaths = /srv/../etc\n", ":2:", "absolute paths" },
		{ "[source]\npaths = /srv/..:/x\n", ":2:", "absolute paths" },
	};
	char want[96];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(config_freep) struct config *c = NULL;
		_cleanup_free_ char *error = NULL;

		put("plop.conf", bad[i].text);
		ck_assert_int_eq(config_new(&c), 0);
		ck_assert_int_eq(config_load(c, file, false, &error), -EINVAL);
		ck_assert_ptr_nonnull(error);
		snprintf(want, sizeof(want), "%s%s", file, bad[i].line);
		ck_assert_msg(strncmp(error, want, strlen(want)) == 0, "%s: %s", bad[i].text,
			      error);
		ck_assert_msg(strstr(error, bad[i].says) != NULL, "%s: %s", bad[i].text, error);
	}
}
END_TEST

START_TEST(an_error_in_a_later_file_names_that)
{
	_cleanup_(config_freep) struct config *c = NULL;
	_cleanup_free_ char *error = NULL;

	put("plop.conf", "[plopd]\nhz = 200\n");
	mkdir(strcat(strcpy((char[64]){}, file), ".d"), 0700);
	put("plop.conf.d/x.conf", "[plopd]\nhz = x\n");
	ck_assert_int_eq(config_new(&c), 0);
	ck_assert_int_eq(config_load(c, file, false, &error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "plop.conf.d/x.conf:2:"));
}
END_TEST

START_TEST(unknown_keys_are_passed_over)
{
	_cleanup_(config_freep) struct config *c = NULL;
	_cleanup_free_ char *error = NULL;

	put("plop.conf", "hz = 5\n[plopd]\nnew_option = 1\nhz = 200\n[future]\nhz = x\n");
	ck_assert_int_eq(config_new(&c), 0);
	ck_assert_int_eq(config_load(c, file, false, &error), 0);
	ck_assert_uint_eq(c->hz, 200);
}
END_TEST

START_TEST(long_lines_and_binary)
{
	_cleanup_(config_freep) struct config *c = NULL;
	_cleanup_free_ char *error = NULL;
	char text[1024] = "[plopd]\nstate_dir = /";

	memset(text + strlen(text), 'a', 600);
	ck_assert_int_eq(config_new(&c), 0);
	put("plop.conf", text);
	ck_assert_int_eq(config_load(c, file, false, &error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, ":2: the line is too long"));
	free(TAKE_PTR(error));
	put("plop.conf", "[gateway]\ntoken = a\x01z\n");
	ck_assert_int_eq(config_load(c, file, false, &error), -EINVAL);
	ck_assert_str_eq(c->token, "");
}
END_TEST

START_TEST(who_is_told_has_a_form)
{
	static const struct {
		const char *key, *value;
		int r;
	} all[] = { { "command", "", 0 },
		    { "command", "/bin/true --now", 0 },
		    { "command", "true", -EINVAL },
		    { "command", "/bin/true\x1b", -EINVAL },
		    { "url", "", 0 },
		    { "url", "http://127.0.0.1:9000/x?y=1", 0 },
		    { "url", "https://example.org/", 0 },
		    { "url", "https://example.org/a b", -EINVAL },
		    { "url", "file:///etc/passwd", -EINVAL },
		    { "url", "example.org", -EINVAL } };
	_cleanup_(config_freep) struct config *c = NULL;

	ck_assert_int_eq(config_new(&c), 0);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		_cleanup_free_ char *error = NULL;

		ck_assert_int_eq(config_set(c, "notify", all[i].key, all[i].value, &error),
				 all[i].r);
		/* a URL may have a secret in it, and this goes into a log */
		ck_assert(!error || !strstr(error, "example.org"));
	}
	ck_assert_str_eq(c->notify_command, "/bin/true --now");
	ck_assert_str_eq(c->notify_url, "https://example.org/");
}
END_TEST

START_TEST(what_is_shipped_has_a_form)
{
	static const struct {
		const char *key, *value;
		int r;
	} all[] = { { "store", "", 0 },
		    { "store", "clickhouse=http://127.0.0.1:8123/plop", 0 },
		    { "store", "clickhouse=127.0.0.1", -EINVAL },
		    { "store", "http://127.0.0.1:8123", -EINVAL },
		    { "store", "other=http://127.0.0.1:8123", -EINVAL },
		    { "store", "pyroscope=127.0.0.1", -EINVAL },
		    { "tenant", "team-1", 0 },
		    { "token_file", "token", -EINVAL },
		    { "share", "0.1", 0 },
		    { "share", "0", -EINVAL },
		    { "share", "1.1", -EINVAL },
		    { "share", "ten", -EINVAL },
		    { "share", "10%", -EINVAL },
		    { "share_least", "0.0000001", -EINVAL },
		    { "share_of", "hosts", 0 },
		    { "share_of", "days", -EINVAL },
		    { "password_file", "", 0 },
		    { "password_file", "secret", -EINVAL },
		    { "password_file", "/etc/plop/password", 0 },
		    { "delay", "0s", 0 },
		    { "delay", "7h", -EINVAL },
		    { "poll", "0", 0 },
		    { "poll", "61s", -EINVAL },
		    { "poll", "5s", 0 },
		    { "rows", "99", -EINVAL } };
	_cleanup_(config_freep) struct config *c = NULL;

	ck_assert_int_eq(config_new(&c), 0);
	ck_assert_uint_eq(c->fleet_share, 1000000);
	ck_assert_int_eq(c->fleet_share_of, CONFIG_WINDOWS);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		_cleanup_free_ char *error = NULL;

		ck_assert_msg(config_set(c, "fleet", all[i].key, all[i].value, &error) == all[i].r,
			      "%s = %s", all[i].key, all[i].value);
		ck_assert(!error == !all[i].r);
	}
	ck_assert_str_eq(c->fleet_store, "clickhouse=http://127.0.0.1:8123/plop");
	ck_assert_uint_eq(c->fleet_share, 100000);
	ck_assert_int_eq(c->fleet_share_of, CONFIG_HOSTS);
	ck_assert_str_eq(c->fleet_password_file, "/etc/plop/password");
	ck_assert_str_eq(c->fleet_tenant, "team-1");
}
END_TEST

START_TEST(a_store_has_a_kind)
{
	static const struct {
		const char *store, *url;
		enum config_store kind;
	} all[] = {
		{ "clickhouse=http://a/plop", "http://a/plop", CONFIG_STORE_CLICKHOUSE },
		{ "pyroscope=http://a:4040", "http://a:4040", CONFIG_STORE_PYROSCOPE },
		{ "parca=http://a:7070", "http://a:7070", CONFIG_STORE_PARCA },
		{ "coroot=https://a", "https://a", CONFIG_STORE_COROOT },
		{ "otlp=http://a:4318", "http://a:4318", CONFIG_STORE_OTLP },
	};
	const char *url = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		ck_assert_int_eq(config_store_of(all[i].store, &url), all[i].kind);
		ck_assert_str_eq(url, all[i].url);
	}
	ck_assert_int_eq(config_store_of("", &url), CONFIG_STORE_NONE);
	ck_assert_int_eq(config_store_of("parca", &url), CONFIG_STORE_NONE);
}
END_TEST

START_TEST(a_secret_has_a_length)
{
	static const char *const bad[] = { "a", "0123456789abcde", "0123456789 abcdef",
					   "0123456789abcdef\xc3\xa4" };
	_cleanup_(config_freep) struct config *c = NULL;
	_cleanup_free_ char *said = NULL;
	char longest[258] = {};

	ck_assert_int_eq(config_new(&c), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_free_ char *error = NULL;

		ck_assert_int_eq(config_set(c, "gateway", "token", bad[i], &error), -EINVAL);
		ck_assert_ptr_nonnull(strstr(error, "at least 16"));
		/* It goes into a log, and the secret does not. */
		ck_assert(!bad[i][1] || !strstr(error, bad[i]));
	}
	ck_assert_str_eq(c->token, "");
	ck_assert_int_eq(config_set(c, "gateway", "token", "0123456789abcdef", NULL), 0);
	ck_assert_str_eq(c->token, "0123456789abcdef");
	ck_assert_int_eq(config_set(c, "gateway", "token", "", NULL), 0);
	memset(longest, 'x', 257);
	ck_assert_int_eq(config_set(c, "gateway", "token", longest, &said), -EINVAL);
	ck_assert_ptr_nonnull(strstr(said, "at most 256"));
	longest[256] = '\0';
	ck_assert_int_eq(config_set(c, "gateway", "token", longest, NULL), 0);
}
END_TEST

START_TEST(a_named_file_must_exist)
{
	_cleanup_(config_freep) struct config *c = NULL;
	_cleanup_free_ char *error = NULL;

	ck_assert_int_eq(config_new(&c), 0);
	ck_assert_int_eq(config_load(c, file, true, &error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, file));
}
END_TEST

START_TEST(help_lists_every_option)
{
	size_t n = 0;

	for (; config_help(n); n++)
		ck_assert_ptr_nonnull(strchr(config_help(n), ':'));
	ck_assert_uint_eq(n, 44);
}
END_TEST

CHECK_MAIN_WITH("config/config", setup, teardown, defaults_are_the_contract,
		later_files_and_the_command_line_win, errors_name_file_line_and_range,
		an_error_in_a_later_file_names_that, unknown_keys_are_passed_over,
		long_lines_and_binary, who_is_told_has_a_form, what_is_shipped_has_a_form,
		a_store_has_a_kind, a_secret_has_a_length, a_named_file_must_exist,
		help_lists_every_option);
