/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/buf.h"

/*
 * A configuration's text with other values: all lines stay as they are, comments too, but those of
 * the keys that are set. A key that has no line yet has one behind the comment that shows it,
 * "#key = ...", or at the section's end; a section that there is not stands behind all else. Pure.
 */
struct config_value {
	const char *key, *value; /* value NULL: lines of that key go */
};
void config_edit(const char *text, const char *section, const struct config_value *values, size_t n,
		 struct buf *out);
