/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/hash.h"

#include <xxhash.h>

static int hash_of(const struct buf *scratch, int64_t seed, uint64_t *ret)
{
	if (scratch->error)
		return scratch->error;
	*ret = XXH3_64bits_withSeed(scratch->data, scratch->size, (uint64_t)seed);
	return 0;
}

/* With the NUL, so that "ab" "c" and "a" "bc" differ. */
static void put_text(struct buf *scratch, const char *s)
{
	buf_append(scratch, s, strlen(s) + 1);
}

/*
 * Whether name, file and line are all that the hash is of: of all functions that versions 1 and 2
 * had, so that it stays what it is, and with it those of the stacks. In these a Python function
 * with neither file nor line was as good as a synthetic one.
 */
static bool is_told_by_place(const struct dict_function *f)
{
	return f->kind == PLOP_FRAME_SYNTHETIC ||
	       (f->kind == PLOP_FRAME_PYTHON && (*f->file || f->line));
}

int hash_function(struct buf *scratch, int64_t seed, const struct dict_function *f, uint64_t *ret)
{
	uint32_t kind = f->kind;

	buf_clear(scratch);
	put_text(scratch, f->name);
	put_text(scratch, f->file);
	buf_append(scratch, &f->line, sizeof(f->line));
	if (!is_told_by_place(f)) {
		buf_append(scratch, &kind, sizeof(kind));
		put_text(scratch, f->module);
	}
	return hash_of(scratch, seed, ret);
}

int hash_process(struct buf *scratch, int64_t seed, const struct process_info *i,
		 const char *python, uint64_t *ret)
{
	const char *texts[] = { python,  i->comm,      i->exe,     i->cmdline, i->cgroup,
				i->unit, i->container, i->service, i->version };
	int64_t numbers[] = { i->pid, (int64_t)i->start_ticks, i->uid };

	buf_clear(scratch);
	buf_append(scratch, numbers, sizeof(numbers));
	buf_append(scratch, &i->start_time, sizeof(i->start_time));
	for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
		put_text(scratch, texts[k]);
	return hash_of(scratch, seed, ret);
}

void hash_frame(struct buf *scratch, uint64_t function_hash, int line)
{
	uint64_t item[2] = { function_hash, (uint64_t)(int64_t)line };

	buf_append(scratch, item, sizeof(item));
}

int hash_stack(const struct buf *scratch, int64_t seed, uint64_t *ret)
{
	return hash_of(scratch, seed, ret);
}
