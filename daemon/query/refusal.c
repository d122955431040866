/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/refusal.h"

#include <stdarg.h>

void refusal_say(struct refusal *ret, unsigned int status, const char *hint, const char *format,
		 ...)
{
	va_list ap;

	ret->status = status;
	ret->hint = hint;
	va_start(ap, format);
	vsnprintf(ret->error, sizeof(ret->error), format, ap);
	va_end(ap);
}
