/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/stat.h>

#include "../../unit/format/known.h"
#include "ship/push.h"

/*
 * write_pushes DIR: the known profile as requests, for foreign readers: DIR/STORE-N.body, and what
 * else there is of it in DIR/STORE-N.head, a line each: its path, its content type, its samples.
 */
static const char *const names[] = { "pyroscope", "parca", "coroot", "otlp" };

static int write_file(const char *dir, enum push_store store, uint32_t n, const char *ending,
		      const void *data, size_t size)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s-%u.%s", dir, names[store], n, ending);
	file = fopen(path, "w");
	if (file && fwrite(data, 1, size, file) == size && fflush(file) == 0)
		return 0;
	fprintf(stderr, "write_pushes: %s: %s\n", path, strerror(errno));
	return -1;
}

static int write_store(const char *dir, enum push_store store, const struct profile *p)
{
	const struct push_from from = { .host = "web1", .region = "north" };
	_cleanup_(push_freep) struct push *push = NULL;
	int r = push_new(store, p, NULL, &from, &push);

	for (uint32_t i = 0, row = 0; r == 0 && row < push_rows(push); i++) {
		_cleanup_(push_request_done) struct push_request q = {};
		_cleanup_buf_ struct buf head = {};

		r = push_request(push, row, UINT32_MAX, &q);
		if (r < 0)
			break;
		buf_printf(&head, "%s\n%s\n%llu\n", q.path, q.content_type,
			   (unsigned long long)q.samples);
		r = write_file(dir, store, i, "head", head.data, head.size);
		if (r == 0)
			r = write_file(dir, store, i, "body", q.body.data, q.body.size);
		row += q.rows;
	}
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	int r = 0;

	if (argc != 2) {
		fputs("Usage: write_pushes DIR\n", stderr);
		return 2;
	}
	mkdir(argv[1], 0755);
	for (enum push_store store = 0; r == 0 && store < PUSH_STORES; store++)
		r = write_store(argv[1], store, p);
	return r < 0;
}
