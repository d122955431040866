/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "proc/parse.h"
#include "proc/process.h"

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

#define PYTHON "/usr/bin/python3.11"

static void script_is(const char *exe, const char *data, size_t size, const char *expected)
{
	const char *s;
	size_t n;

	proc_cmdline_script(exe, data, size, &s, &n);
	ck_assert_msg(streq(text_of(s, n), expected), "%s: %s", expected, text_of(s, n));
}
#define SCRIPT(data, expected) script_is(PYTHON, data, sizeof(data), expected)

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
	/* options in one word, and the end of options */
	SCRIPT("python3\0-uOm\0http.server", "http.server");
	SCRIPT("python3\0-uWignore\0main.py", "main.py");
	SCRIPT("python3\0-BXdev\0main.py", "main.py");
	SCRIPT("python3\0-uc\0print()\0x.py", "");
	SCRIPT("python2\0-Qnew\0-tt\0main.py", "main.py");
	SCRIPT("python3\0--\0-m.py", "-m.py");
	SCRIPT("python3\0-\0main.py", "");
	SCRIPT("python3\0--check-hash-based-pycs\0always\0main.py", "main.py");
	/* what Python refuses, or does not know */
	SCRIPT("python3\0--token\0secret", "");
	SCRIPT("python3\0-y\0secret", "");
	/* what has no name */
	SCRIPT("python3\0/dev/fd/63", "");
	SCRIPT("python3\0/proc/self/fd/3", "");
	SCRIPT("python3\0/home/x/.pex/unzipped_pexes/" ID64 "\0serve", "");
	SCRIPT("python3\0.", "");
	SCRIPT("gunicorn: worker [app:app]\0\0\0\0", "");
	/* a folder that is a program */
	SCRIPT("python3\0/srv/shop/__main__.py", "shop");
	SCRIPT("python3\0/srv/shop/\0serve", "shop");
	SCRIPT("python3\0__main__.py", "__main__.py");
	script_is(PYTHON, "python3\0-m", 10, "");
	script_is(PYTHON, "", 0, "");
}
END_TEST

START_TEST(programs_with_arguments_of_their_own)
{
	static const char *const others[] = { "/opt/app/worker",      "/usr/bin/uwsgi-core",
					      "/usr/bin/vim.nox",     "/usr/bin/gdb",
					      "/opt/python.app",      "/usr/bin/python3.11-config",
					      "/opt/app.dist/app.bin" };
	static const char line[] = "worker\0--workers\0"
				   "20\0-u\0NONE\0--token\0secret\0import x\nprint(x)";

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		const char *name;
		size_t n;

		script_is(others[i], line, sizeof(line), "");
		ck_assert(!proc_cmdline_is_worker(others[i], line, sizeof(line)));
		ck_assert(!proc_is_python_program(others[i]));
		proc_program_name(others[i], &name, &n);
		ck_assert_str_eq(text_of(name, n), strrchr(others[i], '/') + 1);
	}
}
END_TEST

START_TEST(programs_that_are_python)
{
	static const char *const pythons[] = { "/usr/bin/python3.11",
					       "/usr/bin/python2.7",
					       "/x/python3.13t",
					       "/x/python3.6dm",
					       "/x/python3",
					       "/x/python",
					       "/x/pypy3.9",
					       "/usr/libexec/platform-python3.6",
					       "/usr/bin/python3.11-dbg",
					       "/x/python3.11 (deleted)" };
	static const char line[] = "python3\0-u\0run.py\0--token\0secret";
	const char *name;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(pythons); i++) {
		script_is(pythons[i], line, sizeof(line), "run.py");
		proc_program_name(pythons[i], &name, &n);
		ck_assert_uint_eq(n, 0);
	}
	proc_program_name("/opt/app/worker (deleted)", &name, &n);
	ck_assert_str_eq(text_of(name, n), "worker");
