/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Ownership: whoever declares a variable with _cleanup_ owns what it holds until TAKE_PTR() or
 * TAKE_FD() hands it on. Destructors take the object, accept NULL, and return nothing;
 * DEFINE_FREEP() makes the form that _cleanup_ wants. Constructors are int x_new(struct x **ret,
 * ...) and leave *ret alone on failure.
 */
#define _cleanup_(fn)  __attribute__((cleanup(fn)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_       __attribute__((unused))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                       \
	({                              \
		__typeof__(a) _a = (a); \
		__typeof__(b) _b = (b); \
		_a < _b ? _a : _b;      \
	})
#define MAX(a, b)                       \
	({                              \
		__typeof__(a) _a = (a); \
		__typeof__(b) _b = (b); \
		_a > _b ? _a : _b;      \
	})

#define TAKE_PTR(p)                        \
	({                                 \
		__typeof__(p) *_pp = &(p); \
		__typeof__(p) _p = *_pp;   \
		*_pp = NULL;               \
		_p;                        \
	})
#define TAKE_FD(fd)                \
	({                         \
		int *_fdp = &(fd); \
		int _fd = *_fdp;   \
		*_fdp = -EBADF;    \
		_fd;               \
	})

#define DEFINE_FREEP(type, fn)                      \
	static inline _unused_ void fn##p(type **p) \
	{                                           \
		if (*p)                             \
			fn(*p);                     \
	}

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline _unused_ void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_free_   _cleanup_(freep)
#define _cleanup_close_  _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

static inline int streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

#define NSEC_PER_SEC  UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)
#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)
