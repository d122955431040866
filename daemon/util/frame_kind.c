/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/frame_kind.h"

#include "util/macro.h"

static const char *const names[] = {
	[PLOP_FRAME_PYTHON] = "python",
	[PLOP_FRAME_NATIVE] = "native",
	[PLOP_FRAME_KERNEL] = "kernel",
	[PLOP_FRAME_SYNTHETIC] = "synthetic",
};
_Static_assert(ARRAY_SIZE(names) == PLOP_FRAME_KINDS, "a name for each kind");

const char *frame_kind_name(enum plop_frame_kind kind)
{
	return (unsigned int)kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}