#define LOADED "/lib64/ld-linux-x86-64.so.2\0--argv0\0/x/python3.11\0/usr/bin/python3.11\0run.py\0y"
	script_is("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", LOADED, sizeof(LOADED),
		  "run.py");
#define NOT_LOADED "/lib64/ld-linux-x86-64.so.2\0/usr/bin/vim\0run.py"
	script_is("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", NOT_LOADED, sizeof(NOT_LOADED),
		  "");
}
END_TEST

#define WORKER(data) proc_cmdline_is_worker(PYTHON, data, sizeof(data))

START_TEST(workers_of_libraries)
{
	ck_assert(WORKER("python3\0-c\0from multiprocessing.spawn import spawn_main; spawn_main("
			 "tracker_fd=5, pipe_handle=7)\0--multiprocessing-fork"));
	ck_assert(WORKER("python3\0-E\0-c\0from multiprocessing.forkserver import main; main(3)"));
	ck_assert(
		WORKER("python3\0-c\0import sys; from multiprocessing.forkserver import main; main("
		       "3)\0x"));
	ck_assert(WORKER("python3\0-c\0from multiprocessing.resource_tracker import main;main(3)"));
	ck_assert(WORKER("python3\0-m\0joblib.externals.loky.backend.popen_loky_posix\0--pipe\0"
			 "16"));
	ck_assert(WORKER("python3\0-c\0from billiard.spawn import spawn_main; spawn_main(1)"));
	ck_assert(WORKER("python3\0-u\0-c\0import sys;exec(eval(sys.stdin.readline()))"));
	ck_assert(!WORKER("python3\0-c\0import multiprocessing"));
	ck_assert(!WORKER("python3\0from multiprocessing.spawn import x"));
	ck_assert(!WORKER("python3\0-m\0loky"));
}
END_TEST

START_TEST(environments_that_were_written_over)
{
	ck_assert(!proc_environ_overwritten("", 0));
	ck_assert(!proc_environ_overwritten("A=b\0C=d", 8));
	ck_assert(proc_environ_overwritten("\0\0\0\0", 4));
	ck_assert(proc_environ_overwritten("end of a title\0\0\0", 17));
	/* one empty byte is no environment that was there */
	ck_assert(!proc_environ_overwritten("", 1));
}
END_TEST

static struct process_info info_of(const char *service, const char *version, bool service_said,
				   bool version_said)
{
	return (struct process_info){ .service = strdup(service),
				      .version = strdup(version),
				      .says_service = service_said,
				      .says_version = version_said };
}

START_TEST(labels_of_the_maker)
{
	static const struct {
		const char *service, *version;
		bool says_service, says_version;
		const char *result, *result_version;
	} rows[] = {
		{ "", "", false, false, "web", "7" },
		{ "unit.service", "", false, false, "web", "7" },
		{ "", "8", false, true, "web", "8" },
		{ "web", "", true, false, "web", "7" },
		/* a version belongs to a service */
		{ "shop", "", true, false, "shop", "" },
		{ "shop", "2", true, true, "shop", "2" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct process_info p = info_of(rows[i].service, rows[i].version,
						rows[i].says_service, rows[i].says_version);
		struct process_info maker = info_of("web", "7", true, true);

		ck_assert_int_eq(process_info_inherit(&p, &maker), 0);
		ck_assert_str_eq(p.service, rows[i].result);
		ck_assert_str_eq(p.version, rows[i].result_version);
		ck_assert(p.says_service);
		process_info_done(&p);
		process_info_done(&maker);
	}
}
END_TEST

CHECK_MAIN("proc/labels", cgroup_path_of_v1_v2_and_both, unit_is_the_innermost, container_ids,
	   labels_by_precedence, each_name_alone, service_without_an_environment,
	   labels_are_bounded, command_lines, scripts, programs_with_arguments_of_their_own,
	   programs_that_are_python, workers_of_libraries, environments_that_were_written_over,
	   labels_of_the_maker);
