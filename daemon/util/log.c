/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>

#include "util/log.h"
#include "util/utf8.h"

#define LINE_MAX_LEN 2048

static const char *log_name = "plop";
static enum log_level log_max = LOG_LEVEL_INFO;
static int log_journal;

void log_init(const char *name, enum log_level max)
{
	log_name = name;
	log_max = max;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_set_max_level(enum log_level max)
{
	log_max = max;
}

/*
 * Names of targets are in many a message, and so is what another program said: none of them steers
 * the terminal.
 */
static void log_line(enum log_level level, char *message, const char *error)
{
	utf8_make_visible(message);
	if (log_journal)
		fprintf(stderr, "<%d>%s%s%s\n", level, message, error ? ": " : "",
			error ? error : "");
	else
		fprintf(stderr, "%s: %s%s%s\n", log_name, message, error ? ": " : "",
			error ? error : "");
}

void log_write(enum log_level level, const char *format, ...)
{
	char message[LINE_MAX_LEN];
	va_list ap;

	if (level > log_max)
		return;
	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	log_line(level, message, NULL);
}

int log_write_r(enum log_level level, int r, const char *format, ...)
{
	char message[LINE_MAX_LEN];
	char error[128];
	va_list ap;

	if (level > log_max)
		return r;
	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	log_line(level, message, strerror_r(r < 0 ? -r : r, error, sizeof(error)));
	return r;
}
