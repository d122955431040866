/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/stat.h>
#include <unistd.h>

#include "../../unit/format/known.h"
#include "format/format.h"

/*
 * write_formats DIR EXE: the known profile in every format, as DIR/known.EXTENSION, for foreign
 * readers. Its processes run EXE, a file that is here: readers are not to take it for something to
 * look into.
 */
static int write_one(const char *dir, const struct profile *p, const struct format *f)
{
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_buf_ struct buf b = {};
	char path[4096];

	if (f->encode(p, &b) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/known.%s", dir, f->extension);
	file = fopen(path, "w");
	if (!file || fwrite(b.data, 1, b.size, file) != b.size || fflush(file) != 0) {
		fprintf(stderr, "write_formats: %s: %s\n", path, strerror(errno));
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	int r = 0;

	if (argc != 3 || access(argv[2], R_OK) != 0) {
		fputs("Usage: write_formats DIR EXE\n", stderr);
		return 2;
	}
	for (uint32_t i = 0; i < p->nprocesses; i++) {
		free(p->processes[i].info.exe);
		p->processes[i].info.exe = strdup(argv[2]);
	}
	mkdir(argv[1], 0777);
	for (size_t i = 0; r == 0 && i < nformats; i++)
		r = write_one(argv[1], p, &formats[i]);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
