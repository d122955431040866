/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "examiner/private.h"
#include "util/confine.h"
#include "util/log.h"

/*
 * What a helper can do once it reads targets: read files and memory, and write to plopd. It holds
 * CAP_SYS_PTRACE, so what matters is that it cannot write: no file is opened for it by open() or
 * openat(), nothing but plopd's socket and the log is written to, and both keep their descriptors,
 * which nothing else can take the place of. What openat2() is to open for lies in memory, where no
 * filter looks; but it could not be written to either, nor mapped so.
 *
 * Landlock is not for helpers: it keeps a process from the memory of all that are not as confined.
 */
#define IF(call, act, arg, bits, is)                                                          \
	{                                                                                     \
		.nr = SYS_##call, .action = CONFINE_##act, .argument = (arg), .mask = (bits), \
		.value = (is)                                                                 \
	}
#define MAY(call)                \
	{                        \
		.nr = SYS_##call \
	}
#define END(call)                                       \
	{                                               \
		.nr = SYS_##call, .action = CONFINE_END \
	}
#define ALL_BITS UINT32_MAX
#define WRITES   (O_ACCMODE | O_CREAT | O_TRUNC)

static const struct confine_rule rules[] = {
	IF(openat, ALLOW, 2, WRITES, 0),
	IF(close, REFUSE, 0, ALL_BITS, HELPER_FD),
	IF(close, REFUSE, 0, ALL_BITS, STDERR_FILENO),
	MAY(close),
	IF(writev, ALLOW, 0, ALL_BITS, HELPER_FD),
	IF(writev, ALLOW, 0, ALL_BITS, STDERR_FILENO),
	IF(write, ALLOW, 0, ALL_BITS, HELPER_FD),
	IF(write, ALLOW, 0, ALL_BITS, STDERR_FILENO),
	IF(mmap, REFUSE, 3, MAP_SHARED, MAP_SHARED),
	IF(mmap, ALLOW, 2, PROT_EXEC, 0),
	IF(mprotect, ALLOW, 2, PROT_EXEC, 0),
	IF(fcntl, ALLOW, 1, ALL_BITS, F_GETFL),
	IF(fcntl, ALLOW, 1, ALL_BITS, F_GETFD),
	IF(fcntl, ALLOW, 1, ALL_BITS, F_SETFD),
	MAY(read),
	MAY(pread64),
	MAY(readv),
	MAY(preadv),
	MAY(process_vm_readv),
	MAY(openat2),
	MAY(fstat),
	MAY(newfstatat),
	MAY(statx),
	MAY(readlinkat),
	MAY(getdents64),
	MAY(faccessat),
	MAY(faccessat2),
	MAY(lseek),
	MAY(munmap),
	MAY(mremap),
	MAY(madvise),
	MAY(brk),
	MAY(futex),
	MAY(clock_gettime),
	MAY(clock_getres),
	MAY(clock_nanosleep),
	MAY(nanosleep),
	MAY(gettimeofday),
	MAY(getrandom),
	MAY(getpid),
	MAY(gettid),
	MAY(getppid),
	MAY(getuid),
	MAY(geteuid),
	MAY(getcpu),
	MAY(getrusage),
	MAY(sched_yield),
	MAY(sched_getaffinity),
	MAY(sysinfo),
	MAY(uname),
	MAY(rt_sigaction),
	MAY(rt_sigprocmask),
	MAY(rt_sigreturn),
	MAY(restart_syscall),
	MAY(exit),
	MAY(exit_group),
#ifdef SYS_open /* these are x86-64's alone */
	IF(open, ALLOW, 1, WRITES, 0),
	MAY(stat),
	MAY(lstat),
	MAY(access),
	MAY(readlink),
	MAY(time),
	END(fork),
	END(vfork),
#endif
	/* another program, another process, another's memory, the kernel */
	END(execve),
	END(execveat),
	END(clone),
	END(ptrace),
	END(process_vm_writev),
	END(bpf),
	END(mount),
	END(setns),
	END(unshare),
	END(init_module),
	END(finit_module),
	END(kexec_load),
};

int helper_confine(void)
{
	struct confine_filter filter;
	int r = confine_filter_make(rules, ARRAY_SIZE(rules), &filter);

	return r < 0 ? r : confine_filter_apply(&filter);
}

int helper_begin(int fd, bool first)
{
	const char *unwanted = confine_unwanted();
	const struct rlimit nothing = {};
	int r;

	if (fd != HELPER_FD) {
		if (dup3(fd, HELPER_FD, O_CLOEXEC) < 0)
			return -errno;
		close(fd);
	}
	/* it needs none of plopd's; where that fails, they are those of its first moments */
	(void)syscall(SYS_close_range, HELPER_FD + 1, UINT32_MAX, 0);
	/* no core of it is kept, for what it has read of others is in there */
	setrlimit(RLIMIT_CORE, &nothing);
	r = unwanted ? 0 : helper_confine();
	/* once for all of them */
	if (first && unwanted)
		log_debug("Helpers may make all system calls: %s", unwanted);
	else if (first && r < 0)
		log_warning_r(r, "Helpers may make all system calls, for seccomp(2) fails");
	return 0;
}
