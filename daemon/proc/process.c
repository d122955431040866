/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "proc/folder.h"
#include "proc/process.h"
#include "proc/text.h"
#include "proc/version.h"
#include "util/clock.h"

unsigned int process_threads(pid_t pid)
{
	char path[64];
	struct stat st;

	/* a folder each, and the two that every folder has (proc_task_getattr(), fs/proc/base.c) */
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return stat(path, &st) == 0 && st.st_nlink > 2 ? (unsigned int)st.st_nlink - 2 : 0;
}

bool process_has_memory(pid_t pid)
{
	_cleanup_buf_ struct buf b = {};
	char path[64];

	/* pages of it, of all (proc_pid_statm(), fs/proc/array.c) */
	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	return folder_read(AT_FDCWD, path, 64, &b) == 0 && b.size > 0 && b.data[0] != '0';
}

static double start_time(uint64_t ticks)
{
	double boot = ((double)clock_ns(CLOCK_REALTIME) - (double)clock_ns(CLOCK_BOOTTIME)) / 1e9;

	return boot + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

int process_user(pid_t pid, uid_t *ret)
{
	_cleanup_close_ int folder = -EBADF;
	char text[STATUS_SIZE];
	uid_t uids[4];
	int r = folder_open(pid, &folder);

	if (r >= 0)
		r = folder_read_status(folder, text, NULL);
	if (r >= 0)
		r = proc_status_uids(text, uids);
	if (r >= 0)
		*ret = uids[0];
	return r;
}

int process_parent(pid_t pid, pid_t *ret)
{
	static const char key[] = "\nPPid:\t";
	_cleanup_close_ int folder = -EBADF;
	char text[STATUS_SIZE];
	const char *line;
	int r = folder_open(pid, &folder);

	if (r >= 0)
		r = folder_read_status(folder, text, NULL);
	if (r < 0)
		return r;
	/* a line's end in the name, which stands before, is escaped */
	line = strstr(text, key);
	if (!line)
		return -EBADMSG;
	*ret = (pid_t)strtol(line + strlen(key), NULL, 10);
	return 0;
}

/* text: that of its status, which is read. */
static int owner_and_status(int folder, char text[STATUS_SIZE], uid_t *ret)
{
	uid_t uid, owner;
	int r = folder_read_status(folder, text, &owner);

	if (r >= 0)
		r = proc_status_uid(text, &uid);
	if (r < 0)
		return r;
	/*
	 * the folder's own owner is the effective uid whatever can be dumped, that of its files is
	 * not (task_dump_owner() in fs/proc/base.c)
	 */
	*ret = uid == owner ? uid : PROCESS_NO_UID;
	return 0;
}

static int owner_at(int folder, uid_t *ret)
{
	char text[STATUS_SIZE];

	return owner_and_status(folder, text, ret);
}

int process_owner(pid_t pid, uid_t *ret)
{
	_cleanup_close_ int folder = -EBADF;
	int r = folder_open(pid, &folder);

	return r < 0 ? r : owner_at(folder, ret);
}

/* What a thread is called, by a file "comm". */
static int read_name(int folder, const char *file, char **ret)
{
	_cleanup_buf_ struct buf b = {};
	int r = folder_read(folder, file, 64, &b);

	if (r < 0)
		return r;
	/* The kernel ends it with a newline. */
	*ret = text_sanitize(b.data ? b.data : "", b.size ? b.size - 1 : 0);
	return *ret ? 0 : -ENOMEM;
}

static int read_exe(int folder, char **ret)
{
	char target[PATH_MAX + 16];
	ssize_t n = readlinkat(folder, "exe", target, sizeof(target));

	/* Kernel threads have none, and others' may be forbidden. */
	if (n < 0)
		n = 0;
	*ret = text_sanitize(target, (size_t)n);
	return *ret ? 0 : -ENOMEM;
}

static int read_cgroup(int folder, struct buf *b, struct process_info *p)
{
	const char *path, *part;
	size_t path_size, size;
	int r = folder_read_optional(folder, "cgroup", PROC_MAX_CGROUP, b);

	if (r < 0)
		return r;
	proc_cgroup_path(b->data ? b->data : "", b->size, &path, &path_size);
	p->cgroup = text_sanitize(path, MIN(path_size, (size_t)PATH_MAX));
	proc_cgroup_unit(path, path_size, &part, &size);
	p->unit = text_sanitize(part, MIN(size, (size_t)PROC_MAX_LABEL));
	proc_cgroup_container(path, path_size, &part, &size);
	p->container = text_sanitize(part, size);
	return p->cgroup && p->unit && p->container ? 0 : -ENOMEM;
}

/*
 * Puts the labels of a block of the environment, and a script that stands for a service that
 * nothing else names.
 */
static int set_labels(struct process_info *p, const char *block, size_t size, const char *script)
{
	struct proc_labels labels;
	int r = proc_environ_labels(block, size, &labels);

	if (r < 0)
		return r;
	free(p->service);
	free(p->version);
	p->says_service = labels.service;
	p->says_version = labels.version;
	p->service = labels.service ? labels.service :
				      strdup(proc_service_of(p->unit, p->container, script));
	p->version = labels.version ? labels.version : strdup("");
	return p->service && p->version ? 0 : -ENOMEM;
}

/* What stands for the service by the arguments, or the program. Owned by the caller. */
static char *script_of(const char *exe, const char *arguments, size_t size)
{
	const char *part;
	size_t n;

	proc_cmdline_script(exe, arguments, size, &part, &n);
	if (n == 0)
		proc_program_name(exe, &part, &n);
	return text_sanitize(part, MIN(n, (size_t)PROC_MAX_LABEL));
}

int process_info_relabel(struct process_info *p, const char *environ_block, size_t environ_size,
			 const char *arguments, size_t arguments_size,
			 struct version_cache *versions)
{
	/* the dynamic loader takes what is its own out of the arguments */
	const char *exe = arguments_size && proc_is_loader(p->exe) ? arguments : p->exe;
	_cleanup_free_ char *script = script_of(exe, arguments, arguments_size);
	int r;

	if (p->made == PROCESS_EXECUTED && proc_cmdline_is_worker(exe, arguments, arguments_size))
		p->made = PROCESS_WORKER;
	r = script ? set_labels(p, environ_block, environ_size, script) : -ENOMEM;
	return r < 0 ? r : process_version_find(p, exe, arguments, arguments_size, NULL, versions);
}

static int replace(char **text, const char *by)
{
	char *copy = strdup(by);

	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

int process_info_inherit(struct process_info *p, const struct process_info *maker)
{
	int r = 0;

	if (p->says_service && !(maker->says_service && streq(p->service, maker->service)))
		return 0;
	if (!p->says_service)
		r = replace(&p->service, maker->service);
	if (r == 0 && !p->says_version)
		r = replace(&p->version, maker->version);
	if (r < 0)
		return r;
	p->says_service = maker->says_service;
	p->says_version |= maker->says_version;
	return 0;
}

/*
 * What the arguments, the environment and the cgroup say of service and version. The files are
 * read, not the memory: of a file that a process has mapped there these give nothing, and so wait
 * for no file system that never answers (FOLL_ANON in get_mm_cmdline() and environ_read(),
 * fs/proc/base.c).
 */
static int read_labels(int folder, const char *status, struct version_cache *versions,
		       struct buf *b, struct process_info *p)
{
	_cleanup_buf_ struct buf arguments = {};
	_cleanup_free_ char *script = NULL;
	const char *data;
	int r = folder_read_optional(folder, "cmdline", PROC_MAX_CMDLINE_READ, &arguments);

	if (r == 0)
		r = folder_read_optional(folder, "environ", PROC_MAX_ENVIRON, b);
	if (r < 0)
		return r;
	data = arguments.data ? arguments.data : "";
	p->cmdline = proc_cmdline_join(data, arguments.size, PROC_MAX_CMDLINE);
	script = script_of(p->exe, data, arguments.size);
	if (!p->cmdline || !script)
		return -ENOMEM;
	if (p->made == PROCESS_EXECUTED && proc_cmdline_is_worker(p->exe, data, arguments.size))
		p->made = PROCESS_WORKER;
	p->overwritten = proc_environ_overwritten(b->data ? b->data : "", b->size);
	r = set_labels(p, b->data ? b->data : "", b->size, script);
	/* of one that wrote over what it was called, who reads that finds it */
	return r < 0 || p->overwritten ?
		       r :
		       process_version_find(p, p->exe, data, arguments.size, status, versions);
}

int process_title_read(pid_t pid, char **ret_comm, char **ret_cmdline)
{
	_cleanup_close_ int folder = -EBADF;
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *comm = NULL;
	char *cmdline;
	int r = folder_open(pid, &folder);

	r = r < 0 ? r : read_name(folder, "comm", &comm);
	r = r < 0 ? r : folder_read_optional(folder, "cmdline", PROC_MAX_CMDLINE_READ, &b);
	if (r < 0)
		return r;
	cmdline = proc_cmdline_join(b.data ? b.data : "", b.size, PROC_MAX_CMDLINE);
	if (!cmdline)
		return -ENOMEM;
	*ret_comm = TAKE_PTR(comm);
	*ret_cmdline = cmdline;
	return 0;
}

/*
 * Whether it is a copy of its parent that has executed nothing since, nor has its parent: where
 * stack, arguments and environment lie is drawn anew by each exec (ASLR). Of a parent of another
 * user nothing is read: that may wait.
 */
static int read_made(const struct proc_stat *s, struct buf *b, struct process_info *p)
{
	_cleanup_close_ int folder = -EBADF;
	struct proc_stat parent;
	uid_t uid;
	int r;

	p->parent = s->parent;
	if (s->parent <= 1 || p->uid == PROCESS_NO_UID || !proc_stat_is_forked(s) ||
	    folder_open(s->parent, &folder) < 0 || owner_at(folder, &uid) < 0 || uid != p->uid)
		return 0;
	r = folder_read_stat(folder, b, &parent);
	if (r == -ENOMEM)
		return r;
	if (r >= 0 && proc_stat_is_copy(s, &parent))
		p->made = PROCESS_FORKED;
	return 0;
}

static int read_all(pid_t pid, struct version_cache *versions, struct process_info *p)
{
	_cleanup_close_ int folder = -EBADF;
	_cleanup_buf_ struct buf b = {};
	char status[STATUS_SIZE];
	struct proc_stat s;
	int r = folder_open(pid, &folder);

	r = r < 0 ? r : folder_read_stat(folder, &b, &s);
	if (r < 0)
		return r;
	p->pid = pid;
	p->start_ticks = s.start_ticks;
	p->start_time = start_time(s.start_ticks);
	p->comm = text_sanitize(s.comm, s.comm_size);
	if (!p->comm)
		return -ENOMEM;
	r = owner_and_status(folder, status, &p->uid);
	r = r < 0 ? r : read_made(&s, &b, p);
	r = r < 0 ? r : read_exe(folder, &p->exe);
	r = r < 0 ? r : read_cgroup(folder, &b, p);
	r = r < 0 ? r : read_labels(folder, status, versions, &b, p);
	if (r < 0)
		return r;
	/* of one that has ended meanwhile some files were empty */
	return faccessat(folder, "stat", F_OK, 0) < 0 ? folder_gone(errno) : 0;
}

int process_info_read(pid_t pid, struct version_cache *versions, struct process_info *ret)
{
	struct process_info p = {};
	int r = pid > 0 ? read_all(pid, versions, &p) : -ESRCH;

	if (r < 0) {
		process_info_done(&p);
		return r;
	}
	*ret = p;
	return 0;
}

/* born_ns: CLOCK_BOOTTIME */
static void set_born(struct process_info *p, uint64_t born_ns)
{
	p->start_ticks = born_ns / (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	p->start_time = start_time(p->start_ticks);
}

/* began_ns: CLOCK_MONOTONIC */
static void set_start(struct process_info *p, uint64_t began_ns)
{
	uint64_t asleep = clock_ns(CLOCK_BOOTTIME) - clock_ns(CLOCK_MONOTONIC);

	set_born(p, began_ns + asleep);
}

static int read_brief(pid_t pid, struct process_info *p)
{
	_cleanup_close_ int folder = -EBADF;
	_cleanup_buf_ struct buf b = {};
	int r = folder_open(pid, &folder);

	if (r >= 0)
		r = owner_at(folder, &p->uid);
	if (r >= 0)
		r = read_name(folder, "comm", &p->comm);
	if (r >= 0)
		r = read_cgroup(folder, &b, p);
	if (r < 0)
		return r;
	p->exe = strdup("");
	p->cmdline = strdup("");
	p->version = strdup("");
	p->service = strdup(proc_service_of(p->unit, p->container, ""));
	return p->exe && p->cmdline && p->version && p->service ? 0 : -ENOMEM;
}

int process_info_brief(pid_t pid, uint64_t began_ns, struct process_info *ret)
{
	struct process_info p = { .pid = pid };
	int r = pid > 0 ? read_brief(pid, &p) : -ESRCH;

	if (r < 0) {
		process_info_done(&p);
		return r;
	}
	set_start(&p, began_ns);
	*ret = p;
	return 0;
}

int process_info_child(const struct process_info *parent, pid_t pid, uint64_t began_ns, bool there,
		       struct process_info *ret)
{
	_cleanup_close_ int folder = -EBADF;
	_cleanup_buf_ struct buf b = {};
	struct process_info own = {}, p;
	uid_t uid;
	int r = process_info_copy(parent, &p);

	if (r < 0)
		return r;
	p.pid = pid;
	p.parent = parent->pid;
	p.made = PROCESS_FORKED;
	set_start(&p, began_ns);
	/* one that is gone already was what its parent is */
	r = there ? folder_open(pid, &folder) : -ESRCH;
	if (r == 0 && owner_at(folder, &uid) == 0)
		p.uid = uid;
	if (r == 0)
		r = read_cgroup(folder, &b, &own);
	if (r == 0 && *own.cgroup) {
		char *texts[] = { p.cgroup, p.unit, p.container };

		p.cgroup = own.cgroup;
		p.unit = own.unit;
		p.container = own.container;
		own.cgroup = texts[0];
		own.unit = texts[1];
		own.container = texts[2];
	}
	process_info_done(&own);
	*ret = p;
	return 0;
}

int process_info_again(const struct process_info *like, pid_t pid, pid_t parent, uint64_t born_ns,
		       struct process_info *ret)
{
	struct process_info p;
	int r = process_info_copy(like, &p);

	if (r < 0)
		return r;
	p.pid = pid;
	p.parent = parent;
	set_born(&p, born_ns);
	*ret = p;
	return 0;
}

int process_thread_name(pid_t pid, pid_t tid, char **ret)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/task/%d/comm", (int)pid, (int)tid);
	return read_name(AT_FDCWD, name, ret);
}

int process_info_copy(const struct process_info *from, struct process_info *ret)
{
	struct process_info p = *from;
	char *const *source[] = PROCESS_INFO_TEXTS(from);
	char **copy[] = PROCESS_INFO_TEXTS(&p);
	bool complete = true;

	for (size_t i = 0; i < ARRAY_SIZE(copy); i++) {
		*copy[i] = strdup(*source[i]);
		complete = complete && *copy[i];
	}
	if (!complete) {
		process_info_done(&p);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}

struct process_info process_info_of(pid_t pid)
{
	static char none[] = "";

	return (struct process_info){ .pid = pid,
				      .comm = none,
				      .exe = none,
				      .cmdline = none,
				      .cgroup = none,
				      .unit = none,
				      .container = none,
				      .service = none,
				      .version = none };
}

void process_info_done(struct process_info *p)
{
	char **strings[] = PROCESS_INFO_TEXTS(p);

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		free(*strings[i]);
		*strings[i] = NULL;
	}
}

size_t process_info_bytes(const struct process_info *p)
{
	char *const *strings[] = PROCESS_INFO_TEXTS(p);
	size_t bytes = 0;

	/* malloc() adds a word to each, and rounds up */
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		bytes += strlen(*strings[i]) + 16;
	return bytes;
}

size_t process_info_paths(const struct process_info *p)
{
	return strlen(p->exe) + strlen(p->cgroup) + 2;
}

static bool cut(char **text, size_t bytes)
{
	size_t at = bytes - strlen(TEXT_CUT);
	char *smaller;

	if (strlen(*text) <= bytes)
		return false;
	/* not within a character */
	while (at > 0 && ((*text)[at] & 0xc0) == 0x80)
		at--;
	memcpy(*text + at, TEXT_CUT, sizeof(TEXT_CUT));
	smaller = realloc(*text, at + sizeof(TEXT_CUT));
	if (smaller)
		*text = smaller;
	return true;
}

bool process_info_cut(struct process_info *p, size_t bytes)
{
	bool exe = cut(&p->exe, bytes);

	return cut(&p->cgroup, bytes) || exe;
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

int process_for_each(int (*fn)(pid_t pid, void *ctx), void *ctx)
{
	_cleanup_(closedirp) DIR *d = opendir("/proc");
	struct dirent *e;

	if (!d)
		return -errno;
	for (;;) {
		char *end;
		long pid;
		int r;

		errno = 0;
		e = readdir(d);
		if (!e)
			return -errno;
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		pid = strtol(e->d_name, &end, 10);
		if (*end || pid > INT_MAX)
			continue;
		r = fn((pid_t)pid, ctx);
		if (r != 0)
			return r;
	}
}
