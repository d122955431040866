/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <inttypes.h>

#include "ctl/ctl.h"
#include "ctl/select.h"
#include "ctl/suggest.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/when.h"

struct deploys_options {
	struct ctl *ctl;
	struct selectors selectors;
	const char *since;
	bool json;
	int error; /* exit status of a selector that was refused */
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct deploys_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o->ctl;
		return 0;
	case 's':
		o->since = value;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->error == CTL_DONE)
			o->error = ctl_selector_add("deploys", &o->selectors, value);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

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

static int run(const struct deploys_options *o)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_buf_ struct buf b = {};
	uint64_t since = 0;

	if (o->error != CTL_DONE)
		return o->error;
	if (o->since && when_parse(o->since, clock_ns(CLOCK_REALTIME), false, &since) < 0)
		return ctl_usage("deploys", "--since %.64s is not a time; it is one of: %s",
				 o->since, when_forms());
	buf_printf(&b, "/v1/deploys?from=%" PRIu64 ".%09" PRIu64, since / NSEC_PER_SEC,
		   since % NSEC_PER_SEC);
	ctl_selectors_query(&o->selectors, true, true, &b);
	path = buf_string(&b);
	if (!path) {
		log_error("deploys: out of memory");
		return CTL_FAILED;
	}
	return ctl_show(o->ctl, "deploys", path, o->json, print_deploys);
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
		.parser = on_option,
		.children = children,
		.args_doc = "[SELECTOR]...",
		.doc = "When each version of each service was seen for the first time, the newest "
		       "first.\v"
		       "A service that is started again with the same version is no deploy. "
		       "Services "
		       "whose version is not known are not listed.\n\n"
		       "SELECTOR is KEY=VALUE; KEY is one of pid, comm, exe, cgroup, unit, "
		       "container, service, version.\n\n"
		       "Examples:\n"
		       "  plopctl deploys\n"
		       "  plopctl deploys service=shop --since 7d\n"
		       "  plopctl diff service=shop --base version=1.4 --new version=1.5",
	};
	struct deploys_options o = { .ctl = ctl };
	int r;

	ctl_parse("deploys", &argp, 0, argc, argv, &o);
	r = run(&o);
	selectors_done(&o.selectors);
	return r;
}
