/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/macro.h"

/*
 * SQLite's file system, as the power may leave it (sqlite.org/c3ref/vfs.html): all goes to the real
 * files, and beside that it is noted what was written, and what of it was synced. What lossy_put()
 * makes of a file is one that may be there when the power is back: what was synced, and of what was
 * not any part, sector by sector, in any order. Names of files are there at once.
 */
#define LOSSY_SECTOR 512
#define LOSSY_FILES  4

struct lossy_write {
	uint64_t at;
	uint8_t *data; /* NULL: the file was cut there */
	size_t size;
};

struct lossy_bytes {
	uint8_t *data;
	size_t size, room;
};

struct lossy_image {
	char name[128];
	struct lossy_bytes synced;
	struct lossy_write *writes;
	size_t n, room;
};

static struct {
	sqlite3_vfs vfs, *real;
	const char *prefix; /* files whose names begin with it */
	struct lossy_image files[LOSSY_FILES];
	/* before each write, cut and sync */
	void (*each)(void);
} lossy;

struct lossy_file {
	sqlite3_file base;
	struct lossy_image *image; /* NULL: of no interest */
	sqlite3_file *real;
};

static void lossy_resize(struct lossy_bytes *b, size_t size)
{
	if (size > b->room) {
		b->room = 2 * size;
		b->data = realloc(b->data, b->room);
		if (!b->data)
			abort();
	}
	if (size > b->size)
		memset(b->data + b->size, 0, size - b->size);
	b->size = size;
}

/* share: of 256, of what is written, by dice(); 256: all. */
static void lossy_apply(struct lossy_bytes *b, const struct lossy_write *w, unsigned int share,
			uint32_t (*dice)(uint32_t below))
{
	if (!w->data) {
		if (share == 256 || dice(256) < share)
			lossy_resize(b, w->at);
		return;
	}
	for (size_t at = 0, n; at < w->size; at += n) {
		n = MIN(w->size - at, LOSSY_SECTOR - (size_t)((w->at + at) % LOSSY_SECTOR));
		if (share < 256 && dice(256) >= share)
			continue;
		if (w->at + at + n > b->size)
			lossy_resize(b, w->at + at + n);
		memcpy(b->data + w->at + at, w->data + at, n);
	}
}

static void lossy_forget(struct lossy_image *i)
{
	for (size_t k = 0; k < i->n; k++)
		free(i->writes[k].data);
	i->n = 0;
}

static void lossy_note(struct lossy_image *i, uint64_t at, const void *data, size_t size)
{
	if (i->n == i->room) {
		i->room = i->room ? 2 * i->room : 64;
		i->writes = realloc(i->writes, i->room * sizeof(*i->writes));
		if (!i->writes)
			abort();
	}
	i->writes[i->n] = (struct lossy_write){ at, data ? malloc(size) : NULL, size };
	if (data)
		memcpy(i->writes[i->n].data, data, size);
	i->n++;
}

/* What may be left of a file; owned by the caller. */
static struct lossy_bytes lossy_left(const struct lossy_image *i, unsigned int share,
				     uint32_t (*dice)(uint32_t below))
{
	struct lossy_bytes b = {};

	lossy_resize(&b, i->synced.size);
	if (b.size)
		memcpy(b.data, i->synced.data, b.size);
	for (size_t k = 0; k < i->n; k++)
		lossy_apply(&b, &i->writes[k], share, dice);
	return b;
}

#define LOSSY_REAL(f) (((struct lossy_file *)(f))->real)

static int lossy_close(sqlite3_file *f)
{
	return LOSSY_REAL(f)->pMethods->xClose(LOSSY_REAL(f));
}

static int lossy_read(sqlite3_file *f, void *to, int size, sqlite3_int64 at)
{
	return LOSSY_REAL(f)->pMethods->xRead(LOSSY_REAL(f), to, size, at);
}

static int lossy_write(sqlite3_file *f, const void *data, int size, sqlite3_int64 at)
{
	struct lossy_image *i = ((struct lossy_file *)f)->image;

	if (i) {
		lossy.each();
		lossy_note(i, (uint64_t)at, data, (size_t)size);
	}
	return LOSSY_REAL(f)->pMethods->xWrite(LOSSY_REAL(f), data, size, at);
}

static int lossy_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	struct lossy_image *i = ((struct lossy_file *)f)->image;

	if (i) {
		lossy.each();
		lossy_note(i, (uint64_t)size, NULL, 0);
	}
	return LOSSY_REAL(f)->pMethods->xTruncate(LOSSY_REAL(f), size);
}

static int lossy_sync(sqlite3_file *f, int flags)
{
	struct lossy_image *i = ((struct lossy_file *)f)->image;

	if (i) {
		lossy.each();
		for (size_t k = 0; k < i->n; k++)
			lossy_apply(&i->synced, &i->writes[k], 256, NULL);
		lossy_forget(i);
	}
	return LOSSY_REAL(f)->pMethods->xSync(LOSSY_REAL(f), flags);
}

