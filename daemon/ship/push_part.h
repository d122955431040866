/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "ship/push.h"

/* Of the window: one service and version, or a part of that. Private to push*.c. */
struct push_part {
	const struct profile *profile;
	const struct push_from *from;
	/* valid UTF-8, PUSH_LABEL bytes at most; version may be "" */
	const char *service, *version;
	uint32_t first, rows; /* which rows of the window they are */
};

/* Fills in all of ret but samples; *ret_raw: the profile's bytes before it is compressed. */
int push_otlp_encode(const struct push_part *p, struct push_request *ret, size_t *ret_raw);
