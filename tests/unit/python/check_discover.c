/* SPDX-License-Identifier: BSD-2-Clause */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "check_main.h"
#include "proc/process.h"
#include "python/binary.h"
#include "python/loader.h"
#include "python/mapped.h"
#include "python/python.h"

static struct python_cache *cache;

static void setup(void)
{
	ck_assert_int_eq(python_cache_new(&cache), 0);
}

static void teardown(void)
{
	python_cache_free(cache);
}

START_TEST(a_program_without_python)
{
	struct python_process p;

	ck_assert_int_eq(python_discover(cache, getpid(), &p), 0);
	ck_assert_int_eq(p.verdict, PYTHON_NO);
	ck_assert_str_eq(p.version, "");
	ck_assert_str_eq(p.why, "");
}
END_TEST

START_TEST(gone_and_kernel_threads)
{
	struct python_process p;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	/* A zombie has no program. */
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &(siginfo_t){}, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(python_discover(cache, pid, &p), 0);
	ck_assert_int_eq(p.verdict, PYTHON_NO);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(python_discover(cache, pid, &p), 0);
	ck_assert_int_eq(p.verdict, PYTHON_GONE);
}
END_TEST

/*
 * Libraries with an interpreter's symbols, loaded into this program: each verdict, and its
 * sentence.
 */
START_TEST(verdicts_of_loaded_libraries)
{
	static const struct {
		const char *path;
		enum python_verdict verdict;
		const char *version, *why;
	} rows[] = {
		{ FAKE_GNU, PYTHON_YES, "3.11.2", "" },
		{ FAKE_OLD, PYTHON_YES, "3.8.5", "" },
		{ FAKE_37, PYTHON_YES, "3.7.4", "" },
		{ FAKE_36, PYTHON_YES, "3.6.15", "" },
#ifdef __x86_64__
		{ FAKE_27, PYTHON_YES, "2.7.18", "" },
#endif
		{ FAKE_HIDDEN, PYTHON_UNSUPPORTED, "2.7.18",
		  "CPython 2.7.18 is stripped of interp_head, where its threads begin" },
		{ FAKE_REFS, PYTHON_UNSUPPORTED, "3.7.4",
		  "CPython 3.7.4 was built with Py_TRACE_REFS, which this plop does not know" },
		{ FAKE_35, PYTHON_UNSUPPORTED, "3.5.2", "CPython 3.5 is not known to this plop" },
		{ FAKE_NOTHING, PYTHON_UNSUPPORTED, "", "CPython whose version plop cannot tell" },
		{ FAKE_316, PYTHON_UNSUPPORTED, "3.16.1",
		  "CPython 3.16 is not known to this plop" },
		{ FAKE_316_TABLE, PYTHON_UNSUPPORTED, "3.16.0",
		  "CPython 3.16 is not known to this plop" },
		{ FAKE_314_TABLE, PYTHON_UNSUPPORTED, "3.13.0",
		  "CPython 3.13.0 has a table of offsets of another version" },
		{ FAKE_PYPY_LIBRARY, PYTHON_PYPY, "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *library = dlopen(rows[i].path, RTLD_NOW);
		struct python_process p;

		ck_assert_msg(library != NULL, "%s", dlerror());
		ck_assert_int_eq(python_discover(cache, getpid(), &p), 0);
		ck_assert_msg(p.verdict == rows[i].verdict, "%s: verdict %d: %s", rows[i].path,
			      (int)p.verdict, p.why);
		ck_assert_str_eq(p.version, rows[i].version);
		ck_assert_str_eq(p.why, rows[i].why);
		if (rows[i].verdict == PYTHON_YES) {
			uintptr_t root = (uintptr_t)dlsym(library, "_PyRuntime");
			void **(*interp)(void) = NULL;

			*(void **)&interp = dlsym(library, "fake_interp");
			if (interp)
				root = (uintptr_t)interp();
			ck_assert_uint_eq(p.runtime, root);
			ck_assert_int_eq(layout_check(&p.layout), 0);
		}
		dlclose(library);
	}
}
END_TEST

static struct binary examined_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct reader r = file_reader(fd);
	struct binary b;
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(binary_examine(&r, (uint64_t)st.st_size, "libpython.so", &b), 0);
	close(fd);
	return b;
}

/* The file at path as it is mapped into this process. */
static struct mapped_file *mapped_here(struct mapped_files *all, const char *path)
{
	struct mapped_file *f, *found = NULL;
	FILE *maps = fopen("/proc/self/maps", "re");
	char *line = NULL;
	size_t size = 0;

	ck_assert_ptr_nonnull(maps);
	while (getline(&line, &size, maps) > 0) {
		line[strcspn(line, "\n")] = '\0';
		ck_assert_int_eq(mapped_files_add(all, line, &f), 0);
		found = f && streq(f->path, path) ? f : found;
	}
	free(line);
	fclose(maps);
	return found;
}

