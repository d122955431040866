/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/past.h"
#include "ctl/suggest.h"
#include "util/log.h"

static void print_deploys(const json_t *answer)
{
	const json_t *deploys = json_object_get(answer, "deploys"), *d;
	char first[32], last[32], service[128], version[128], before[128];
	size_t i;

	if (json_array_size(deploys) == 0) {
		log_warning(
			"no version of a service was seen in that time; plopctl ps --json shows "
			"what is known of each process");
		return;
	}
	printf("%-20s %-24s %-16s %-16s %s\n", "FIRST SEEN", "SERVICE", "VERSION", "BEFORE",
	       "LAST SEEN");
	json_array_foreach(deploys, i, d)
		printf("%-20s %s %s %s %s\n",
		       text_time(json_number_at(d, "first"), first, sizeof(first)),
		       text_cell(json_string_at(d, "service"), 24, true, service, sizeof(service)),
		       text_cell(json_string_at(d, "version"), 16, true, version, sizeof(version)),
		       text_cell(json_string_at(d, "before"), 16, true, before, sizeof(before)),
		       text_time(json_number_at(d, "last"), last, sizeof(last)));
}

int ctl_deploys(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "since", 's', "TIME", 0, "Begin of the time, default is all that is stored", 0 },
		{ "json", 'j', NULL, 0, "Print JSON, for programs", 0 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = past_on_option,
		.children = children,
		.args_doc = "[SELECTOR]...",
		.doc = "When each version of each service was seen for the first time, the newest "
		       "first.\v"
		       "A service that is started again with the same version is no deploy. "
		       "Services "
		       "whose version is not known are not listed.\n\n"
		       "SELECTOR is KEY=VALUE; KEY is one of pid, comm, exe, cgroup, unit, "
		       "container, service, version.\n\n"
		       "Exit status: 3 if nothing that is stored has the selectors.\n\n"
		       "Examples:\n"
		       "  plopctl deploys\n"
		       "  plopctl deploys service=shop --since 7d\n"
		       "  plopctl diff service=shop --base version=1.4 --new version=1.5",
	};
	struct past p = { .ctl = ctl, .command = "deploys" };
	int r;

	ctl_parse(p.command, &argp, 0, argc, argv, &p);
	r = past_show(&p, "/v1/deploys?", "deploys", print_deploys);
	past_done(&p);
	return r;
}
