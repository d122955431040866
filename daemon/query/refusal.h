/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/* Why something that was asked for cannot be had, for a person and for HTTP. */
struct refusal {
	unsigned int status; /* of HTTP */
	const char *hint;    /* what to try; static, may be NULL */
	char error[512];
};
void refusal_say(struct refusal *ret, unsigned int status, const char *hint, const char *format,
		 ...) _printf_(4, 5);
