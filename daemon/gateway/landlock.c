/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/landlock.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* include/uapi/linux/landlock.h of Linux 6.12; the numbers are the same on all machines. */
#define CREATE_RULESET 444
#define ADD_RULE       445
#define RESTRICT_SELF  446

#define ASK_VERSION 1 /* LANDLOCK_CREATE_RULESET_VERSION */
#define PATH_RULE   1 /* LANDLOCK_RULE_PATH_BENEATH */

enum {
	EXECUTE = 1 << 0,
	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	READ_DIR = 1 << 3,
	REMOVE_DIR = 1 << 4,
	REMOVE_FILE = 1 << 5,
	MAKE_REG = 1 << 8,
	FIRST_ABI = (1 << 13) - 1, /* up to MAKE_SYM */
	REFER = 1 << 13,           /* ABI 2 */
	TRUNCATE = 1 << 14,        /* 3 */
	IOCTL_DEV = 1 << 15,       /* 5 */
};
enum {
	BIND_TCP = 1 << 0, /* ABI 4 */
	CONNECT_TCP = 1 << 1,
};
enum {
	ABSTRACT_SOCKET = 1 << 0, /* ABI 6 */
	SIGNAL = 1 << 1,
};

struct ruleset {
	uint64_t files, net, scoped;
};

struct path_rule {
	uint64_t allowed;
	int32_t folder;
} __attribute__((packed));

int landlock_begin(struct landlock *l, bool connects, bool abstract)
{
	long abi = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
	struct ruleset r = { .files = FIRST_ABI };
	int fd;

	if (abi < 0)
		return -errno;
	r.files |= (abi >= 2 ? REFER : 0) | (abi >= 3 ? TRUNCATE : 0) | (abi >= 5 ? IOCTL_DEV : 0);
	if (abi >= 4)
		r.net = BIND_TCP | (connects ? 0 : CONNECT_TCP);
	if (abi >= 6)
		r.scoped = SIGNAL | (abstract ? 0 : ABSTRACT_SOCKET);
	/* one that knows less takes what is 0 behind what it knows */
	fd = (int)syscall(CREATE_RULESET, &r, sizeof(r), 0);
	if (fd < 0)
		return -errno;
	*l = (struct landlock){ .fd = fd, .abi = (int)abi };
	return 0;
}

void landlock_allow(const struct landlock *l, const char *path, enum landlock_access access)
{
	struct path_rule rule = { .allowed = READ_FILE | READ_DIR };
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	if (access == LANDLOCK_WRITE)
		rule.allowed |= WRITE_FILE | REMOVE_FILE | MAKE_REG | (l->abi >= 3 ? TRUNCATE : 0);
	/* what is no folder has only the rights of a file */
	if (!S_ISDIR(st.st_mode))
		rule.allowed &= READ_FILE | WRITE_FILE;
	rule.folder = fd;
	(void)!syscall(ADD_RULE, l->fd, PATH_RULE, &rule, 0);
}

int landlock_enforce(const struct landlock *l)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(RESTRICT_SELF, l->fd, 0) < 0)
		return -errno;
	return 0;
}

void landlock_done(struct landlock *l)
{
	closep(&l->fd);
}
