/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hidden HOW NAME LIBRARY [OTHER]: loads the interpreter in LIBRARY and has it run work_NAME() for
 * ever; after READY PID. Before that
 *     plain        nothing else
 *     trampolines  maps a page of the library's text again and again, below all else, as libffi
 *                  does for static trampolines
 *     huge         moves the library's text into anonymous memory, as is done to have it in huge
 *                  pages
 *     second       loads OTHER too, an interpreter that is not used
 *     late         loads OTHER alone, says WAITING PID, waits for a line on standard input, and
 *                  only then loads LIBRARY
 *     mappings     makes many mappings between anonymous pages
 * Built by tests/system/missed.py.
 */
#include <dlfcn.h>
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOW      0x10000000ul
#define AGAIN    200
#define MAPPINGS 70000ul

static void *load(const char *path, int flags)
{
	void *library = dlopen(path, RTLD_NOW | flags);

	if (!library)
		errx(1, "%s", dlerror());
	return library;
}

/* The mapping of the library's text. */
static void text_of(const char *path, unsigned long *start, unsigned long *end,
		    unsigned long *offset)
{
	char line[PATH_MAX + 128], perms[8], name[PATH_MAX], real[PATH_MAX];
	FILE *f = fopen("/proc/self/maps", "re");

	if (!f || !realpath(path, real))
		err(1, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %4095s", start, end, perms, offset,
			   name) == 5 &&
		    perms[2] == 'x' && strcmp(name, real) == 0) {
			fclose(f);
			return;
		}
	}
	errx(1, "%s has no text", path);
}

static void map_again(const char *path)
{
	unsigned long start, end, offset;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	text_of(path, &start, &end, &offset);
	for (unsigned long i = 0; i < AGAIN; i++) {
		if (mmap((void *)(LOW + i * 0x2000), 4096, PROT_READ | PROT_EXEC,
			 MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd,
			 (off_t)(offset + 0x3000)) == MAP_FAILED)
			err(1, "mmap");
	}
	close(fd);
}

static void make_anonymous(const char *path)
{
	unsigned long start, end, offset;
	void *copy;

	text_of(path, &start, &end, &offset);
	copy = mmap(NULL, end - start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED)
		err(1, "mmap");
	memcpy(copy, (void *)start, end - start);
	if (mprotect(copy, end - start, PROT_READ | PROT_EXEC) < 0 ||
	    mremap(copy, end - start, end - start, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)start) ==
		    MAP_FAILED)
		err(1, "mremap");
}

/* Neighbours differ in what may be done with them, so that the kernel cannot join them. */
static void make_mappings(unsigned long n)
{
	char *at =
		mmap(NULL, n * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		err(1, "mmap");
	for (unsigned long i = 0; i < n; i += 2) {
		if (mprotect(at + i * 4096, 4096, PROT_READ) < 0)
			return;
	}
}

int main(int argc, char **argv)
{
	const char *how = argc > 3 ? argv[1] : "";
	void (*initialise)(int), *library;
	int (*run)(const char *);
	char program[1024];

	if (argc < 4)
		errx(2, "hidden HOW NAME LIBRARY [OTHER]");
	if (argc > 4 && strcmp(how, "late") == 0) {
		load(argv[4], RTLD_LOCAL);
		printf("WAITING %d\n", (int)getpid());
		fflush(stdout);
		if (read(STDIN_FILENO, program, 1) < 0)
			err(1, "standard input");
	}
	library = load(argv[3], RTLD_GLOBAL);
	if (argc > 4 && strcmp(how, "second") == 0)
		load(argv[4], RTLD_LOCAL);
	if (strcmp(how, "trampolines") == 0)
		map_again(argv[3]);
	if (strcmp(how, "huge") == 0)
		make_anonymous(argv[3]);
	if (strcmp(how, "mappings") == 0)
		make_mappings(MAPPINGS);
	*(void **)&initialise = dlsym(library, "Py_InitializeEx");
	*(void **)&run = dlsym(library, "PyRun_SimpleString");
	if (!initialise || !run)
		errx(1, "%s", dlerror());
	initialise(0);
	snprintf(program, sizeof(program),
		 "import os, time\n"
		 "def work_%s():\n"
		 " x = 1\n"
		 " up = time.process_time() + 0.01\n"
		 " while time.process_time() < up:\n"
		 "  for i in range(2000):\n"
		 "   x = x * 33 & 65535\n"
		 "os.write(1, b'READY %%d\\n' %% os.getpid())\n"
		 "while True:\n"
		 " work_%s()\n"
		 " time.sleep(0.08)\n",
		 argv[2], argv[2]);
	return run(program);
}
