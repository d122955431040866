/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0
#endif

/* The last call of Linux 5.10, process_madvise(): later numbers are the same on all machines. */
#define NEWEST_EXPECTED 440

#define ACTION_END SECCOMP_RET_KILL_PROCESS

static uint32_t result_of(enum confine_action action)
{
	switch (action) {
	case CONFINE_ALLOW:
		return SECCOMP_RET_ALLOW;
	case CONFINE_ABSENT:
		return SECCOMP_RET_ERRNO | ENOSYS;
	case CONFINE_END:
		return ACTION_END;
	default:
		return SECCOMP_RET_ERRNO | EPERM;
	}
}

static void put(struct confine_filter *f, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	f->code[f->n++] = (struct sock_filter){ .code = code, .jt = yes, .jf = no, .k = k };
}

static void put_load(struct confine_filter *f, size_t offset)
{
	put(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void put_return(struct confine_filter *f, uint32_t result)
{
	put(f, BPF_RET | BPF_K, result, 0, 0);
}

/* The number of the call is loaded, before and after. */
static void put_rule(struct confine_filter *f, const struct confine_rule *r)
{
	/* x86-64 and arm64 have the lower half first */
	size_t argument = offsetof(struct seccomp_data, args) + r->argument * sizeof(uint64_t);
	bool looks = r->mask || r->value;

	put(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->nr, 0, looks ? 5 : 1);
	if (!looks) {
		put_return(f, result_of(r->action));
		return;
	}
	put_load(f, argument);
	put(f, BPF_ALU | BPF_AND | BPF_K, r->mask, 0, 0);
	put(f, BPF_JMP | BPF_JEQ | BPF_K, r->value, 0, 1);
	put_return(f, result_of(r->action));
	put_load(f, offsetof(struct seccomp_data, nr));
}

/*
 * Calls that the kernel has a process make whose functions somebody traces, uretprobe and uprobe of
 * Linux 6.11 and later, which refuses them to all others by itself.
 */
#ifdef __x86_64__
static const struct confine_rule traced[] = { { .nr = 335 }, { .nr = 336 } };
#else
static const struct confine_rule traced[] = {};
#endif

int confine_filter_make(const struct confine_rule *rules, size_t n, struct confine_filter *ret)
{
	ret->n = 0;
	if (n > CONFINE_RULES_MAX)
		return -E2BIG;
	if (!ARCHITECTURE)
		return -EOPNOTSUPP;
	put_load(ret, offsetof(struct seccomp_data, arch));
	put(ret, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	put_return(ret, ACTION_END);
	put_load(ret, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < n; i++)
		put_rule(ret, &rules[i]);
	for (size_t i = 0; i < ARRAY_SIZE(traced); i++)
		put_rule(ret, &traced[i]);
	/* those of x32, too: their numbers are above 2^30 */
	put(ret, BPF_JMP | BPF_JGT | BPF_K, NEWEST_EXPECTED, 0, 1);
	put_return(ret, result_of(CONFINE_ABSENT));
	put_return(ret, result_of(CONFINE_REFUSE));
	return 0;
}

int confine_no_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int confine_filter_apply(const struct confine_filter *f)
{
	const struct sock_fprog program = { .len = f->n, .filter = (struct sock_filter *)f->code };
	int r = confine_no_new_privileges();

	if (r < 0)
		return r;
	/*
	 * Before Linux 5.16 a filter makes a process slow, lest it guess what it may not read: but
	 * what runs here is no code of anybody else's.
	 */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		       &program) < 0 ?
		       -errno :
		       0;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
#define SANITIZED true
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

const char *confine_unwanted(void)
{
	const char *said = getenv("PLOP_CONFINE");

	if (SANITIZED)
		return "it is built with a sanitizer";
	return said && streq(said, "no") ? "PLOP_CONFINE=no" : NULL;
}