static int lossy_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	return LOSSY_REAL(f)->pMethods->xFileSize(LOSSY_REAL(f), ret);
}

static int lossy_lock(sqlite3_file *f, int level)
{
	return LOSSY_REAL(f)->pMethods->xLock(LOSSY_REAL(f), level);
}

static int lossy_unlock(sqlite3_file *f, int level)
{
	return LOSSY_REAL(f)->pMethods->xUnlock(LOSSY_REAL(f), level);
}

static int lossy_reserved(sqlite3_file *f, int *ret)
{
	return LOSSY_REAL(f)->pMethods->xCheckReservedLock(LOSSY_REAL(f), ret);
}

static int lossy_control(sqlite3_file *f, int what, void *arg)
{
	return LOSSY_REAL(f)->pMethods->xFileControl(LOSSY_REAL(f), what, arg);
}

static int lossy_sector(sqlite3_file *f)
{
	return LOSSY_REAL(f)->pMethods->xSectorSize(LOSSY_REAL(f));
}

static int lossy_device(sqlite3_file *f)
{
	return LOSSY_REAL(f)->pMethods->xDeviceCharacteristics(LOSSY_REAL(f));
}

static int lossy_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
	return LOSSY_REAL(f)->pMethods->xShmMap(LOSSY_REAL(f), page, size, extend, ret);
}

static int lossy_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return LOSSY_REAL(f)->pMethods->xShmLock(LOSSY_REAL(f), at, n, flags);
}

static void lossy_shm_barrier(sqlite3_file *f)
{
	LOSSY_REAL(f)->pMethods->xShmBarrier(LOSSY_REAL(f));
}

static int lossy_shm_unmap(sqlite3_file *f, int remove)
{
	return LOSSY_REAL(f)->pMethods->xShmUnmap(LOSSY_REAL(f), remove);
}

static const sqlite3_io_methods lossy_methods = {
	2,
	lossy_close,
	lossy_read,
	lossy_write,
	lossy_truncate,
	lossy_sync,
	lossy_size,
	lossy_lock,
	lossy_unlock,
	lossy_reserved,
	lossy_control,
	lossy_sector,
	lossy_device,
	lossy_shm_map,
	lossy_shm_lock,
	lossy_shm_barrier,
	lossy_shm_unmap,
	NULL,
	NULL,
};

/* What is known of a file; one that is new is as it is now. NULL: it is of no interest. */
static struct lossy_image *lossy_image_of(const char *name, sqlite3_file *real)
{
	struct lossy_image *i = lossy.files;
	sqlite3_int64 size = 0;

	if (!name || !lossy.prefix || strncmp(name, lossy.prefix, strlen(lossy.prefix)) != 0)
		return NULL;
	for (; i < lossy.files + LOSSY_FILES && *i->name; i++) {
		if (strcmp(i->name, name) == 0)
			return i;
	}
	if (i == lossy.files + LOSSY_FILES)
		abort();
	strcpy(i->name, name);
	real->pMethods->xFileSize(real, &size);
	lossy_resize(&i->synced, (size_t)size);
	if (size && real->pMethods->xRead(real, i->synced.data, (int)size, 0) != SQLITE_OK)
		abort();
	return i;
}

static int lossy_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret)
{
	struct lossy_file *l = (struct lossy_file *)f;
	int r;

	*l = (struct lossy_file){ .real = (sqlite3_file *)(l + 1) };
	r = lossy.real->xOpen(lossy.real, name, l->real, flags, ret);
	if (!l->real->pMethods)
		return r;
	l->base.pMethods = &lossy_methods;
	if (r == SQLITE_OK)
		l->image = lossy_image_of(name, l->real);
	return r;
}

static int lossy_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	for (int i = 0; i < LOSSY_FILES; i++) {
		if (strcmp(lossy.files[i].name, name) == 0) {
			lossy_forget(&lossy.files[i]);
			lossy.files[i].synced.size = 0;
		}
	}
	return lossy.real->xDelete(lossy.real, name, sync);
}

/* From now on files are noted whose names begin with prefix, which is borrowed. */
static void lossy_begin(const char *prefix, void (*each)(void))
{
	lossy.real = sqlite3_vfs_find(NULL);
	lossy.vfs = *lossy.real;
	lossy.vfs.zName = "lossy";
	lossy.vfs.pNext = NULL;
	lossy.vfs.szOsFile = (int)sizeof(struct lossy_file) + lossy.real->szOsFile;
	lossy.vfs.xOpen = lossy_open;
	lossy.vfs.xDelete = lossy_delete;
	lossy.prefix = prefix;
	lossy.each = each;
	sqlite3_vfs_register(&lossy.vfs, 1);
}

static void lossy_end(void)
{
	sqlite3_vfs_unregister(&lossy.vfs);
	sqlite3_vfs_register(lossy.real, 1);
	for (int i = 0; i < LOSSY_FILES; i++) {
		lossy_forget(&lossy.files[i]);
		free(lossy.files[i].writes);
		free(lossy.files[i].synced.data);
		lossy.files[i] = (struct lossy_image){};
	}
}
