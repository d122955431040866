/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"
#include "config/config.h"
#include "target/targets.h"

/*
 * What people ask of one process as it is now: read by a helper, answered on the loop thread. Who
 * may see the process may ask; that is looked at when it is asked, and again when it was read, for
 * what was read may be of another program, or of another process of that pid, which may be somebody
 * else's.
 */
struct looks {
	struct targets *targets;     /* borrowed */
	const struct config *config; /* borrowed */
	unsigned int under_way;
};

struct look {
	struct looks *looks;
	struct api_call *call; /* NULL: the client went away */
	pid_t pid;
	uint64_t image;
	uid_t user;            /* on whose account it is; SHARES_NOBODY: of somebody trusted */
	struct selectors whom; /* may see it: asked again when it was read */
	struct buf head;       /* what is known of the process: an object, as text */
	/* Answers call by members of a JSON object, without braces. */
	int (*members)(struct unpack *body, const char **ret_text, size_t *ret_size);
	/* Answers call: why it cannot be read. */
	void (*refuse)(const struct look *l, int r);
};

/*
 * Begins one, of the process that the parameter pid names; what names it, as "a dump": for
 * refusals. NULL after having answered why not. ret_target: valid now.
 */
struct look *look_begin(const struct api_request *q, struct looks *looks, const char *what,
			struct target **ret_target);
/* Asks a helper, and answers then. Takes over the look and the request. */
void look_ask(const struct api_request *q, struct look *l, enum examiner_op op,
	      struct buf *request);
/* Ends one that was not asked; it is to be answered by its caller. */
void look_end(struct look *l);
