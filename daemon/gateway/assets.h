/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The viewer's files, embedded: a table that the build makes of viewer/ (target
 * plop_viewer_assets).
 */
struct viewer_file {
	const char *path;         /* "/", "/app.js" */
	const char *content_type; /* "text/html; charset=utf-8" */
	const uint8_t *data;      /* gzip'd */
	size_t size;
	const char *etag; /* with its quotes: "\"1a2b\"" */
	bool open;        /* for everybody, token or not */
};

extern const struct viewer_file viewer_files[];
extern const size_t viewer_nfiles;
