/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/mapped.h"

/*
 * Mappings that are kept of one file: of executable ones, of which a file may have any number
 * (trampolines), and of all.
 */
#define FILE_EXEC_MAX 64
#define FILE_MAX      1024

void mapped_files_drop(struct mapped_files *f, struct mapped_file *k)
{
	HASH_DEL(f->files, k);
	free(k->path);
	free(k->maps);
	free(k);
}

void mapped_files_done(struct mapped_files *f)
{
	struct mapped_file *k, *next;

	HASH_ITER(hh, f->files, k, next)
	mapped_files_drop(f, k);
	*f = (struct mapped_files){};
}

/* FNV-1a */
static uint64_t text_hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3;
	return h;
}

static int file_new(struct mapped_files *f, const struct mapped_key *key, const char *path,
		    struct mapped_file **ret)
{
	struct mapped_file *k;

	if (HASH_COUNT(f->files) >= PLOP_MAX_MAPPED_FILES) {
		f->more = true;
		*ret = NULL;
		return 0;
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->key = *key;
	k->path = strdup(path);
	if (!k->path) {
		free(k);
		return -ENOMEM;
	}
	HASH_ADD(hh, f->files, key, sizeof(k->key), k);
	*ret = k;
	return 0;
}

static int file_add(struct mapped_file *k, const struct process_map *m)
{
	struct mapping one = { .start = m->start,
			       .end = m->end,
			       .offset = m->offset,
			       .write = m->perms[1] == 'w',
			       .exec = m->perms[2] == 'x' };

	k->code = k->code || one.exec || (one.write && m->perms[3] == 'p');
	/* one of a file that is shared with others holds no interpreter's variables */
	one.write = one.write && m->perms[3] == 'p';
	k->write = k->write || one.write;
	if (k->n == FILE_MAX || (one.exec && !one.write && k->nexec == FILE_EXEC_MAX))
		return 0;
	if (k->n == k->size) {
		size_t size = k->size ? 2 * k->size : 8;
		struct mapping *maps = realloc(k->maps, size * sizeof(*maps));

		if (!maps)
			return -ENOMEM;
		k->maps = maps;
		k->size = size;
	}
	k->maps[k->n++] = one;
	k->nexec += one.exec && !one.write;
	return 0;
}

int mapped_files_add(struct mapped_files *f, char *line, struct mapped_file **ret)
{
	struct mapped_key key = {};
	struct mapped_file *k;
	struct process_map m;
	int r = 0;

	*ret = NULL;
	/* the quick way past everything that is no file's */
	if (!strchr(line, '/') || process_map_parse(line, &m) < 0 || m.path[0] != '/')
		return 0;
	key.inode = m.inode;
	key.dev_major = m.dev_major;
	key.dev_minor = m.dev_minor;
	key.path = text_hash(m.path);
	k = f->last && memcmp(&f->last->key, &key, sizeof(key)) == 0 ? f->last : NULL;
	if (!k)
		HASH_FIND(hh, f->files, &key, sizeof(key), k);
	if (!k)
		r = file_new(f, &key, m.path, &k);
	if (r == 0 && k)
		r = file_add(k, &m);
	if (r < 0)
		return r;
	f->last = *ret = k;
	return 0;
}

static int content_read(void *ctx, uint64_t offset, void *buffer, size_t size)
{
	const struct mapped_content *c = ctx;
	const struct mapped_file *f = c->file;
	char *to = buffer;

	while (size > 0) {
		const struct mapping *m = NULL;
		uint64_t into;
		size_t part;
		int r;

		/* the first: a page where the text ends and the data begins is unchanged there */
		for (size_t i = 0; i < f->n && !m; i++) {
			if (offset >= f->maps[i].offset &&
			    offset - f->maps[i].offset < f->maps[i].end - f->maps[i].start)
				m = &f->maps[i];
		}
		if (!m)
			return -EFAULT;
		into = offset - m->offset;
		part = (size_t)MIN((uint64_t)size, m->end - m->start - into);
		r = reader_read(&c->memory, m->start + into, to, part);
		if (r < 0)
			return r;
		to += part;
		offset += part;
		size -= part;
	}
	return 0;
}

struct reader mapped_reader(struct mapped_content *m, uint64_t *ret_size)
{
	uint64_t size = 0, end;

	for (size_t i = 0; i < m->file->n; i++) {
		const struct mapping *k = &m->file->maps[i];

		if (!__builtin_add_overflow(k->offset, k->end - k->start, &end))
			size = MAX(size, end);
	}
	*ret_size = size;
	return (struct reader){ .read = content_read, .ctx = m };
}
