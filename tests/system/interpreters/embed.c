/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that is CPython, with the arguments of its command: linked to it, or with LATE to
 * nothing: then it loads the library that its first argument names when a line comes in, long after
 * its exec.
 */
#include <stdio.h>

#ifdef LATE
#include <dlfcn.h>

int main(int argc, char **argv)
{
	int (*start)(int, char **) = NULL;
	void *library;

	puts("WAITING");
	fflush(stdout);
	if (argc < 2 || getchar() == EOF)
		return 1;
	library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
	if (library)
		*(void **)&start = dlsym(library, "Py_BytesMain");
	if (!start) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	return start(argc - 1, argv + 1);
}
#else
int Py_BytesMain(int argc, char **argv);

int main(int argc, char **argv)
{
	return Py_BytesMain(argc, argv);
}
#endif
