/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "http/poster.h"

START_TEST(when_to_ask_again)
{
	static const struct {
		const char *line;
		unsigned int seconds;
	} lines[] = {
		{ "Retry-After: 7\r\n", 7 },
		{ "retry-after:120", 120 },
		{ "Retry-After: \t 3600\r\n", 3600 },
		{ "Retry-After: 99999999999999999999\r\n", 3600 },
		/* a date, and what is none of both */
		{ "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", 0 },
		{ "Retry-After: -1\r\n", 0 },
		{ "Retry-After:\r\n", 0 },
		{ "Retry-Afte", 0 },
		{ "X-Retry-After: 7\r\n", 0 },
		{ "", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		size_t n = strlen(lines[i].line);
		/* what is behind the line is no part of it */
		_cleanup_free_ char *exact = malloc(n + !n);

		memcpy(exact, lines[i].line, n);
		ck_assert_msg(poster_retry_after(exact, n) == lines[i].seconds, "%s",
			      lines[i].line);
	}
}
END_TEST

CHECK_MAIN("http/poster", when_to_ask_again);
