/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A store that is open, with windows of the known profile. */
#include "../format/known.h"
#include "check_main.h"
#include "dir.h"
#include "format/format.h"
#include "store/store.h"

static struct dir dir;
static struct store *store;
static struct store_reader *reader;

static void setup(void)
{
	char *error = NULL;

	dir_make(&dir);
	ck_assert_msg(store_open(dir.path, &store, &error) == 0, "%s", error);
	ck_assert_msg(store_reader_open(dir.path, &reader, &error) == 0, "%s", error);
}

static void teardown(void)
{
	store_reader_close(reader);
	store_close(store);
	dir_done(&dir);
}

/* The known profile as a window of 30 s, n windows after the first. */
static struct profile *window(unsigned int n)
{
	struct profile *p = known_profile();

	p->start_ns = KNOWN_START + n * 30 * NSEC_PER_SEC;
	p->end_ns = p->start_ns + 30 * NSEC_PER_SEC;
	return p;
}

static _unused_ void save(unsigned int n)
{
	_cleanup_(profile_freep) struct profile *p = window(n);

	ck_assert_int_eq(store_save(store, p), 0);
}

/* What a query says, in a form that does not depend on the order of ids. */
static _unused_ char *text(const struct profile *p, const char *format)
{
	_cleanup_buf_ struct buf b = {};

	ck_assert_int_eq(format_find(format)->encode(p, &b), 0);
	return buf_string(&b);
}
