/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/*
 * Logging goes to stderr, one line a message, with the syslog priority prefix "<N>" when stderr is
 * the journal ($JOURNAL_STREAM). util to profile never log above LOG_LEVEL_DEBUG: they return
 * errors and their callers speak. A message is one line whatever is in it: what utf8_is_visible()
 * does not know as visible comes out as "?".
 */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/*
 * name: prefix of each line when not under the journal, static string. max: least urgent level that
 * is shown.
 */
void log_init(const char *name, enum log_level max);
void log_set_max_level(enum log_level max);

void log_write(enum log_level level, const char *format, ...) _printf_(2, 3);
/* Writes "MESSAGE: strerror(-r)" and returns r, a negative errno. */
int log_write_r(enum log_level level, int r, const char *format, ...) _printf_(3, 4);

/* A part of a message that programs look for, where it goes to the journal. */
struct log_field {
	const char *name;  /* "PLOP_WHO"; NULL: it is the last one */
	const char *value; /* NULL or "": left out */
};
/* The same message, with fields; at most LOG_FIELDS. */
#define LOG_FIELDS 12
void log_event(enum log_level level, const struct log_field *fields, const char *format, ...)
	_printf_(3, 4);

#define log_error(...)        log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...)      log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)         log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)        log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_error_r(r, ...)   log_write_r(LOG_LEVEL_ERROR, r, __VA_ARGS__)
#define log_warning_r(r, ...) log_write_r(LOG_LEVEL_WARNING, r, __VA_ARGS__)
#define log_debug_r(r, ...)   log_write_r(LOG_LEVEL_DEBUG, r, __VA_ARGS__)
