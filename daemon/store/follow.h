/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/head.h"
#include "store/store.h"

/*
 * Windows one after the other, as they are saved, for who hands them on and remembers how far he
 * came. The file has a number of its own, writer, drawn at random, which a copy of it has as well:
 * with it the ids of windows say which they are.
 */
struct store_place {
	bool any;        /* false: before the first window */
	uint64_t writer; /* of the file */
	int64_t id;      /* of the window that was the last one */
	uint64_t end_ns; /* when that ended */
};

/* Of the file as it is now. -ENOENT: plopd has given it none yet. */
int store_writer(struct store_reader *reader, uint64_t *ret);
/*
 * The head of the next window, and the place behind it. Where the file is another one, or one of an
 * earlier time, it is the first that ended later. -ENOENT: there is none yet.
 */
int store_follow(struct store_reader *reader, const struct store_place *from, struct head *ret,
		 struct store_place *ret_place);
/* How many there are behind that place. */
int store_behind(struct store_reader *reader, const struct store_place *from, uint64_t *ret);
/* All samples of that window, as store_reader_threads_alike() says. -ENOENT: it has gone. */
int store_followed(struct store_reader *reader, const struct store_place *place,
		   struct profile **ret);
