/* SPDX-License-Identifier: BSD-2-Clause */
#include "ship/cursor.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/random.h>
#include <xxhash.h>

#include "util/buf.h"

#define HOST "host_id"
#define DONE "shipped"
#define PART "shipping"
#define LOCK "shipping.lock"
#define MOST 256 /* bytes of a file */

static int open_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Behind the text stands a hash of it, so that no other text passes for it. */
static void put_hash(struct buf *b)
{
	buf_printf(b, "hash %016" PRIx64 "\n", (uint64_t)XXH3_64bits(b->data, b->size));
}

static int write_all(int fd, const struct buf *b)
{
	ssize_t n = write(fd, b->data, b->size);

	if (n < 0 || fsync(fd) < 0)
		return -errno;
	return (size_t)n == b->size ? 0 : -ENOSPC;
}

static int replace(const char *folder, const char *name, const struct buf *b)
{
	_cleanup_close_ int in = open_folder(folder), fd = -EBADF;
	char fresh[32];
	int r;

	if (in < 0 || b->error)
		return in < 0 ? in : b->error;
	snprintf(fresh, sizeof(fresh), "%s.new", name);
	fd = openat(in, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, b);
	if (r == 0 && (renameat(in, fresh, in, name) < 0 || fsync(in) < 0))
		r = -errno;
	if (r < 0)
		unlinkat(in, fresh, 0);
	return r;
}

/* The text of a file, NUL-terminated, whose hash is right. */
static int take(const char *folder, const char *name, char text[static MOST])
{
	_cleanup_close_ int in = open_folder(folder), fd = -EBADF;
	_cleanup_buf_ struct buf again = {};
	const char *hash;
	ssize_t n;

	if (in < 0)
		return in;
	fd = openat(in, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = read(fd, text, MOST - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	hash = strstr(text, "hash ");
	if (!hash)
		return -EBADMSG;
	buf_append(&again, text, (size_t)(hash - text));
	put_hash(&again);
	if (again.error)
		return again.error;
	return again.size == (size_t)n && memcmp(again.data, text, again.size) == 0 ? 0 : -EBADMSG;
}

static int draw_host_id(const char *folder, uint64_t *ret)
{
	_cleanup_buf_ struct buf b = {};
	uint64_t id = 0;
	int r;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	buf_printf(&b, "host %016" PRIx64 "\n", id);
	put_hash(&b);
	r = replace(folder, HOST, &b);
	if (r == 0)
		*ret = id;
	return r;
}

int cursor_host_id(const char *folder, uint64_t *ret, char **ret_error)
{
	char text[MOST];
	int r = take(folder, HOST, text);

	if (r == 0)
		r = sscanf(text, "host %" SCNx64, ret) == 1 ? 0 : -EBADMSG;
	else if (r == -ENOENT)
		r = draw_host_id(folder, ret);
	if (r < 0 && asprintf(ret_error,
			      r == -EBADMSG ? "%s/%s is damaged, and says not who this host is in "
					      "the store: remove it, and it is a new host%.0s" :
					      "cannot use %s/%s: %s; see state_dir in [fleet] of "
					      "plop.conf",
			      folder, HOST, strerror(-r)) < 0)
		*ret_error = NULL;
	return r;
}

int cursor_read(const char *folder, struct store_place *ret)
{
	struct store_place p = { .any = true };
	char text[MOST];
	int r = take(folder, DONE, text);

	if (r < 0)
		return r;
	if (sscanf(text, "writer %" SCNx64 "\nid %" SCNd64 "\nend_ns %" SCNu64 "\n", &p.writer,
		   &p.id, &p.end_ns) != 3)
		return -EBADMSG;
	*ret = p;
	return 0;
}

int cursor_write(const char *folder, const struct store_place *place)
{
	_cleanup_buf_ struct buf b = {};

	buf_printf(&b, "writer %016" PRIx64 "\nid %" PRId64 "\nend_ns %" PRIu64 "\n", place->writer,
		   place->id, place->end_ns);
	put_hash(&b);
	return replace(folder, DONE, &b);
}

int cursor_read_part(const char *folder, struct cursor_part *ret)
{
	struct cursor_part p;
	char text[MOST];
	int r = take(folder, PART, text);

	if (r < 0)
		return r;
	if (sscanf(text, "writer %" SCNx64 "\nid %" SCNd64 "\nrows %" SCNu32 "\nall %" SCNu32 "\n",
		   &p.writer, &p.id, &p.rows, &p.all) != 4 ||
	    p.rows > p.all)
		return -EBADMSG;
	*ret = p;
	return 0;
}

int cursor_write_part(const char *folder, const struct cursor_part *part)
{
	_cleanup_buf_ struct buf b = {};

	buf_printf(&b, "writer %016" PRIx64 "\nid %" PRId64 "\nrows %" PRIu32 "\nall %" PRIu32 "\n",
		   part->writer, part->id, part->rows, part->all);
	put_hash(&b);
	return replace(folder, PART, &b);
}

int cursor_lock(const char *folder)
{
	_cleanup_close_ int in = open_folder(folder), fd = -EBADF;

	if (in < 0)
		return in;
	fd = openat(in, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return TAKE_FD(fd);
}