/*
 * What a file that may not be opened says by what is mapped of it: the same, as far as no section
 * is needed for it.
 */
START_TEST(files_by_their_memory)
{
	static const char *const paths[] = { FAKE_GNU,          FAKE_SYSV,   FAKE_OLD,
					     FAKE_37,           FAKE_TAIL,
#ifdef __x86_64__
					     FAKE_27,
#endif
					     FAKE_PYPY_LIBRARY, FAKE_NOTHING };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct binary file = examined_file(paths[i]), memory;
		void *library = dlopen(paths[i], RTLD_NOW);
		struct mapped_files all = {};
		struct mapped_content content = { .memory = process_memory_reader(getpid()) };
		struct reader r;
		uint64_t size;

		ck_assert_msg(library != NULL, "%s", dlerror());
		content.file = mapped_here(&all, paths[i]);
		ck_assert_msg(content.file != NULL, "%s is not mapped", paths[i]);
		r = mapped_reader(&content, &size);
		ck_assert_int_eq(binary_examine_mapped(&r, size, "libpython.so", content.file->maps,
						       content.file->n, &memory),
				 0);
		ck_assert_msg(memory.kind == file.kind, "%s: kind %d", paths[i], (int)memory.kind);
		ck_assert_uint_eq(memory.runtime, file.runtime);
		ck_assert_uint_eq(memory.hexversion, file.hexversion);
		ck_assert_uint_eq(memory.nloads, file.nloads);
		binary_done(&memory);
		binary_done(&file);
		mapped_files_done(&all);
		dlclose(library);
	}
}
END_TEST

/* An interpreter by another name, or as a part of a plugin: its symbols tell. */
START_TEST(a_library_of_any_name)
{
	char path[] = "/tmp/check-discover-engine-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC), from = open(FAKE_OLD, O_RDONLY | O_CLOEXEC);
	static char content[65536];
	struct python_process p;
	void *library;
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(from, 0);
	n = read(from, content, sizeof(content));
	ck_assert_int_eq(write(fd, content, (size_t)n), n);
	close(from);
	close(fd);
	library = dlopen(path, RTLD_NOW);
	ck_assert_msg(library != NULL, "%s", dlerror());
	ck_assert_int_eq(python_discover(cache, getpid(), &p), 0);
	ck_assert_int_eq(p.verdict, PYTHON_YES);
	ck_assert_str_eq(p.version, "3.8.5");
	ck_assert(p.starting);
	ck_assert_uint_eq(p.runtime, (uintptr_t)dlsym(library, "_PyRuntime"));
	dlclose(library);
	unlink(path);
}
END_TEST

#define REWRITTEN_SIZE 65536

/*
 * The content of the file from into the file fd, always of one size and mtime, and with another
 * ctime than before.
 */
static void rewrite(int fd, const char *from)
{
	const struct timespec times[] = { { .tv_sec = 1700000000 }, { .tv_sec = 1700000000 } };
	static char content[REWRITTEN_SIZE];
	struct stat before, after;
	int other = open(from, O_RDONLY | O_CLOEXEC);

	memset(content, 0, sizeof(content));
	ck_assert_int_ge(other, 0);
	ck_assert_int_lt(read(other, content, sizeof(content)), REWRITTEN_SIZE);
	close(other);
	ck_assert_int_eq(fstat(fd, &before), 0);
	ck_assert_int_eq(pwrite(fd, content, sizeof(content), 0), REWRITTEN_SIZE);
	/* It has the grain of the kernel's tick. */
	do {
		ck_assert_int_eq(futimens(fd, times), 0);
		ck_assert_int_eq(fstat(fd, &after), 0);
	} while (memcmp(&before.st_ctim, &after.st_ctim, sizeof(after.st_ctim)) == 0);
}

START_TEST(other_content_of_the_same_inode_size_and_mtime)
{
	static const struct {
		const char *content, *version;
	} rows[] = { { FAKE_GNU, "3.11.2" }, { FAKE_OLD, "3.8.5" }, { FAKE_37, "3.7.4" } };
	char path[] = "/tmp/check-discover-python-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct python_process p;
		void *library;

		rewrite(fd, rows[i].content);
		library = dlopen(path, RTLD_NOW);
		ck_assert_msg(library != NULL, "%s", dlerror());
		ck_assert_int_eq(python_discover(cache, getpid(), &p), 0);
		ck_assert_int_eq(p.verdict, PYTHON_YES);
		ck_assert_str_eq(p.version, rows[i].version);
		dlclose(library);
	}
	close(fd);
	unlink(path);
}
END_TEST

/* FAKE_PROGRAM at work. */
struct program {
	pid_t pid;
	int line;
	uint64_t runtime;
};

static struct program program_start(uint16_t up_at)
{
	struct program p;
	char offset[16];
	int line[2];

