/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/parse.h"
#include "proc/text.h"

char *proc_cmdline_join(const char *data, size_t size, size_t max)
{
	_cleanup_free_ char *line = NULL;

	while (size > 0 && data[size - 1] == '\0')
		size--;
	size = MIN(size, max);
	line = malloc(size + 1);
	if (!line)
		return NULL;
	for (size_t i = 0; i < size; i++)
		line[i] = data[i] == '\0' ? ' ' : data[i];
	return text_sanitize(line, size);
}

/* The next NUL-terminated argument; false: no more. */
static bool next_argument(const char **p, const char *end, const char **ret, size_t *ret_size)
{
	const char *nul;

	if (*p >= end)
		return false;
	nul = memchr(*p, '\0', (size_t)(end - *p));
	*ret = *p;
	*ret_size = (size_t)((nul ? nul : end) - *p);
	*p += *ret_size + 1;
	return true;
}

/* What follows the last slash. */
static const char *base_name(const char *path, size_t size)
{
	const char *slash = memrchr(path, '/', size);

	return slash ? slash + 1 : path;
}

static bool is(const char *text, size_t size, const char *other)
{
	return size == strlen(other) && memcmp(text, other, size) == 0;
}

static bool begins(const char *text, size_t size, const char *with)
{
	return size >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, size_t size, const char *with)
{
	size_t n = strlen(with);

	return size >= n && memcmp(text + size - n, with, n) == 0;
}

/* "python3.13t", "pypy3", "platform-python3.6" (RHEL), "python3.11-dbg" (Debian). */
static bool is_python_name(const char *name, size_t size)
{
	static const char *const begin[] = { "platform-python", "python", "pypy" };

	if (ends(name, size, " (deleted)"))
		size -= strlen(" (deleted)");
	if (ends(name, size, "-dbg"))
		size -= strlen("-dbg");
	for (size_t i = 0; i < ARRAY_SIZE(begin); i++) {
		size_t at = strlen(begin[i]);

		if (!begins(name, size, begin[i]))
			continue;
		while (at < size && ((name[at] >= '0' && name[at] <= '9') || name[at] == '.'))
			at++;
		/*
		 * what builds of their own kind have behind the version: debug, pymalloc, wide
		 * characters, threads
		 */
		while (at < size && name[at] && strchr("dmut", name[at]))
			at++;
		return at == size;
	}
	return false;
}

bool proc_is_loader(const char *exe)
{
	const char *name = base_name(exe, strlen(exe));

	return begins(name, strlen(name), "ld-") || begins(name, strlen(name), "ld.so");
}

/*
 * Moves *p behind the name of the interpreter, which may have been started by the dynamic loader.
 */
static bool pass_python(const char *exe, const char **p, const char *end)
{
	/* options of ld.so(8) that have a value */
	static const char *const valued[] = { "--library-path",
					      "--glibc-hwcaps-prepend",
					      "--glibc-hwcaps-mask",
					      "--inhibit-rpath",
					      "--audit",
					      "--preload",
					      "--argv0" };
	const char *name = base_name(exe, strlen(exe)), *arg;
	size_t n;

	if (!next_argument(p, end, &arg, &n))
		return false;
	if (!proc_is_loader(exe))
		return is_python_name(name, strlen(name));
	while (next_argument(p, end, &arg, &n)) {
		const char *base = base_name(arg, n);

		if (!begins(arg, n, "--"))
			return is_python_name(base, (size_t)(arg + n - base));
		for (size_t i = 0; i < ARRAY_SIZE(valued); i++) {
			if (is(arg, n, valued[i]) && !next_argument(p, end, &arg, &n))
				return false;
		}
	}
	return false;
}

bool proc_is_python_program(const char *exe)
{
	const char *name = base_name(exe, strlen(exe));

	return is_python_name(name, strlen(name)) || proc_is_loader(exe);
}

/* What a Python command line runs. */
enum runs {
	RUNS_NOTHING =
		0, /* nothing that has a name: standard input, or not a command line of Python's */
	RUNS_SCRIPT,
	RUNS_MODULE, /* -m */
	RUNS_TEXT,   /* -c */
};

/*
 * One cluster of short options ("-uOm"), as Python takes them (SHORT_OPTS in Python/getopt.c of 3.6
 * to 3.15; 2.7: Modules/main.c). Returns the option that ends the options, 'c' or 'm', with its
 * value; 0: none of these; -1: Python would refuse it.
 */
static int short_options(const char *arg, size_t n, const char **p, const char *end,
			 const char **ret, size_t *ret_size)
{
	static const char alone[] = "bBdEhiIOPqRsStuvVx?3tU", valued[] = "cmQWX";

	for (size_t i = 1; i < n; i++) {
		if (!memchr(valued, arg[i], sizeof(valued) - 1)) {
			if (!memchr(alone, arg[i], sizeof(alone) - 1))
				return -1;
			continue;
		}
		*ret = arg + i + 1;
		*ret_size = n - i - 1;
		if (*ret_size == 0 && !next_argument(p, end, ret, ret_size))
			return -1;
		return arg[i] == 'c' || arg[i] == 'm' ? arg[i] : 0;
	}
	return 0;
}

