/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that is linked to a library which looks like an interpreter: fake_program OFFSET. It
 * writes where that has its _PyRuntime, and stays until its standard input is closed. OFFSET: where
 * in there its list of interpreters begins, which has one then: it is up. 0: it is not.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char interpreter[65536];
	char *runtime = dlsym(RTLD_DEFAULT, "_PyRuntime"), *up = interpreter, c;
	size_t offset = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;

	if (!runtime)
		return 1;
	if (offset)
		memcpy(runtime + offset, &up, sizeof(up));
	if (write(STDOUT_FILENO, &runtime, sizeof(runtime)) != sizeof(runtime))
		return 1;
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
