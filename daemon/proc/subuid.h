/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sys/types.h>
#include <time.h>

#include "util/macro.h"

/*
 * Which user a uid counts as. A user whom /etc/subuid gives a range of uids can run processes as
 * each of these, in a user namespace (newuidmap(1)); whatever has a bound for each user counts all
 * of them as that one user.
 */
#define SUBUID_FILE   "/etc/subuid"
#define SUBUID_PASSWD "/etc/passwd"

/* Of the file; what is beyond is not looked at. */
#define SUBUID_MAX_BYTES  (1u << 20)
#define SUBUID_MAX_RANGES 4096

struct subuid_range {
	uint32_t start, last; /* both belong to it */
	uid_t owner;
};

/*
 * Sorted, and none overlaps another: of two that did, the one that begins first has what both have.
 */
struct subuid {
	struct subuid_range *ranges; /* owned */
	size_t n;
};

/*
 * Reads lines "NAME:START:COUNT", NAME a user's name or uid (subuid(5)), out of size bytes.
 * name_uid() finds a name's uid and returns 0, or < 0: then all uids of the range count as its
 * first one, which is one user still. A line that is none of this form is passed over; so is what
 * has uid 0 in it. -ENOMEM.
 */
int subuid_parse(const char *text, size_t size,
		 int (*name_uid)(const char *name, uid_t *ret, void *ctx), void *ctx,
		 struct subuid *ret);
void subuid_done(struct subuid *s);
/* The user that uid counts as: the owner of the range that it lies in, else uid itself. */
uid_t subuid_owner(const struct subuid *s, uid_t uid);

/* The same of a file, which is read again when it has changed. */
struct subuid_file {
	struct subuid map;
	const char *path, *passwd;  /* borrowed; SUBUID_FILE and SUBUID_PASSWD outside of tests */
	struct timespec changed[2]; /* of both files, when they were read */
	uint64_t looked_ns;         /* CLOCK_MONOTONIC; 0: never */
};
void subuid_file_init(struct subuid_file *f, const char *path, const char *passwd);
void subuid_file_done(struct subuid_file *f);
/*
 * Looks once a second, at most, whether it has changed. A file that cannot be read has no ranges.
 */
void subuid_file_refresh(struct subuid_file *f, uint64_t now_ns);
