/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/past.h"
#include "ctl/suggest.h"
#include "util/log.h"

/* One comparison, and its functions among those of all. */
static void print_comparison(const json_t *c, const json_t *functions)
{
	char service[128], version[128], before[128], time[32], name[256], place[256];
	const json_t *f;
	size_t i;

	printf("%s  %s: %s after %s, by %.0f and %.0f windows: %s\n",
	       text_time(json_number_at(c, "time"), time, sizeof(time)),
	       text_cell(json_string_at(c, "service"), 24, false, service, sizeof(service)),
	       text_cell(json_string_at(c, "version"), 24, false, version, sizeof(version)),
	       text_cell(json_string_at(c, "before"), 24, false, before, sizeof(before)),
	       json_number_at(c, "new.windows"), json_number_at(c, "base.windows"),
	       json_number_at(c, "regressions") > 0 ? "slower" : "nothing is slower");
	json_array_foreach(functions, i, f)
	{
		if (!streq(json_string_at(f, "service"), json_string_at(c, "service")) ||
		    !streq(json_string_at(f, "version"), json_string_at(c, "version")) ||
		    json_number_at(f, "time") != json_number_at(c, "time"))
			continue;
		printf("    %+6.1f %%  %6.2f %% of all  %s (%s)\n",
		       100 * json_number_at(f, "relative"), 100 * json_number_at(f, "rise"),
		       text_cell(json_string_at(f, "name"), 60, false, name, sizeof(name)),
		       text_cell(json_place_at(f), 60, false, place, sizeof(place)));
	}
}

/* Of a fleet: one that could not be compared, and why. */
static void print_why(const json_t *c)
{
	char service[128], version[128], before[128], why[256];

	printf("%-19s  %s: %s after %s: not compared, %s\n", "",
	       text_cell(json_string_at(c, "service"), 24, false, service, sizeof(service)),
	       text_cell(json_string_at(c, "version"), 24, false, version, sizeof(version)),
	       text_cell(json_string_at(c, "before"), 24, false, before, sizeof(before)),
	       text_cell(json_string_at(c, "why"), 120, false, why, sizeof(why)));
}

static void print_all(const json_t *answer)
{
	const json_t *all = json_object_get(answer, "comparisons"), *c;
	const json_t *others = json_object_get(answer, "not_compared");
	size_t i;

	if (json_array_size(all) == 0 && json_array_size(others) == 0)
		log_warning(
			"no version was compared with the one before yet; plopctl deploys lists "
			"the versions");
	json_array_foreach(all, i, c) print_comparison(c, json_object_get(answer, "regressions"));
	json_array_foreach(others, i, c) print_why(c);
}

int ctl_regressions(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "since", 's', "TIME", 0, "What was compared from then on, default all", 0 },
		{ "json", 'j', NULL, 0, "Print JSON, for programs", 0 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = past_on_option,
		.children = children,
		.args_doc = "[SELECTOR]...",
		.doc = "What plopd found to be slower in each new version of a service.\v"
		       "plopd compares a new version with the one before when both have ten "
		       "windows, and again each time that the new one has twice as many. Only "
		       "what is sure is listed; see plopctl diff.\n\n"
		       "SELECTOR is service=NAME or version=VERSION.\n\n"
		       "Exit status: 3 if nothing that is stored has the selectors.\n\n"
		       "Examples:\n"
		       "  plopctl regressions\n"
		       "  plopctl regressions service=shop --since 7d --json",
	};
	struct past p = { .ctl = ctl, .command = "regressions" };
	int r;

	ctl_parse(p.command, &argp, 0, argc, argv, &p);
	r = past_show(&p, "/v1/regressions?", "comparisons", print_all);
	past_done(&p);
	return r;
}
