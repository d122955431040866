/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/fsck.h"

#include <sys/stat.h>

#include "ctl/stored.h"
#include "ctl/suggest.h"
#include "util/log.h"

static void tell(void *ctx, bool fault, const char *sentence)
{
	if (fault)
		log_error("fsck: %s", sentence);
	else
		log_info("fsck: %s", sentence);
}

/* Complains that the file cannot be looked at. file: it was named, and is not plopd's. */
static int complain(const char *path, bool file, int r)
{
	_cleanup_free_ char *error = NULL;
	int n = 0;

	switch (r) {
	case -EPROTO:
		n = asprintf(&error, "%s was made by a newer plop", path);
		break;
	case -ENOENT:
		n = asprintf(&error, "there is no %s, or nothing in it yet", path);
		break;
	case -EBADMSG:
		n = asprintf(&error, "%s is no database of plop, or is damaged where that is said",
			     path);
		break;
	case -EINVAL:
		n = asprintf(&error, "%s is no file", path);
		break;
	default:
		break;
	}
	if (n < 0)
		error = NULL;
	if (!file || r == -EACCES || r == -EPERM)
		return ctl_store_complain("fsck", r, error);
	log_error("fsck: %s", error ? error : strerror(-r));
	log_error("try: a FILE that plopctl backup made; without FILE it is plopd's plop.db");
	return r == -ENOENT ? CTL_NO_TARGET : CTL_FAILED;
}

static int look(const char *path, bool file)
{
	struct fsck f = { .tell = tell };
	char windows[32], rollups[32], recordings[32];
	struct stat sb;
	int r = 0;

	if (access(path, R_OK) < 0 || stat(path, &sb) < 0)
		r = -errno;
	else if (!S_ISREG(sb.st_mode))
		r = -EINVAL;
	if (r == 0)
		r = store_fsck(path, &f);
	if (r < 0)
		return complain(path, file, r);
	printf("%s: %s; %s window%s, %s roll-up%s, %s recording%s\n", path,
	       f.faults ? "damaged" : "sound", text_number(f.windows, windows, sizeof(windows)),
	       f.windows == 1 ? "" : "s", text_number(f.rollups, rollups, sizeof(rollups)),
	       f.rollups == 1 ? "" : "s", text_number(f.recordings, recordings, sizeof(recordings)),
	       f.recordings == 1 ? "" : "s");
	if (!f.faults)
		return CTL_DONE;
	log_error("fsck: %llu fault%s%s", (unsigned long long)f.faults, f.faults == 1 ? "" : "s",
		  file ? "" :
			 "; plopd sets a damaged plop.db aside when it meets that, and takes "
			 "over what can be read of it");
	return CTL_FAILED;
}

static int run(const struct stored_options *o)
{
	_cleanup_free_ char *dir = NULL, *path = NULL;
	int r;

	if (o->file && o->state_dir)
		return ctl_usage("fsck", "FILE or --state-dir, not both");
	if (o->file)
		return look(o->file, true);
	r = ctl_state_dir(o->ctl, "fsck", o->state_dir, &dir);
	if (r != CTL_DONE)
		return r;
	if (asprintf(&path, "%s/plop.db", dir) < 0) {
		path = NULL;
		log_error("fsck: out of memory");
		return CTL_FAILED;
	}
	return look(path, false);
}

int ctl_fsck(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "state-dir", 'D', "DIR", 0, "Directory of plop.db, default is plopd's", 0 }, {}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = stored_on_option,
		.children = children,
		.args_doc = "[FILE]",
		.doc = "Look whether plop.db, or a backup FILE of it, is sound.\v"
		       "Nothing is written, and plopd may run. Exit status: 0 sound, 1 damaged, "
		       "with one sentence for each fault, 3 there is no such file, 4 not "
		       "allowed.\n\n"
		       "Examples:\n"
		       "  plopctl fsck\n"
		       "  plopctl fsck /srv/backup/plop-monday.db",
	};
	struct stored_options o = { .ctl = ctl };

	ctl_parse("fsck", &argp, 0, argc, argv, &o);
	return run(&o);
}
