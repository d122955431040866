/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/confine.h"

#include <asm/ioctls.h>
#include <limits.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "gateway/landlock.h"
#include "util/confine.h"

/*
 * Calls of plop-gateway and its libraries: libmicrohttpd, SQLite, libcurl with what it uses for TLS
 * and for names, which may load more as it goes (nsswitch.conf(5)). Nobody knows all of these, so
 * nothing that is not here ends it. It starts no process: that is command.h's; and it makes no
 * memory both to be written and run.
 */
#define MAY(call)                \
	{                        \
		.nr = SYS_##call \
	}
#define IF(call, arg, bits, is)                                                    \
	{                                                                          \
		.nr = SYS_##call, .argument = (arg), .mask = (bits), .value = (is) \
	}
#define UNLESS(call, arg, bits)                                                                \
	{                                                                                      \
		.nr = SYS_##call, .action = CONFINE_REFUSE, .argument = (arg), .mask = (bits), \
		.value = (bits)                                                                \
	}
#define ALL_BITS UINT32_MAX

/* The first is left out where nobody is asked: then there are no sockets but this host's own. */
static const struct confine_rule rules[] = {
	MAY(socket),
	IF(socket, 0, ALL_BITS, AF_UNIX),
	MAY(read),
	MAY(write),
	MAY(readv),
	MAY(writev),
	MAY(pread64),
	MAY(pwrite64),
	MAY(recvfrom),
	MAY(sendto),
	MAY(recvmsg),
	MAY(sendmsg),
	MAY(sendmmsg),
	MAY(recvmmsg),
	MAY(close),
	MAY(epoll_ctl),
	MAY(epoll_pwait),
	MAY(ppoll),
	MAY(pselect6),
	MAY(futex),
	MAY(clock_gettime),
	MAY(accept4),
	MAY(accept),
	MAY(shutdown),
	MAY(getsockopt),
	MAY(setsockopt),
	MAY(getsockname),
	MAY(getpeername),
	MAY(connect),
	MAY(bind),
	MAY(socketpair),
	MAY(openat),
	MAY(fstat),
	MAY(newfstatat),
	MAY(statx),
	MAY(lseek),
	MAY(fcntl),
	MAY(flock),
	MAY(faccessat),
	MAY(faccessat2),
	MAY(readlinkat),
	MAY(getdents64),
	MAY(getcwd),
	MAY(mkdirat),
	MAY(unlinkat),
	MAY(renameat),
	MAY(renameat2),
	MAY(ftruncate),
	MAY(fallocate),
	MAY(fsync),
	MAY(fdatasync),
	MAY(fchmod),
	MAY(fstatfs),
	MAY(statfs),
	MAY(dup),
	MAY(dup3),
	MAY(pipe2),
	MAY(eventfd2),
	MAY(epoll_create1),
	MAY(timerfd_create),
	MAY(timerfd_settime),
	MAY(timerfd_gettime),
	MAY(signalfd4),
	MAY(memfd_create),
	MAY(inotify_init1),
	MAY(inotify_add_watch),
	MAY(inotify_rm_watch),
	MAY(close_range),
	UNLESS(mmap, 2, PROT_WRITE | PROT_EXEC),
	MAY(mmap),
	UNLESS(mprotect, 2, PROT_EXEC),
	MAY(mprotect),
	MAY(munmap),
	MAY(mremap),
	MAY(madvise),
	MAY(brk),
	MAY(mlock),
	MAY(membarrier),
	IF(clone, 0, CLONE_THREAD, CLONE_THREAD),
	{ .nr = SYS_clone3, .action = CONFINE_ABSENT },
	MAY(set_robust_list),
	MAY(rseq),
	MAY(wait4),
	MAY(exit),
	MAY(exit_group),
	MAY(restart_syscall),
	MAY(rt_sigaction),
	MAY(rt_sigprocmask),
	MAY(rt_sigreturn),
	MAY(rt_sigtimedwait),
	MAY(sigaltstack),
	MAY(getpid),
	MAY(gettid),
	MAY(getppid),
	MAY(getuid),
	MAY(geteuid),
	MAY(getgid),
	MAY(getegid),
	MAY(getresuid),
	MAY(getresgid),
	MAY(getgroups),
	MAY(capget),
	MAY(clock_getres),
	MAY(clock_nanosleep),
	MAY(nanosleep),
	MAY(gettimeofday),
	MAY(times),
	MAY(getrandom),
	MAY(getrusage),
	MAY(sysinfo),
	MAY(uname),
	MAY(getcpu),
	MAY(sched_yield),
	MAY(sched_getaffinity),
	IF(prlimit64, 0, ALL_BITS, 0),
	IF(prctl, 0, ALL_BITS, PR_SET_NAME),
	IF(ioctl, 1, ALL_BITS, FIONBIO),
	IF(ioctl, 1, ALL_BITS, FIONREAD),
	IF(ioctl, 1, ALL_BITS, TCGETS),
#ifdef __x86_64__
	MAY(open),
	MAY(stat),
	MAY(lstat),
	MAY(access),
	MAY(readlink),
	MAY(mkdir),
	MAY(unlink),
	MAY(rename),
	MAY(dup2),
	MAY(pipe),
	MAY(poll),
	MAY(select),
	MAY(epoll_wait),
	MAY(epoll_create),
	MAY(time),
	MAY(getrlimit),
#endif
};

