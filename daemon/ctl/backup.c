/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/backup.h"

#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <sys/stat.h>

#include "ctl/stored.h"
#include "ctl/suggest.h"
#include "util/log.h"

/*
 * plopctl makes the file, as whoever called it, so that nobody can have plopd write where he may
 * not; and it reads plop.db with the caller's own rights.
 */

struct backup_options {
	struct stored_options stored;
	bool force;
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct backup_options *o = state->input;

	switch (key) {
	case 'F':
		o->force = true;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "where to? FILE is missing");
		return EINVAL;
	default:
		return stored_on_option(key, value, state);
	}
}

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
	signalled = number;
}

static bool is_stopped(void)
{
	return signalled != 0;
}

static void catch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaction(numbers[i], &action, NULL);
	/* a limit on the size of files is said like a disk that is full */
	signal(SIGXFSZ, SIG_IGN);
}

/* A file in the making, beside the one that it becomes. */
struct making {
	char *temporary; /* owned */
	char *dir;       /* owned */
	int fd;
};

static void making_done(struct making *m)
{
	if (m->fd >= 0) {
		unlink(m->temporary);
		close(m->fd);
	}
	free(m->temporary);
	free(m->dir);
}

static int make(const char *path, struct making *m)
{
	_cleanup_free_ char *copy1 = strdup(path), *copy2 = strdup(path);

	if (!copy1 || !copy2)
		return -ENOMEM;
	m->dir = strdup(dirname(copy1));
	if (!m->dir || asprintf(&m->temporary, "%s/.%s.XXXXXX", m->dir, basename(copy2)) < 0) {
		m->temporary = NULL;
		return -ENOMEM;
	}
	/* for its owner alone: it has what the processes of all users did */
	m->fd = mkostemp(m->temporary, O_CLOEXEC);
	return m->fd < 0 ? -errno : 0;
}

/* The name appears once all of it is on the disk. */
static int finish(struct making *m, const char *path, bool force)
{
	_cleanup_close_ int dir = -EBADF;

	if (fsync(m->fd) < 0)
		return -errno;
	if (renameat2(AT_FDCWD, m->temporary, AT_FDCWD, path, force ? 0 : RENAME_NOREPLACE) < 0) {
		/* a file system that cannot tell */
		if (errno != EINVAL || force)
			return -errno;
		if (access(path, F_OK) == 0)
			return -EEXIST;
		if (rename(m->temporary, path) < 0)
			return -errno;
	}
	close(TAKE_FD(m->fd));
	dir = open(m->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 || fsync(dir) < 0 ? -errno : 0;
}

static int complain(const struct backup_options *o, int r)
{
	if (r == -EEXIST) {
		log_error("backup: %s is there already", o->stored.file);
		log_error("try: another name, or --force to replace it");
	} else if (r == -ECANCELED) {
		log_error("backup: stopped: nothing was kept");
	} else if (r == -ENOSPC) {
		log_error("backup: there is no room for %s; nothing was kept", o->stored.file);
		log_error("try: a file on another disk; plopctl status says how large plop.db is");
	} else if (r == -EBADMSG) {
		log_error("backup: plop.db is damaged, and was not copied");
		log_error("try: plopctl fsck");
	} else if (r == -EAGAIN) {
		log_error("backup: plopd began to write plop.db meanwhile; nothing was kept");
		log_error("try: again");
	} else {
		log_error("backup: cannot write %s: %s", o->stored.file, strerror(-r));
	}
	return CTL_FAILED;
}

static void tell(const struct backup_options *o, const struct store_facts *f)
{
	char windows[32], megabytes[32], since[64] = "";

	if (f->oldest_ns)
		text_time((double)f->oldest_ns / 1e9, since, sizeof(since));
	log_info("%s: %s windows%s%s, %s MB", o->stored.file,
		 text_number(f->windows, windows, sizeof(windows)), *since ? ", from " : "", since,
		 text_number((f->bytes + 999999) / 1000000, megabytes, sizeof(megabytes)));
	log_info("to use it: put it in place of plop.db while plopd is stopped, without files "
		 "plop.db-wal and plop.db-shm beside it");
}

static int back_up(const struct backup_options *o, struct store_reader *reader)
{
	_cleanup_(making_done) struct making m = { .fd = -EBADF };
	struct store_facts facts;
	struct stat sb;
	int r = 0;

	/* before any work; finish() decides */
	if (lstat(o->stored.file, &sb) == 0)
		r = S_ISDIR(sb.st_mode) ? -EISDIR : o->force ? 0 : -EEXIST;
	if (r == 0)
		r = make(o->stored.file, &m);
	if (r == 0)
		r = store_backup(reader, m.temporary, is_stopped, &facts);
	if (r == 0)
		r = finish(&m, o->stored.file, o->force);
	if (r < 0)
		return complain(o, r);
	tell(o, &facts);
	return CTL_DONE;
}

static int run(const struct backup_options *o)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_free_ char *dir = NULL, *error = NULL;
	int r = ctl_state_dir(o->stored.ctl, "backup", o->stored.state_dir, &dir);

	if (r != CTL_DONE)
		return r;
	r = store_reader_open(dir, &reader, &error);
	if (r < 0)
		return ctl_store_complain("backup", r, error);
	catch_signals();
	return back_up(o, reader);
}

int ctl_backup(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "force", 'F', NULL, 0, "Replace FILE if it is there", 0 },
		{ "state-dir", 'D', "DIR", 0, "Directory of plop.db, default is plopd's", 0 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.args_doc = "FILE",
		.doc = "Copy plop.db to FILE while plopd runs, as it is at one moment.\v"
		       "FILE appears once it is whole, and is for the caller alone: it has what "
		       "the processes of all users did. plopd does not wait meanwhile.\n\n"
		       "Only root and members of group plop may.\n\n"
		       "Examples:\n"
		       "  plopctl backup /srv/backup/plop-monday.db\n"
		       "  plopctl fsck /srv/backup/plop-monday.db",
	};
	struct backup_options o = { .stored.ctl = ctl };

	ctl_parse("backup", &argp, 0, argc, argv, &o);
	return run(&o);
}