static enum runs parse(const char *exe, const char *data, size_t size, const char **ret,
		       size_t *ret_size)
{
	const char *p = data, *end = data + size, *arg;
	size_t n;

	if (!pass_python(exe, &p, end))
		return RUNS_NOTHING;
	while (next_argument(&p, end, &arg, &n)) {
		int option;

		if (n >= 2 && arg[0] == '-' && arg[1] == '-') {
			if (n == 2) /* the end of the options */
				return next_argument(&p, end, ret, ret_size) ? RUNS_SCRIPT :
									       RUNS_NOTHING;
			if (!is(arg, n, "--check-hash-based-pycs") ||
			    !next_argument(&p, end, &arg, &n))
				return RUNS_NOTHING;
			continue;
		}
		if (n < 1 || arg[0] != '-') {
			*ret = arg;
			*ret_size = n;
			return RUNS_SCRIPT;
		}
		if (n == 1)
			return RUNS_NOTHING;
		option = short_options(arg, n, &p, end, ret, ret_size);
		if (option < 0)
			return RUNS_NOTHING;
		if (option)
			return option == 'c' ? RUNS_TEXT : RUNS_MODULE;
	}
	return RUNS_NOTHING;
}

/* A name that says nothing: a hash, as PEX has for the folders that it unpacks to. */
static bool is_hash(const char *name, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!(name[i] >= '0' && name[i] <= '9') && !(name[i] >= 'a' && name[i] <= 'f'))
			return false;
	}
	return size >= 32;
}

void proc_cmdline_script(const char *exe, const char *data, size_t size, const char **ret,
			 size_t *ret_size)
{
	const char *text = "", *name;
	size_t n = 0;
	enum runs runs = parse(exe, data, size, &text, &n);

	*ret = "";
	*ret_size = 0;
	if (runs == RUNS_MODULE) {
		*ret = text;
		*ret_size = n;
		return;
	}
	/* an open file has no name of its own: <(...), /dev/stdin */
	if (runs != RUNS_SCRIPT || begins(text, n, "/dev/") || begins(text, n, "/proc/"))
		return;
	while (n > 1 && text[n - 1] == '/')
		n--;
	name = base_name(text, n);
	/* of a program that is a folder the folder has the name */
	if (is(name, (size_t)(text + n - name), "__main__.py") && name - text > 1) {
		n = (size_t)(name - text) - 1;
		name = base_name(text, n);
	}
	n = (size_t)(text + n - name);
	if (is_hash(name, n) || is(name, n, ".") || is(name, n, ".."))
		return;
	*ret = name;
	*ret_size = n;
}

/* Servers and runners, which are installed; what they run is where they are started. */
static bool is_server(const char *name, size_t size)
{
	static const char *const names[] = {
		"gunicorn", "uvicorn",  "celery",        "flask", "hypercorn",      "daphne",
		"granian",  "waitress", "django",        "uwsgi", "waitress-serve", "fastapi",
		"dramatiq", "rq",       "huey_consumer", "arq",   "twistd",         "streamlit",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (is(name, size, names[i]))
			return true;
	return false;
}

/* Whether the last folder of a path is called so. */
static bool is_in(const char *path, size_t size, const char *folder)
{
	const char *folders_end = memrchr(path, '/', size);

	if (!folders_end)
		return false;
	size = (size_t)(folders_end - path);
	path = base_name(path, size);
	return is(path, (size_t)(folders_end - path), folder);
}

enum proc_main proc_cmdline_main(const char *exe, const char *data, size_t size, const char **ret,
				 size_t *ret_size)
{
	const char *text = "", *name;
	size_t n = 0, length;
	enum runs runs = parse(exe, data, size, &text, &n);

	*ret = text;
	*ret_size = n;
	if (runs == RUNS_MODULE) {
		const char *dot = memchr(text, '.', n);

		length = dot ? (size_t)(dot - text) : n;
		if (length == 0 || memchr(text, '/', n))
			return PROC_MAIN_NONE;
		return is_server(text, length) ? PROC_MAIN_FOLDER : PROC_MAIN_MODULE;
	}
	if (runs != RUNS_SCRIPT || n == 0 || begins(text, n, "/dev/") || begins(text, n, "/proc/"))
		return PROC_MAIN_NONE;
	name = base_name(text, n);
	length = (size_t)(text + n - name);
	if (is_server(name, length))
		return PROC_MAIN_FOLDER;
	if (!ends(name, length, ".py") && (is_in(text, n, "bin") || is_in(text, n, "sbin")))
		return PROC_MAIN_NONE;
	return PROC_MAIN_SCRIPT;
}

bool proc_cmdline_is_worker(const char *exe, const char *data, size_t size)
{
	/*
	 * multiprocessing/spawn.py, forkserver.py, resource_tracker.py (3.8; semaphore_tracker.py
	 * before), popen_*.py; loky/backend; billiard/spawn.py, forking.py; execnet/gateway_io.py
	 */
	static const char *const texts[] = {
		"from multiprocessing.",
		"import sys; from multiprocessing.forkserver import main",
		"from loky.",
		"from joblib.externals.",
		"from billiard.",
		"import sys;exec(eval(sys.stdin.readline()))",
	};
	static const char *const modules[] = { ".popen_loky_posix", ".backend.fork_exec" };
	const char *text;
	size_t n;
	enum runs runs = parse(exe, data, size, &text, &n);

	for (size_t i = 0; runs == RUNS_TEXT && i < ARRAY_SIZE(texts); i++) {
		if (begins(text, n, texts[i]))
			return true;
	}
	for (size_t i = 0; runs == RUNS_MODULE && i < ARRAY_SIZE(modules); i++) {
		if (ends(text, n, modules[i]))
			return true;
	}
	return false;
}

void proc_program_name(const char *exe, const char **ret, size_t *ret_size)
{
	const char *name = base_name(exe, strlen(exe));
	size_t n = strlen(name);

	*ret = name;
	*ret_size = 0;
	if (ends(name, n, " (deleted)"))
		n -= strlen(" (deleted)");
	if (!proc_is_python_program(exe))
		*ret_size = n;
}