	snprintf(offset, sizeof(offset), "%u", up_at);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line), 0);
	p.pid = fork();
	ck_assert_int_ge(p.pid, 0);
	if (p.pid == 0) {
		dup2(line[1], STDIN_FILENO);
		dup2(line[1], STDOUT_FILENO);
		execl(FAKE_PROGRAM, FAKE_PROGRAM, offset, NULL);
		_exit(127);
	}
	close(line[1]);
	p.line = line[0];
	ck_assert_int_eq(read(p.line, &p.runtime, sizeof(p.runtime)), sizeof(p.runtime));
	return p;
}

static void program_end(struct program *p)
{
	close(p->line);
	ck_assert_int_eq(waitpid(p->pid, NULL, 0), p->pid);
}

static void program_discovered(const struct program *p, bool again, bool starting)
{
	struct python_process found;

	ck_assert_int_eq(again ? python_discover_again(cache, p->pid, &found) :
				 python_discover(cache, p->pid, &found),
			 0);
	ck_assert_int_eq(found.verdict, PYTHON_YES);
	ck_assert_str_eq(found.version, "3.11.2");
	ck_assert_uint_eq(found.runtime, p->runtime);
	ck_assert_int_eq(found.starting, starting);
}

/* What the loader's list says of the program's library. */
static int in_the_list(const struct program *p)
{
	const struct binary *exe, *library;
	struct cache_key key;
	uint64_t bias, list;
	int r;

	ck_assert_int_eq(cache_look_at_exe(cache, p->pid, FAKE_PROGRAM, &exe, &key), 0);
	ck_assert(exe->needs_python);
	r = loader_find_library(cache, p->pid, exe, &key, &library, &bias, &list);
	if (r == 0)
		ck_assert_uint_eq(library->runtime + bias, p->runtime);
	return r;
}

/* The library that a program is linked to is where others of that program had it, and up or not. */
START_TEST(a_library_that_is_known)
{
	struct plop_layout l;
	struct program first, other;
	struct stat st;

	ck_assert_int_eq(layout_by_version(0x030b02f0, &l), 0);
	first = program_start(0);
	other = program_start(l.runtime_interpreters_head);
	ck_assert_int_eq(in_the_list(&first), -ENOENT);
	program_discovered(&first, false, true);
	ck_assert_int_eq(in_the_list(&first), 0);
	ck_assert_int_eq(in_the_list(&other), 0);
	program_discovered(&other, false, false);
	program_discovered(&first, false, true);
	/* whoever looks again looks among all mappings */
	program_discovered(&first, true, true);
	program_discovered(&other, true, false);
	/* the file is another by now: it is examined anew, and then known */
	ck_assert_int_eq(stat(FAKE_SONAME, &st), 0);
	ck_assert_int_eq(chmod(FAKE_SONAME, st.st_mode & 07777), 0);
	ck_assert_int_eq(in_the_list(&other), -ENOENT);
	program_discovered(&other, false, false);
	ck_assert_int_eq(in_the_list(&first), 0);
	program_end(&other);
	program_end(&first);
}
END_TEST

/* A program whose list of libraries leads nowhere, or in a circle: the mappings tell. */
START_TEST(a_list_that_is_broken)
{
	static const uint64_t nowhere[] = { 0, 1, UINT64_MAX };
	struct program p = program_start(0);
	struct cache_key key;
	const struct binary *exe;
	uint64_t bias, debug, first;
	const struct reader memory = process_memory_reader(p.pid);

	program_discovered(&p, false, true);
	ck_assert_int_eq(in_the_list(&p), 0);
	ck_assert_int_eq(cache_look_at_exe(cache, p.pid, FAKE_PROGRAM, &exe, &key), 0);
	ck_assert_int_eq(loader_program_bias(p.pid, exe, &bias), 0);
	ck_assert_int_eq(reader_u64(&memory, bias + exe->debug, &debug), 0);
	ck_assert_int_eq(reader_u64(&memory, debug + 8, &first), 0);
	for (size_t i = 0; i <= ARRAY_SIZE(nowhere); i++) {
		/* the last: the first entry is its own next one */
		const uint64_t to = i < ARRAY_SIZE(nowhere) ? nowhere[i] : first;
		struct iovec local = { (void *)&to, sizeof(to) };
		struct iovec remote = { (void *)(uintptr_t)(first + 24), sizeof(to) };

		ck_assert_int_eq(process_vm_writev(p.pid, &local, 1, &remote, 1, 0), sizeof(to));
		ck_assert_int_eq(in_the_list(&p), -ENOENT);
		program_discovered(&p, false, true);
	}
	program_end(&p);
}
END_TEST

CHECK_MAIN_WITH("python/discover", setup, teardown, a_program_without_python,
		gone_and_kernel_threads, verdicts_of_loaded_libraries, files_by_their_memory,
		a_library_of_any_name, other_content_of_the_same_inode_size_and_mtime,
		a_library_that_is_known, a_list_that_is_broken);
