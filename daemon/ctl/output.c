/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "ctl/ctl.h"
#include "profile/selector_text.h"
#include "util/fd.h"
#include "util/log.h"

int ctl_usage(const char *command, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_error("%s: %s", command, text);
	log_error("try: plopctl %s --help", command);
	return CTL_USAGE;
}

static const struct format *format_by_name(const char *command, const char *name)
{
	const struct format *f = format_find(name);

	if (f)
		return f;
	ctl_usage(command, "there is no format %.64s; there are %s", name, format_names());
	return NULL;
}

static bool is_stdout(const char *path)
{
	return streq(path, "-") || streq(path, "/dev/stdout");
}

const struct format *ctl_format(const char *command, const char *name, const char *path)
{
	const struct format *f;

	if (name)
		return format_by_name(command, name);
	if (!path)
		return format_find("pprof");
	if (is_stdout(path))
		return format_find("collapsed");
	f = format_by_ending(path);
	if (f)
		return f;
	f = format_find("pprof");
	if (*path)
		log_warning("%s: its ending tells no format, so it is %s; -f FORMAT tells one, or "
			    "%s",
			    path, f->name, format_endings());
	return f;
}

int ctl_group_by(const char *command, const char *keys)
{
	char why[SELECTOR_WHY_MAX];
	int r = group_keys_parse(keys, why);

	if (r == -EINVAL)
		return ctl_usage(command, "%s", why);
	if (r >= 0)
		return CTL_DONE;
	log_error("%s: out of memory", command);
	return CTL_FAILED;
}

const char *ctl_output_name(const struct ctl_output *o)
{
	return o->path ? o->path : "stdout";
}

void ctl_output_hint(const struct ctl_output *o, const struct format *f)
{
	struct stat st;

	if (f->open && o->path && text_columns(STDERR_FILENO) && fstat(o->fd, &st) == 0 &&
	    S_ISREG(st.st_mode))
		log_info("to open it: %s %s", f->open, o->path);
}

static int open_stdout(const struct format *f, struct ctl_output *ret)
{
	if (f->binary && isatty(STDOUT_FILENO)) {
		log_error("format %s is binary, and stdout is a terminal", f->name);
		log_error("try: -o FILE, or -f collapsed for something to read");
		return CTL_USAGE;
	}
	*ret = (struct ctl_output){ .fd = STDOUT_FILENO };
	return CTL_DONE;
}

/* A new file beside path, to be renamed to it. */
static int open_temporary(const char *path, struct ctl_output *o)
{
	_cleanup_free_ char *copy1 = strdup(path), *copy2 = strdup(path);
	mode_t mask;

	if (!copy1 || !copy2 ||
	    asprintf(&o->temporary, "%s/.%s.XXXXXX", dirname(copy1), basename(copy2)) < 0) {
		o->temporary = NULL;
		return -ENOMEM;
	}
	o->fd = mkostemp(o->temporary, O_CLOEXEC);
	if (o->fd < 0) {
		int r = -errno;

		free(o->temporary);
		o->temporary = NULL;
		return r;
	}
	mask = umask(0);
	umask(mask);
	if (fchmod(o->fd, 0666 & ~mask) < 0)
		return -errno;
	return 0;
}

/*
 * Where a link leads, so that what it names is replaced and never the link: as root that may be one
 * of the system's.
 */
static int resolve(const char *path, char **ret)
{
	struct stat st;

	if (!*path)
		return -ENOENT;
	*ret = lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? realpath(path, NULL) : strdup(path);
	return *ret ? 0 : -errno;
}

static int open_file(const char *path, struct ctl_output *o)
{
	struct stat st;
	int r;

	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return -EISDIR;
		if (!S_ISREG(st.st_mode)) {
			o->path = strdup(path);
			o->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
			return o->fd < 0 || !o->path ? -errno : 0;
		}
		if (access(path, W_OK) < 0)
			return -errno;
	}
	r = resolve(path, &o->path);
	return r < 0 ? r : open_temporary(o->path, o);
}

static bool is_json(const struct format *f)
{
	return streq(f->content_type, "application/json");
}

int ctl_output_open(const char *path, const struct format *f, struct ctl_output *ret)
{
	_cleanup_output_ struct ctl_output o = { .fd = -EBADF };
	int r;

	if (is_stdout(path)) {
		r = open_stdout(f, ret);
		ret->json = is_json(f);
		return r;
	}
	o.json = is_json(f);
	r = open_file(path, &o);
	if (r < 0) {
		log_error("cannot write %s: %s", *path ? path : "a file without a name",
			  strerror(-r));
		log_error("try: -o FILE with a file in a directory that you may write to, or -o - "
			  "for stdout");
		return CTL_FAILED;
	}
	*ret = o;
	o = (struct ctl_output){ .fd = -EBADF };
	return CTL_DONE;
}

int ctl_output_write(struct ctl_output *o, const void *data, size_t size)
{
	_cleanup_buf_ struct buf shown = {};
	char number[32];
	uint64_t merged;
	int r;

	if (isatty(o->fd)) {
		text_for_terminal(data, size, o->json, &shown);
		r = shown.error ? shown.error : fd_write_all(o->fd, shown.data, shown.size);
	} else {
		r = fd_write_all(o->fd, data, size);
	}
	if (r >= 0 && o->temporary) {
		if (fsync(o->fd) < 0 || rename(o->temporary, o->path) < 0) {
			r = -errno;
		} else {
			free(o->temporary);
			o->temporary = NULL;
		}
	}
	if (r < 0) {
		log_error("cannot write %s: %s", ctl_output_name(o), strerror(-r));
		return CTL_FAILED;
	}
	merged = format_merged(data, size);
	if (merged > 0)
		log_warning(
			"%s functions of least weight are one in this call graph, " PROFILE_OTHER
			"; format pprof has them all, one process or a shorter time has fewer",
			text_number(merged, number, sizeof(number)));
	return CTL_DONE;
}

void ctl_output_done(struct ctl_output *o)
{
	if (o->temporary)
		unlink(o->temporary);
	if (o->fd > STDERR_FILENO)
		close(o->fd);
	free(o->temporary);
	free(o->path);
	*o = (struct ctl_output){ .fd = -EBADF };
}
