/* SPDX-License-Identifier: BSD-2-Clause */
/* The texts of /proc that a process has a say in. */
#include "fuzz.h"
#include "proc/commit.h"
#include "proc/mounts.h"
#include "proc/parse.h"
#include "proc/process.h"
#include "proc/subuid.h"
#include "proc/threads.h"
#include "python/mapped.h"

/* A part of the input must lie in it. */
static void is_inside(const char *part, size_t part_size, const char *data, size_t size)
{
	FUZZ_ASSERT(part_size == 0 ||
		    (part >= data && part_size <= size && part + part_size <= data + size));
}

static void parse_stat(const char *data, size_t size)
{
	struct proc_stat s;

	if (proc_stat_parse(data, size, &s) == 0)
		is_inside(s.comm, s.comm_size, data, size);
}

static void parse_map(const char *data, size_t size)
{
	_cleanup_free_ char *line = malloc(size + 1);
	struct process_map m;

	FUZZ_ASSERT(line);
	memcpy(line, data, size);
	line[size] = '\0';
	if (process_map_parse(line, &m) == 0) {
		FUZZ_ASSERT(m.start < m.end && strlen(m.perms) == 4);
		is_inside(m.path, strlen(m.path), line, size);
	}
}

static void parse_cgroup(const char *data, size_t size)
{
	const char *path, *part;
	size_t path_size, part_size;

	proc_cgroup_path(data, size, &path, &path_size);
	is_inside(path, path_size, data, size);
	proc_cgroup_unit(path, path_size, &part, &part_size);
	is_inside(part, part_size, data, size);
	proc_cgroup_container(data, size, &part, &part_size);
	is_inside(part, part_size, data, size);
	FUZZ_ASSERT(part_size == 0 || part_size == 64);
}

static void parse_rest(const char *data, size_t size)
{
	_cleanup_free_ char *line = proc_cmdline_join(data, size, PROC_MAX_CMDLINE);
	struct proc_labels l;
	const char *part;
	size_t part_size;

	FUZZ_ASSERT(line);
	proc_cmdline_script("/usr/bin/python3", data, size, &part, &part_size);
	is_inside(part, part_size, data, size);
	(void)proc_cmdline_main("/usr/bin/python3", data, size, &part, &part_size);
	is_inside(part, part_size, data, size);
	proc_cmdline_script("/lib64/ld-linux-x86-64.so.2", data, size, &part, &part_size);
	is_inside(part, part_size, data, size);
	(void)proc_cmdline_is_worker("/usr/bin/python3", data, size);
	(void)proc_environ_overwritten(data, size);
	FUZZ_ASSERT(proc_environ_labels(data, size, &l) == 0);
	FUZZ_ASSERT(!l.service || strlen(l.service) <= PROC_MAX_LABEL * 3);
	free(l.service);
	free(l.version);
}

static int name_uid(const char *name, uid_t *ret, void *ctx)
{
	*ret = (uid_t)strlen(name);
	return *ret % 2 ? 0 : -ENOENT;
}

/* Sorted, apart from one another, never root's; and whoever lies in one is its owner's. */
static void parse_subuid(const char *data, size_t size)
{
	struct subuid s;

	FUZZ_ASSERT(subuid_parse(data, size, name_uid, NULL, &s) == 0);
	FUZZ_ASSERT(s.n <= SUBUID_MAX_RANGES);
	for (size_t i = 0; i < s.n; i++) {
		FUZZ_ASSERT(s.ranges[i].start > 0 && s.ranges[i].start <= s.ranges[i].last);
		FUZZ_ASSERT(i == 0 || s.ranges[i - 1].last < s.ranges[i].start);
		FUZZ_ASSERT(subuid_owner(&s, s.ranges[i].start) == s.ranges[i].owner);
		FUZZ_ASSERT(subuid_owner(&s, s.ranges[i].last) == s.ranges[i].owner);
	}
	FUZZ_ASSERT(subuid_owner(&s, 0) == 0);
	subuid_done(&s);
}

/* Of what status has, and of what a thread waits in. */
static void parse_status(const char *data, size_t size)
{
	_cleanup_free_ char *text = strndup(data, size);
	uint64_t args[6] = {};
	uid_t uids[4], one;
	long number = -7;
	int r;

	FUZZ_ASSERT(text);
	if (proc_status_uids(text, uids) == 0) {
		FUZZ_ASSERT(proc_status_uid(text, &one) == 0);
		FUZZ_ASSERT(one == PROCESS_NO_UID || (one == uids[0] && one == uids[3]));
	}
	r = proc_thread_syscall_parse(text, &number, args);
	FUZZ_ASSERT(r == 0 || r == -EBADMSG || r == -ENODATA);
	FUZZ_ASSERT((r == 0) == (number != -7));
}

static int no_memory(void *ctx, uint64_t address, void *buffer, size_t size)
{
	FUZZ_ASSERT(size > 0 && address + size >= address);
	memset(buffer, 'x', size);
	return 0;
}

/* All lines of maps, and what is mapped of each file, as if it were the file. */
static void parse_maps(const char *data, size_t size)
{
	_cleanup_free_ char *text = strndup(data, size);
	struct mapped_files files = {};
	struct mapped_file *file;
	char *line = text, *next, bytes[64];

	FUZZ_ASSERT(text);
	for (; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		FUZZ_ASSERT(mapped_files_add(&files, line, &file) == 0);
	}
	for (file = files.files; file; file = file->hh.next) {
		struct mapped_content content = { .file = file, .memory = { .read = no_memory } };
		struct reader r;
		uint64_t all = 0;

		r = mapped_reader(&content, &all);
		for (size_t i = 0; i < file->n; i++)
			FUZZ_ASSERT(file->maps[i].start < file->maps[i].end);
		(void)reader_read(&r, 0, bytes, sizeof(bytes));
		(void)reader_read(&r, all - MIN(all, UINT64_C(32)), bytes, sizeof(bytes));
	}
	mapped_files_done(&files);
}

/* The same bytes as each of git's files. */
static void parse_commit(const char *data, size_t size)
{
	const struct reader_bytes bytes = { .data = data, .size = size };
	const struct reader r = bytes_reader(&bytes);
	struct commit_head head = { .ref = "refs/heads/main" };
	char hex[COMMIT_HEX_MAX + 1];

	if (commit_read_head(&r, size, &head) == 0 && head.hex[0])
		FUZZ_ASSERT(!head.ref[0] && strspn(head.hex, "0123456789abcdef") >= 40);
	FUZZ_ASSERT(head.hex[0] || (!strstr(head.ref, "..") && !strstr(head.ref, "//")));
	if (commit_read_ref(&r, size, hex) == 0)
		FUZZ_ASSERT(strlen(hex) == 40 || strlen(hex) == COMMIT_HEX_MAX);
	if (commit_find_packed(&r, size, head.ref, hex) == 0)
		FUZZ_ASSERT(strlen(hex) == 40 || strlen(hex) == COMMIT_HEX_MAX);
	(void)mounts_answer_at(data, size, "/srv/a b");
	(void)mounts_answer_on_way(data, size, "/srv/a b/c");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const char *data,
				       size_t size) = { parse_stat,   parse_map,    parse_cgroup,
							parse_rest,   parse_subuid, parse_commit,
							parse_status, parse_maps };
	uint8_t which;

	if (fuzz_take(&data, &size, &which, sizeof(which)))
		parsers[which % ARRAY_SIZE(parsers)]((const char *)data, size);
	return 0;
}
