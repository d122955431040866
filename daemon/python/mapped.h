/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <uthash.h>

#include "proc/process.h"
#include "python/bias.h"

/*
 * The files that a process has mapped, each with its mappings, as /proc/PID/maps lists them line by
 * line.
 */
struct mapped_key {
	uint64_t inode;
	/* a hash of it: on some file systems (btrfs) two files have the same numbers here */
	uint64_t path;
	uint32_t dev_major, dev_minor;
};

struct mapped_file {
	struct mapped_key key;
	UT_hash_handle hh;
	char *path;
	struct mapping *maps; /* owned; not all, where there are many */
	size_t n, size;
	size_t nexec;
	bool write;  /* some of it is private and writable, as variables are */
	bool code;   /* some of it is executable, or private and writable: it may be a library */
	size_t seen; /* how many of its mappings were there when it was looked at; 0: it was not */
};

struct mapped_files {
	struct mapped_file *files; /* in the order in which they were met */
	struct mapped_file *last;  /* that of the line before */
	bool more;                 /* there are more than PLOP_MAX_MAPPED_FILES */
};
void mapped_files_done(struct mapped_files *f);
void mapped_files_drop(struct mapped_files *f, struct mapped_file *k);

/* Adds a line of maps, which is written to. ret: the file that it is of; NULL: none. -ENOMEM. */
int mapped_files_add(struct mapped_files *f, char *line, struct mapped_file **ret);

/*
 * A reader over a file's content, by offset, as far as it is mapped: from the memory of the
 * process. What is not as in the file there are the parts that the process, or its loader, wrote
 * to. *m must outlive it. ret_size: the end of what is mapped.
 */
struct mapped_content {
	struct reader memory;
	const struct mapped_file *file;
};
struct reader mapped_reader(struct mapped_content *m, uint64_t *ret_size);
