/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/* Which versions of CPython can do what, in words. */
enum python_can {
	PYTHON_CAN_PROFILE,
	PYTHON_CAN_PROFILE_FREE_THREADED,
	PYTHON_CAN_SHOW_TASKS,
	PYTHON_CAN_SHOW_TASKS_FREE_THREADED,
};

#define PYTHON_VERSIONS_TEXT_MAX 128

/*
 * "2.7 and 3.6 to 3.15", as it stands in messages and documents. text: PYTHON_VERSIONS_TEXT_MAX
 * bytes; returned.
 */
const char *python_versions_text(enum python_can what, char *text);
