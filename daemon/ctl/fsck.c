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

static int look(const char *path, bool is_plopds)
{
	struct fsck f = { .tell = tell };
	char windows[32], rollups[32];
	int r = access(path, R_OK) < 0 ? -errno : store_fsck(path, &f);

	if (r == -EPROTO) {
		log_error("fsck: %s was made by a newer plop", path);
		return CTL_FAILED;
	}
	if (r == -ENOENT) {
		_cleanup_free_ char *error = NULL;

		if (asprintf(&error, "there is no %s, or nothing in it yet", path) < 0)
			error = NULL;
		return ctl_store_complain("fsck", r, error);
	}
	if (r < 0)
		return ctl_store_complain("fsck", r, NULL);
	printf("%s: %s; %s windows, %s roll-ups\n", path, f.faults ? "damaged" : "sound",
	       text_number(f.windows, windows, sizeof(windows)),
	       text_number(f.rollups, rollups, sizeof(rollups)));
	if (!f.faults)
		return CTL_DONE;
	log_error("fsck: %llu faults%s", (unsigned long long)f.faults,
		  is_plopds ? "; plopd sets a damaged plop.db aside when it meets that, and takes "
			      "over what can be read of it" :
			      "");
	return CTL_FAILED;
}

static int run(const struct stored_options *o)
{
	_cleanup_free_ char *dir = NULL, *path = NULL;
	int r;

	if (o->file && o->state_dir)
		return ctl_usage("fsck", "FILE or --state-dir, not both");
	if (o->file)
		return look(o->file, false);
	r = ctl_state_dir(o->ctl, "fsck", o->state_dir, &dir);
	if (r != CTL_DONE)
		return r;
	if (asprintf(&path, "%s/plop.db", dir) < 0) {
		path = NULL;
		log_error("fsck: out of memory");
		return CTL_FAILED;
	}
	return look(path, true);
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
