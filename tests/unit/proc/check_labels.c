/* SPDX-License-Identifier: BSD-2-Clause */
#include <check.h>

#include "proc/parse.h"

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *text_of(const char *s, size_t size)
{
	static char out[1024];

	snprintf(out, sizeof(out), "%.*s", (int)size, s);
	return out;
}

START_TEST(cgroup_path_of_v1_v2_and_both)
{
	static const struct {
		const char *text, *path;
	} rows[] = {
		{ "0::/system.slice/a.service\n", "/system.slice/a.service" },
		{ "0::/\n", "/" },
		{ "", "" },
		{ "garbage\n:\n", "" },
		{ "12:cpu,cpuacct:/x\n1:name=systemd:/user.slice/s.scope\n3:memory:/a/very/long/"
		  "path/of/memory\n",
		  "/user.slice/s.scope" },
		{ "12:cpu:/x\n3:memory:/docker/longer\n", "/docker/longer" },
		{ "5:cpu:/v1\n1:name=systemd:/\n0::/\n", "/v1" },
		{ "1:name=systemd:/init.scope\n0::/a:b/c.slice", "/a:b/c.slice" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *path;
		size_t size;

		proc_cgroup_path(rows[i].text, strlen(rows[i].text), &path, &size);
		ck_assert_str_eq(text_of(path, size), rows[i].path);
	}
}
END_TEST

START_TEST(unit_is_the_innermost)
{
	static const struct {
		const char *path, *unit;
	} rows[] = {
		{ "/system.slice/web.service", "web.service" },
		{ "/system.slice/web.service/worker/1", "web.service" },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/shell.scope",
		  "shell.scope" },
		{ "/user.slice", "user.slice" },
		{ "/", "" },
		{ "", "" },
		{ "/.service/.slice", "" },
		{ "///a.service///", "a.service" },
		{ "/kubepods/pod1/xyz", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *unit;
		size_t size;

		proc_cgroup_unit(rows[i].path, strlen(rows[i].path), &unit, &size);
		ck_assert_str_eq(text_of(unit, size), rows[i].unit);
	}
}
END_TEST

START_TEST(container_ids)
{
	static const struct {
		const char *path, *id;
	} rows[] = {
		{ "/docker/" ID64, ID64 },
		{ "/system.slice/docker-" ID64 ".scope", ID64 },
		{ "/kubepods.slice/kubepods-pod12.slice/cri-containerd-" ID64 ".scope", ID64 },
		{ "/kubepods/besteffort/pod12-34/crio-" ID64, ID64 },
		{ "/machine.slice/libpod-" ID64 ".scope/container", ID64 },
		{ "/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:" ID64,
		  ID64 },
		{ "/docker/" ID64 "0", "" },
		{ "/docker/0123456789abcdef", "" },
		{ "/docker/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "" },
		{ "/", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *id;
		size_t size;

		proc_cgroup_container(rows[i].path, strlen(rows[i].path), &id, &size);
		ck_assert_msg(streq(text_of(id, size), rows[i].id), "%s: %s", rows[i].path,
			      text_of(id, size));
	}
}
END_TEST

static void labels_are(const char *block, size_t size, const char *service, const char *version)
{
	struct proc_labels l;

	ck_assert_int_eq(proc_environ_labels(block, size, &l), 0);
	ck_assert_pstr_eq(l.service, service);
	ck_assert_pstr_eq(l.version, version);
	free(l.service);
	free(l.version);
}
#define LABELS(block, service, version) labels_are(block, sizeof(block), service, version)

START_TEST(labels_by_precedence)
{
	LABELS("DD_SERVICE=dd\0OTEL_SERVICE_NAME=otel\0PLOP_SERVICE=plop\0DD_VERSION=1", "plop",
	       "1");
	LABELS("DD_SERVICE=dd\0OTEL_SERVICE_NAME=otel", "otel", NULL);
	LABELS("XDD_SERVICE=no\0DD_SERVICE=dd\0SENTRY_RELEASE=r7", "dd", "r7");
	LABELS("OTEL_RESOURCE_ATTRIBUTES=host=a, "
	       "service.version=2.1,service.name=shop\0DD_VERSION=9",
	       "shop", "2.1");
	LABELS("PLOP_SERVICE=\0DD_SERVICE=dd", "dd", NULL);
	LABELS("PLOP_SERVICE\0=x\0\0PLOP_SERVICES=no", NULL, NULL);
	LABELS("PLOP_SERVICE=a\nb\xff",
	       "a\xef\xbf\xbd"
	       "b\xef\xbf\xbd",
	       NULL);
}
END_TEST

START_TEST(each_name_alone)
{
	LABELS("PLOP_SERVICE=a\0PLOP_VERSION=1", "a", "1");
	LABELS("OTEL_SERVICE_NAME=a", "a", NULL);
	LABELS("OTEL_RESOURCE_ATTRIBUTES=service.name=a,service.version=1", "a", "1");
	LABELS("DD_SERVICE=a\0DD_VERSION=1", "a", "1");
	LABELS("SENTRY_RELEASE=shop@1.2+3", NULL, "shop@1.2+3");
	/* of two the first of the list, wherever it stands */
	LABELS("OTEL_RESOURCE_ATTRIBUTES=service.name=no\0OTEL_SERVICE_NAME=a", "a", NULL);
	LABELS("DD_SERVICE=no\0OTEL_RESOURCE_ATTRIBUTES=service.name=a", "a", NULL);
	LABELS("SENTRY_RELEASE=no\0DD_VERSION=1", NULL, "1");
	LABELS("DD_VERSION=no\0PLOP_VERSION=1", NULL, "1");
}
END_TEST

START_TEST(service_without_an_environment)
{
	static const struct {
		const char *unit, *container, *script, *service;
	} rows[] = {
		{ "web.service", ID64, "run.py", "web.service" },
		{ "docker.scope", ID64, "run.py", ID64 },
		{ "session-4.scope", "", "run.py", "run.py" },
		{ "user@1000.service", "", "run.py", "run.py" },
		{ "user@1000.service", "", "", "user@1000.service" },
		{ ".service", "", "run.py", "run.py" },
		{ "", "", "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_str_eq(proc_service_of(rows[i].unit, rows[i].container, rows[i].script),
				 rows[i].service);
}
END_TEST

START_TEST(labels_are_bounded)
{
	_cleanup_free_ char *block = malloc(100000);
	struct proc_labels l;

	memset(block, 'x', 100000);
	memcpy(block, "PLOP_VERSION=", 13);
	ck_assert_int_eq(proc_environ_labels(block, 100000, &l), 0);
	ck_assert_ptr_null(l.service);
	ck_assert_uint_eq(strlen(l.version), PROC_MAX_LABEL);
	free(l.version);
	/* A name that only begins at the very end. */
	ck_assert_int_eq(proc_environ_labels(block, 13, &l), 0);
	ck_assert_ptr_null(l.version);
}
END_TEST

START_TEST(command_lines)
{
	_cleanup_free_ char *joined = proc_cmdline_join("python3\0-c\0a\nb\0\0", 17, 256);
	_cleanup_free_ char *cut = proc_cmdline_join("abcdefgh", 8, 3);
	_cleanup_free_ char *none = proc_cmdline_join(NULL, 0, 3);

	ck_assert_str_eq(joined, "python3 -c a\xef\xbf\xbd"
				 "b");
	ck_assert_str_eq(cut, "abc");
	ck_assert_str_eq(none, "");
}
END_TEST

static void script_is(const char *data, size_t size, const char *expected)
{
	const char *s;
	size_t n;

	proc_cmdline_script(data, size, &s, &n);
	ck_assert_str_eq(text_of(s, n), expected);
}
#define SCRIPT(data, expected) script_is(data, sizeof(data), expected)

START_TEST(scripts)
{
	SCRIPT("python3\0/srv/app/run.py\0--port\0"
	       "8080",
	       "run.py");
	SCRIPT("python3\0-u\0-X\0utf8\0-Wignore\0main.py", "main.py");
	SCRIPT("python3\0-m\0http.server", "http.server");
	SCRIPT("python3\0-mtornado", "tornado");
	SCRIPT("python3\0-c\0print()\0x.py", "");
	SCRIPT("python3\0-W\0ignore\0", "");
	SCRIPT("python3", "");
	script_is("python3\0-m", 10, "");
	script_is("", 0, "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("proc/labels");
	TCase *t = tcase_create("labels");
	SRunner *r;
	int failed;

	tcase_add_test(t, cgroup_path_of_v1_v2_and_both);
	tcase_add_test(t, unit_is_the_innermost);
	tcase_add_test(t, container_ids);
	tcase_add_test(t, labels_by_precedence);
	tcase_add_test(t, each_name_alone);
	tcase_add_test(t, service_without_an_environment);
	tcase_add_test(t, labels_are_bounded);
	tcase_add_test(t, command_lines);
	tcase_add_test(t, scripts);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
