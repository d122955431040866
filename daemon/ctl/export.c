/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <inttypes.h>

#include "ctl/ctl.h"
#include "ctl/select.h"
#include "ctl/suggest.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/when.h"

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

/* The time that an option says; last: the later one, where clocks show it twice. An exit status. */
static int time_of(const char *option, const char *text, uint64_t now, bool last, uint64_t *ret)
{
	int r = when_parse(text, now, last, ret);

	if (r == -ERANGE)
		return ctl_usage("export", "%s %.64s is not between 1970 and 2554", option, text);
	if (r < 0)
		return ctl_usage("export", "%s %.64s is not a time; it is one of: %s", option, text,
				 when_forms());
	return CTL_DONE;
}

/* The query's path; "" on a failure that it complained of. */
static int make_path(const struct export_options *o, const struct format *f, char **ret)
{
	uint64_t now = clock_ns(CLOCK_REALTIME), since, until;
	_cleanup_buf_ struct buf b = {};
	char times[2][32];
	int r;

	r = time_of("--since", o->since, now, false, &since);
	if (r == CTL_DONE)
		r = time_of("--until", o->until, now, true, &until);
	if (r != CTL_DONE)
		return r;
	if (since >= until)
		return ctl_usage("export", "--since %.64s (%s) is not before --until %.64s (%s)",
				 o->since,
				 text_time((double)since / 1e9, times[0], sizeof(times[0])),
				 o->until,
				 text_time((double)until / 1e9, times[1], sizeof(times[1])));
	buf_printf(&b, "/v1/profile?format=%s&from=%" PRIu64 ".%09" PRIu64, f->name,
		   since / NSEC_PER_SEC, since % NSEC_PER_SEC);
	/* Until now is until the end of the running window: without a bound. */
	if (strcasecmp(o->until, "now") != 0)
		buf_printf(&b, "&to=%" PRIu64 ".%09" PRIu64, until / NSEC_PER_SEC,
			   until % NSEC_PER_SEC);
	ctl_selectors_query(&o->selectors, true, true, &b);
	if (o->group_by)
		buf_printf(&b, "&group_by=%s", o->group_by);
	*ret = buf_string(&b);
	if (*ret)
		return CTL_DONE;
	log_error("export: out of memory");
	return CTL_FAILED;
}

/* What to try when nothing was selected. */
static const char *advice(const struct selectors *s)
{
	static const char *const of_recordings[] = { "thread_name", "state" };

	for (size_t i = 0; i < s->n; i++) {
		bool found = strncmp(s->items[i].key, "label.", 6) == 0;

		for (size_t k = 0; k < ARRAY_SIZE(of_recordings); k++)
			found |= streq(s->items[i].key, of_recordings[k]);
		if (found)
			return "thread_name, label.NAME and states but running are of recordings "
			       "alone: "
			       "plopctl record --group-by thread_name";
	}
	return "plopctl ps lists the processes";
}

static int run(struct export_options *o)
{
	_cleanup_output_ struct ctl_output output = { .fd = -EBADF };
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *path = NULL;
	const struct format *f;
	char number[32], lost[32];
	int r;

	if (o->error != CTL_DONE)
		return o->error;
	f = ctl_format("export", o->format, o->output);
	if (!f)
		return CTL_USAGE;
	r = make_path(o, f, &path);
	if (r == CTL_DONE)
		r = ctl_output_open(o->output, f, &output);
	if (r == CTL_DONE)
		r = ctl_configure(o->ctl);
	if (r == CTL_DONE)
		r = ctl_request(o->ctl, "export", "GET", path, NULL, 300, &a);
	if (r == CTL_DONE)
		r = ctl_output_write(&output, a.body.data, a.body.size);
	if (r != CTL_DONE || !a.has_counts)
		return r;
	if (a.samples == 0 && ctl_tell_if_none(o->ctl, "export"))
		log_warning("no sample is in that time and selection");
	else if (a.samples == 0)
		log_warning("no sample is in that time and selection; %s", advice(&o->selectors));
	else if (output.path)
		log_warning("%s samples, %s lost on the whole host, in %s (%s)",
			    text_number(a.samples, number, sizeof(number)),
			    text_number(a.lost, lost, sizeof(lost)), output.path, f->name);
	if (a.other > 0)
		log_warning("%s of these samples are " PROFILE_OTHER ": more names and stacks "
			    "than there is room for, see plopd(8)",
			    text_number(a.other, number, sizeof(number)));
	if (a.samples)
		ctl_output_hint(&output, f);
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
