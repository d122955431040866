/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <linux/filter.h>
#include <stdint.h>

#include "util/macro.h"

/*
 * What a process gives up by itself, for good: system calls that it has no use for, seccomp(2).
 *
 * A call that no rule names is refused with EPERM, or with ENOSYS where Linux 5.10 does not have
 * it: a C library of tomorrow that makes a call of today has another way for kernels that lack it,
 * and takes that on ENOSYS alone. So an unknown call never ends a process. Only calls of another
 * machine do, for their numbers mean something else, and those that a rule is to end it for.
 */
enum confine_action {
	CONFINE_ALLOW = 0,
	CONFINE_REFUSE, /* EPERM */
	CONFINE_ABSENT, /* ENOSYS: there is another way to do it, which can be looked at */
	CONFINE_END,    /* the process: nothing but an attack does this */
};

/*
 * A rule holds if the lower 32 bits of the argument, 0 to 5, are value in what mask has; a mask of
 * 0 with a value of 0: always. Of a call's rules the first that holds counts, so they stand one
 * behind the other.
 */
struct confine_rule {
	int nr; /* SYS_... */
	enum confine_action action;
	unsigned int argument;
	uint32_t mask, value;
};

#define CONFINE_RULES_MAX 160
struct confine_filter {
	struct sock_filter code[8 * CONFINE_RULES_MAX];
	unsigned short n;
};

/* -E2BIG: more than CONFINE_RULES_MAX; -EOPNOTSUPP: not on this machine. */
int confine_filter_make(const struct confine_rule *rules, size_t n, struct confine_filter *ret);
/*
 * Of this thread and those that it makes from now on. -EINVAL, -ENOSYS: a kernel without; -EPERM
 * and others: somebody who confines this process refuses it.
 */
int confine_filter_apply(const struct confine_filter *f);
/* No program that is executed from now on has more privileges than this process: seccomp(2). */
int confine_no_new_privileges(void);

/*
 * NULL, or why this process is not to be confined: it was built with a sanitizer, which makes calls
 * of its own, or who starts it has said so, PLOP_CONFINE=no, as for valgrind.
 */
const char *confine_unwanted(void);
