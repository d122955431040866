/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>

#include "ctl/ctl.h"
#include "ctl/select.h"
#include "ctl/suggest.h"
#include "util/log.h"

struct export_options {
	struct ctl *ctl;
	const char *since, *until, *format, *output, *group_by;
	struct selectors selectors;
	int error; /* exit status of a selector that was refused */
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct export_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o->ctl;
		return 0;
	case 's':
		o->since = value;
		return 0;
	case 'u':
		o->until = value;
		return 0;
	case 'f':
		o->format = value;
		return 0;
	case 'o':
		o->output = value;
		return 0;
	case 'g':
		o->group_by = value;
		if (o->error == CTL_DONE)
			o->error = ctl_group_by("export", value);
		return 0;
	case ARGP_KEY_ARG:
		if (o->error == CTL_DONE)
			o->error = ctl_selector_add("export", &o->selectors, value);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The query's path. An exit status. */
static int make_path(const struct export_options *o, const struct format *f, const char *times,
		     char **ret)
{
	_cleanup_buf_ struct buf b = {};

	buf_printf(&b, "/v1/profile?format=%s&%s", f->name, times);
	ctl_selectors_query(&o->selectors, true, true, &b);
	if (o->group_by)
		buf_printf(&b, "&group_by=%s", o->group_by);
	*ret = buf_string(&b);
	if (*ret)
		return CTL_DONE;
	log_error("export: out of memory");
	return CTL_FAILED;
}

/* What of the answer is no profile. */
static void tell(const struct export_options *o, const struct ctl_answer *a, const struct format *f,
		 const struct ctl_output *output)
{
	char number[32], lost[32];

	if (a->samples == 0 && (o->ctl->url || ctl_tell_if_none(o->ctl, "export")))
		log_warning("there are no samples in that time");
	else if (a->samples == 0)
		log_warning("there are no samples in that time; plopctl ps lists the processes");
	else if (output->path)
		log_warning("%s samples, %s lost on %s, in %s (%s)",
			    text_number(a->samples, number, sizeof(number)),
			    text_number(a->lost, lost, sizeof(lost)),
			    o->ctl->url ? "all hosts that it is of" : "the whole host",
			    output->path, f->name);
	if (a->other > 0)
		log_warning("%s of these samples are " PROFILE_OTHER ": more names and stacks "
			    "than there is room for, see plopd(8)",
			    text_number(a->other, number, sizeof(number)));
	if (a->samples)
		ctl_output_hint(output, f);
}

static int run(struct export_options *o)
{
	_cleanup_output_ struct ctl_output output = { .fd = -EBADF };
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *path = NULL, *times = NULL;
	const struct format *f;
	int r;

	if (o->error != CTL_DONE)
		return o->error;
	f = ctl_format("export", o->format, o->output);
	if (!f)
		return CTL_USAGE;
	r = ctl_times("export", o->since, o->until, &times);
	if (r == CTL_DONE)
		r = make_path(o, f, times, &path);
	if (r == CTL_DONE)
		r = ctl_output_open(o->output, f, &output);
	if (r == CTL_DONE)
		r = ctl_configure(o->ctl);
	if (r == CTL_DONE)
		r = ctl_request(o->ctl, "export", "GET", path, NULL, 300, &a);
	if (r == CTL_DONE && a.has_counts && a.samples == 0 && o->selectors.n)
		r = ctl_tell_no_samples(o->ctl, "export", "", times, &o->selectors);
	if (r == CTL_DONE)
		r = ctl_output_write(&output, a.body.data, a.body.size);
	if (r == CTL_DONE && a.has_counts)
		tell(o, &a, f, &output);
	return r;
}

int ctl_export(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "since", 's', "TIME", 0, "Begin of the time, default 10m", 0 },
		{ "until", 'u', "TIME", 0, "End of the time, default now", 0 },
		{ "format", 'f', "FORMAT", 0,
		  "pprof, collapsed, speedscope, plop, json, tree, svg, html or top", 0 },
		{ "group-by", 'g', "KEYS", 0,
		  "Put a frame KEY=VALUE before each stack, by keys such as service,thread_name",
		  0 },
		{ "output", 'o', "FILE", 0, "Write there; - (default) is stdout", 0 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.args_doc = "[SELECTOR]...",
		.doc = "Write what plopd has collected already, as one profile.\v"
		       "TIME is a duration before now (30s, 10m, 1h30m, '1 hour ago'), now, today, "
		       "yesterday, a time of day (13:00, 'yesterday 13:00'), a date, a date and "
		       "time ('2026-11-28 09:00'), or Unix seconds (@1795858200). Times are the "
		       "host's, "
		       "or as UTC or +01:00 at their end says.\n\n"
		       "SELECTOR is KEY=VALUE; KEY is one of pid, comm, exe, cgroup, unit, "
		       "container, service, version, thread, thread_name, state, gil, label.NAME. "
		       "Recordings alone have thread_name and label.NAME, and other states than "
		       "running. "
		       "Several values of one key add up, several keys narrow.\n\n" CTL_FORMAT_RULE
		       "\n\nExit status: 3 if nothing in that time has the selectors."
		       "\n\nExamples:\n"
		       "  plopctl export --since 10m pid=4711\n"
		       "  plopctl export --since 1h unit=web.service -o web.pb.gz\n"
		       "  plopctl export --since 1h --group-by service,version -o fleet.collapsed\n"
		       "  plopctl export --since 'yesterday 15:00' --until 'yesterday 15:05' -o "
		       "five.speedscope.json",
	};
	struct export_options o = { .ctl = ctl, .since = "10m", .until = "now", .output = "-" };
	int r;

	ctl_parse("export", &argp, 0, argc, argv, &o);
	r = run(&o);
	selectors_done(&o.selectors);
	return r;
}
