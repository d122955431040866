/* SPDX-License-Identifier: BSD-2-Clause */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <systemd/sd-event.h>
#include <unistd.h>

/*
 * Preloaded, it fails what a program asks for, by the letters in the file $PLOP_TEST_FAIL, which
 * may change at any time: 't', no more timers; 'p', no more perf events; 'v', the kernel's verifier
 * takes no large program; 'r', SQLite's files are on a file system that became read-only, as one
 * does that met an error, whoever has files open; 's', a process may not confine itself by seccomp;
 * 'l', this kernel has no Landlock.
 */
#define LETTERS 16
/* Instructions: what a feature is tried by has fewer, and what samples has more. */
#define LARGE 1000
/* landlock_create_ruleset(), which headers may not know */
#define LANDLOCK 444
static const volatile char *failing;

static void __attribute__((constructor)) map_failing(void)
{
	const char *path = getenv("PLOP_TEST_FAIL");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = fd < 0 ? MAP_FAILED : mmap(NULL, LETTERS, PROT_READ, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (at != MAP_FAILED)
		failing = at;
}

static int fails(char letter)
{
	for (int i = 0; failing && i < LETTERS; i++) {
		if (failing[i] == letter)
			return 1;
	}
	return 0;
}

int sd_event_add_time_relative(sd_event *loop, sd_event_source **ret, clockid_t clock,
			       uint64_t usec, uint64_t accuracy, sd_event_time_handler_t callback,
			       void *ctx)
{
	typeof(sd_event_add_time_relative) *next;
	void *symbol = dlsym(RTLD_NEXT, "sd_event_add_time_relative");

	memcpy(&next, &symbol, sizeof(next));
	return fails('t') ? -ENOMEM : next(loop, ret, clock, usec, accuracy, callback, ctx);
}

long syscall(long number, ...)
{
	typeof(syscall) *next;
	void *symbol = dlsym(RTLD_NEXT, "syscall");
	long argument[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		argument[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_perf_event_open && fails('p')) {
		errno = EMFILE;
		return -1;
	}
	if (number == SYS_bpf && argument[0] == BPF_PROG_LOAD && fails('v') &&
	    ((const union bpf_attr *)argument[1])->insn_cnt > LARGE) {
		errno = EACCES;
		return -1;
	}
	if (number == SYS_seccomp && fails('s')) {
		errno = EPERM;
		return -1;
	}
	if (number == LANDLOCK && fails('l')) {
		errno = ENOSYS;
		return -1;
	}
	memcpy(&next, &symbol, sizeof(next));
	return next(number, argument[0], argument[1], argument[2], argument[3], argument[4],
		    argument[5]);
}

/* Of 64 bits, as all are here. */
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at);
int ftruncate64(int fd, off_t size);

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at)
{
	typeof(pwrite64) *next;
	void *symbol = dlsym(RTLD_NEXT, "pwrite64");

	memcpy(&next, &symbol, sizeof(next));
	if (fails('r')) {
		errno = EROFS;
		return -1;
	}
	return next(fd, data, size, at);
}

int ftruncate64(int fd, off_t size)
{
	typeof(ftruncate64) *next;
	void *symbol = dlsym(RTLD_NEXT, "ftruncate64");

	memcpy(&next, &symbol, sizeof(next));
	if (fails('r')) {
		errno = EROFS;
		return -1;
	}
	return next(fd, size);
}
