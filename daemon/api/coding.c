/* SPDX-License-Identifier: BSD-2-Clause */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "api/coding.h"

/* What JSON gains beyond that is a tenth, for twice the time. */
#define LEVEL 4

struct coding {
	z_stream z;
};

/* "q=0", "q=0.000": a weight of nothing. */
static bool is_refused(const char *parameters, size_t size)
{
	const char *end = parameters + size, *p = parameters;

	while (p < end && (*p == ';' || isspace((unsigned char)*p)))
		p++;
	if (end - p < 3 || tolower((unsigned char)p[0]) != 'q' || p[1] != '=' || p[2] != '0')
		return false;
	for (p += 3; p < end; p++)
		if (*p >= '1' && *p <= '9')
			return false;
	return true;
}

bool coding_takes_gzip(const char *accept)
{
	bool any = false;

	while (accept && *accept) {
		size_t size, name;

		accept += strspn(accept, ", \t");
		size = strcspn(accept, ",");
		name = strcspn(accept, ",; \t");
		if ((name == 4 && strncasecmp(accept, "gzip", 4) == 0) ||
		    (name == 6 && strncasecmp(accept, "x-gzip", 6) == 0))
			return !is_refused(accept + name, size - name);
		if (name == 1 && *accept == '*')
			any = !is_refused(accept + name, size - name);
		accept += size;
	}
	return any;
}

int coding_new(struct coding **ret)
{
	struct coding *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	/* 16: gzip; 8: zlib's usual memory */
	if (deflateInit2(&c->z, LEVEL, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

void coding_free(struct coding *c)
{
	if (!c)
		return;
	deflateEnd(&c->z);
	free(c);
}

size_t coding_run(struct coding *c, const char **data, size_t *size, enum coding_end end, char *out,
		  size_t room, bool *ret_done)
{
	static const int modes[] = { Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH };
	int r;

	c->z.next_in = (Bytef *)*data;
	c->z.avail_in = (uInt)*size;
	c->z.next_out = (Bytef *)out;
	c->z.avail_out = (uInt)room;
	r = deflate(&c->z, modes[end]);
	*data = (const char *)c->z.next_in;
	*size = c->z.avail_in;
	/* zlib.h: a flush is whole when there is room left after it */
	*ret_done = end == CODING_LAST ? r == Z_STREAM_END :
					 *size == 0 && (end == CODING_MORE || c->z.avail_out > 0);
	return room - c->z.avail_out;
}
