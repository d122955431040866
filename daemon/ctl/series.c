/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/past.h"
#include "ctl/suggest.h"
#include "util/log.h"

struct series_options {
	struct past past;
	const char *function;
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct series_options *o = state->input;

	if (key != 'n')
		return past_on_option(key, value, state);
	o->function = value;
	return 0;
}

static void print_points(const json_t *answer)
{
	const json_t *points = json_object_get(answer, "points"), *p;
	bool function = json_is_string(json_object_get(answer, "function"));
	char from[32];
	size_t i;

	if (json_array_size(points) == 0) {
		log_warning("no window is in that time");
		return;
	}
	printf("%-20s %8s %9s%s\n", "FROM", "SECONDS", "CPUS",
	       function ? "   SELF %  TOTAL %" : "");
	json_array_foreach(points, i, p)
	{
		printf("%-20s %8.0f %9.3f",
		       text_time(json_number_at(p, "from"), from, sizeof(from)),
		       json_number_at(p, "to") - json_number_at(p, "from"),
		       json_number_at(p, "cpus"));
		if (function)
			printf(" %8.2f %8.2f", 100 * json_number_at(p, "self"),
			       100 * json_number_at(p, "total"));
		putchar('\n');
	}
}

/* Whether a member of any point is not 0. */
static bool any(const json_t *answer, const char *member)
{
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(answer, "points"), i,
			   p) if (json_number_at(p, member) > 0) return true;
	return false;
}

static int show(const struct series_options *o, const json_t *answer)
{
	const struct past *p = &o->past;
	int r = CTL_DONE;

	if (p->selectors.n && !any(answer, "samples"))
		r = past_tell_none(p);
	if (r != CTL_DONE)
		return r;
	if (o->function && any(answer, "samples") && !any(answer, "total"))
		return past_tell_function(p, o->function);
	if (p->json)
		return ctl_print_json(answer, "series");
	print_points(answer);
	return CTL_DONE;
}

static int run(const struct series_options *o)
{
	_cleanup_free_ char *path = NULL;
	json_t *answer;
	int r;

	path = past_path(&o->past, "/v1/series", o->function, NULL);
	if (!path)
		return CTL_FAILED;
	answer = past_ask(&o->past, path, true, &r);
	if (!answer)
		return r;
	r = show(o, answer);
	json_decref(answer);
	return r;
}

int ctl_series(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "function", 'n', "NAME", 0, "And the share that this function has of it", 0 },
		{ "since", 's', "TIME", 0, "Begin of the time, default 24h", 0 },
		{ "until", 'u', "TIME", 0, "End of the time, default now", 0 },
		{ "json", 'j', NULL, 0, "Print JSON, for programs", 0 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.args_doc = "[SELECTOR]...",
		.doc = "How much CPU was used over time, in CPUs, and one function's share of it.\v"
		       "A line is a window, ten minutes, or six hours, by how long the time is. A "
		       "function is told by its name, as other commands show it; those of one name "
		       "are one here. Its share is of the samples that it was innermost in, and of "
		       "those that it was anywhere in.\n\n"
		       "SELECTOR is KEY=VALUE; KEY is one of pid, comm, exe, cgroup, unit, "
		       "container, service, version, thread.\n\n"
		       "Exit status: 3 if nothing has the selectors, or is that function.\n\n"
		       "Examples:\n"
		       "  plopctl series service=shop --since 7d\n"
		       "  plopctl series service=shop --function Cart.total --since 14d --json",
	};
	struct series_options o = {
		.past = { .ctl = ctl, .command = "series", .since = "24h", .until = "now" }
	};
	int r;

	ctl_parse("series", &argp, 0, argc, argv, &o);
	r = run(&o);
	past_done(&o.past);
	return r;
}
