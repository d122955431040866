/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/follow.h"

#include <inttypes.h>

#include "store/reader.h"

int store_writer(struct store_reader *reader, uint64_t *ret)
{
	int64_t writer;
	int r = reader_int(reader, "SELECT value FROM meta WHERE key='writer'", &writer);

	if (r == 0)
		*ret = (uint64_t)writer;
	return r;
}

/*
 * Whether ids lead on from there: the file has that window, or had it and is past it. An older copy
 * of the file that was put back has other windows of the same ids.
 */
static int leads_on(struct store_reader *reader, const struct store_place *from, uint64_t writer)
{
	char sql[96];
	int64_t n;
	int r;

	if (!from->any || writer != from->writer)
		return 0;
	snprintf(sql, sizeof(sql), "SELECT end_ns FROM windows WHERE id=%" PRId64, from->id);
	r = reader_int(reader, sql, &n);
	if (r == 0)
		return (uint64_t)n == from->end_ns;
	if (r != -ENOENT)
		return r;
	r = reader_int(reader, "SELECT ifnull(max(id), 0) FROM windows", &n);
	return r < 0 ? r : n > from->id;
}

/* What follows FROM, of all windows behind a place. */
static int behind(struct store_reader *reader, const struct store_place *from, char *to,
		  size_t size, uint64_t *ret_writer)
{
	int r = store_writer(reader, ret_writer), leads;

	if (r < 0)
		return r;
	leads = leads_on(reader, from, *ret_writer);
	if (leads < 0)
		return leads;
	if (!from->any)
		snprintf(to, size, "windows");
	else if (leads)
		snprintf(to, size, "windows WHERE id > %" PRId64, from->id);
	else
		snprintf(to, size, "windows WHERE end_ns > %" PRIu64, from->end_ns);
	return 0;
}

int store_follow(struct store_reader *reader, const struct store_place *from, struct head *ret,
		 struct store_place *ret_place)
{
	char where[96], sql[128];
	uint64_t writer;
	struct head h;
	int r = behind(reader, from, where, sizeof(where), &writer);

	if (r < 0)
		return r;
	snprintf(sql, sizeof(sql), "%s ORDER BY id LIMIT 1", where);
	r = reader_head(reader, sql, &h);
	if (r < 0)
		return r;
	*ret = h;
	*ret_place = (struct store_place){
		.any = true, .writer = writer, .id = h.id, .end_ns = h.end_ns
	};
	return 0;
}

int store_behind(struct store_reader *reader, const struct store_place *from, uint64_t *ret)
{
	char where[96], sql[128];
	uint64_t writer;
	int64_t n = 0;
	int r = behind(reader, from, where, sizeof(where), &writer);

	if (r < 0)
		return r;
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", where);
	r = reader_int(reader, sql, &n);
	if (r == 0)
		*ret = (uint64_t)n;
	return r;
}

int store_followed(struct store_reader *reader, const struct store_place *place,
		   struct profile **ret)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int64_t life_ns;
	int r;

	reader->threads_alike = true;
	r = reader_window(reader, place->id, &p, &life_ns);
	if (r < 0)
		return r;
	/* another file has taken its place meanwhile */
	if (p->end_ns != place->end_ns)
		return -ENOENT;
	*ret = TAKE_PTR(p);
	return 0;
}