static int confine_calls(bool asks)
{
	struct confine_filter filter;
	size_t skip = asks ? 0 : 1;
	int r = confine_filter_make(rules + skip, ARRAY_SIZE(rules) - skip, &filter);

	return r < 0 ? r : confine_filter_apply(&filter);
}

/* The folder that something is in, so that it is found again when it is put anew. */
static void allow_beside(const struct landlock *l, const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash || (size_t)(slash - path) >= sizeof(folder))
		return;
	snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	landlock_allow(l, folder, LANDLOCK_READ);
}

/* A file, where it is named and where links lead. */
static void allow_file(const struct landlock *l, const char *path)
{
	_cleanup_free_ char *real = path && *path ? realpath(path, NULL) : NULL;

	if (path && *path)
		allow_beside(l, path);
	if (real)
		allow_beside(l, real);
}

/*
 * Libraries, certificates, names of hosts and times. /run, as resolv.conf is a link to there, which
 * whoever makes it may make later, and secrets are there.
 */
static const char *const system_folders[] = {
	"/usr",
	"/lib",
	"/lib64",
	"/nix/store",
	"/etc",
	"/run",
	"/proc/sys",
	"/proc/self",
	"/dev/null",
	"/dev/random",
	"/dev/urandom",
	"/sys/devices/system/cpu",
	"/var/lib/ca-certificates",
};
/* Where OpenSSL, GnuTLS and libcurl are told of certificates. */
static const char *const variables[] = { "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE" };

static void allow_all(const struct landlock *l, const struct config *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(system_folders); i++)
		landlock_allow(l, system_folders[i], LANDLOCK_READ);
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		allow_file(l, getenv(variables[i]));
	/* plopd makes its folder anew where it is gone */
	allow_file(l, c->state_dir);
	allow_file(l, c->fleet_password_file);
	allow_file(l, c->fleet_token_file);
	allow_file(l, c->fleet_ca_file);
	/* which are read again when they have changed */
	allow_file(l, c->gateway_certificate);
	allow_file(l, c->gateway_key);
	if (*c->fleet_store)
		landlock_allow(l, c->fleet_state_dir, LANDLOCK_WRITE);
}

static int confine_files(const struct config *c, bool asks, int *ret_version)
{
	const char *notify = getenv("NOTIFY_SOCKET");
	struct landlock l;
	int r = landlock_begin(&l, asks, notify && *notify == '@');

	if (r < 0)
		return r;
	allow_all(&l, c);
	r = landlock_enforce(&l);
	*ret_version = l.abi;
	landlock_done(&l);
	return r;
}

void gateway_confine_anyway(const struct config *c, bool asks, struct gateway_confinement *ret)
{
	*ret = (struct gateway_confinement){};
	/* the filter last: it has no use for the calls of Landlock */
	ret->files = confine_files(c, asks, &ret->landlock);
	ret->calls = confine_calls(asks);
}

void gateway_confine(const struct config *c, bool asks, struct gateway_confinement *ret)
{
	const char *unwanted = confine_unwanted();

	if (unwanted)
		*ret = (struct gateway_confinement){ .unwanted = unwanted };
	else
		gateway_confine_anyway(c, asks, ret);
}

void gateway_confinement_say(const struct gateway_confinement *c, char text[CONFINEMENT_TEXT])
{
	const char *absent = c->files == -ENOSYS || c->files == -EOPNOTSUPP ?
				     "this kernel has no Landlock" :
				     strerror(-c->files);

	if (c->unwanted)
		snprintf(text, CONFINEMENT_TEXT, "not confined: %s", c->unwanted);
	else if (c->files < 0 && c->calls < 0)
		snprintf(text, CONFINEMENT_TEXT, "not confined: %s, and seccomp fails: %s", absent,
			 strerror(-c->calls));
	else if (c->files < 0)
		snprintf(text, CONFINEMENT_TEXT, "confined to its system calls, not its files: %s",
			 absent);
	else if (c->calls < 0)
		snprintf(text, CONFINEMENT_TEXT,
			 "confined to its files, not its system calls: seccomp fails: %s",
			 strerror(-c->calls));
	else
		snprintf(text, CONFINEMENT_TEXT,
			 "confined to its files (Landlock %d) and its system calls", c->landlock);
}
