/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "util/log.h"
#include "util/utf8.h"

#define LINE_MAX_LEN  2048
#define FIELD_MAX_LEN (LINE_MAX_LEN + 64)

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

/* What is not visible comes out as "?", as in all messages; size: of text. */
static void put_field(struct iovec *to, char *text, size_t size, const char *name,
		      const char *value)
{
	snprintf(text, size, "%s=%s", name, value);
	utf8_make_visible(text + strlen(name) + 1);
	to->iov_base = text;
	to->iov_len = strlen(text);
}

/* False: there is no journal to tell it. */
static bool tell_journal(enum log_level level, const struct log_field *fields, const char *message)
{
	static char texts[LOG_FIELDS + 3][FIELD_MAX_LEN]; /* one loop thread */
	struct iovec parts[LOG_FIELDS + 3];
	char number[8];
	int n = 3;

	if (access("/run/systemd/journal/socket", W_OK) < 0)
		return false;
	snprintf(number, sizeof(number), "%d", (int)level);
	put_field(&parts[0], texts[0], FIELD_MAX_LEN, "MESSAGE", message);
	put_field(&parts[1], texts[1], FIELD_MAX_LEN, "PRIORITY", number);
	put_field(&parts[2], texts[2], FIELD_MAX_LEN, "SYSLOG_IDENTIFIER", log_name);
	for (; fields->name && n < LOG_FIELDS + 3; fields++) {
		if (!fields->value || !*fields->value)
			continue;
		put_field(&parts[n], texts[n], FIELD_MAX_LEN, fields->name, fields->value);
		n++;
	}
	return sd_journal_sendv(parts, n) == 0;
}

void log_event(enum log_level level, const struct log_field *fields, const char *format, ...)
{
	char message[LINE_MAX_LEN];
	va_list ap;

	if (level > log_max)
		return;
	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	if (!log_journal || !tell_journal(level, fields, message))
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
