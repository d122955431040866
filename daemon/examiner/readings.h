/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "examiner/wire.h"
#include "plop/events.h"
#include "util/reader.h"

/*
 * What a helper read of a target, kept so that it can be read again without the target: the code
 * that makes sense of it is the same on both sides. The helper runs it on the target through a
 * recorder; plopd runs it on what was recorded.
 *
 * Readings come in sections: the first is for what is confirmed, then one for each code object.
 * Within a section whatever was read twice is there twice, in its order, so that a difference
 * between two readings is still one.
 */
#define READINGS_MAX_BYTES (4u << 20)

/* On the helper's side: a reader that notes down. */
struct recorder {
	struct reader from;
	struct buf *to;
};
struct reader recorder_reader(struct recorder *r);
/* Whether no more is to be read, as READINGS_MAX_BYTES are full. */
bool recorder_full(const struct recorder *r);

/* On plopd's side. */
struct readings;
/*
 * Sections, each its size (32 bits) and its bytes. They are not copied: there may be many MB of
 * them, so body->message is taken, and empty after. frames: of the code objects, n of them in the
 * order of their sections, which may be fewer. -EBADMSG: it is cut off; -ENOMEM.
 */
int readings_new(const struct unpack *body, const struct plop_frame *frames, size_t n,
		 struct readings **ret);
void readings_free(struct readings *r);
DEFINE_FREEP(struct readings, readings_free)

/*
 * A reader over one section: the next reading of these bytes in it, beginning anew at its end.
 * -EAGAIN: they were not read, nor tried. That of a code object is the one made for this instr, or
 * else any of it.
 */
struct replay {
	const char *data;
	size_t size, at;
};
/* r may be NULL: nothing was read. */
struct reader readings_of_confirmation(const struct readings *r, struct replay *p);
struct reader readings_of_code(const struct readings *r, const struct plop_frame *f,
			       struct replay *p);
