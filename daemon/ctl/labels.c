/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/past.h"
#include "ctl/select.h"
#include "ctl/suggest.h"
#include "util/log.h"

struct labels_options {
	struct past past;
	const char *key;
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct labels_options *o = state->input;

	if (key != ARGP_KEY_ARG || o->key || strchr(value, '='))
		return past_on_option(key, value, state);
	o->key = value;
	return 0;
}

static void print_values(const json_t *answer)
{
	const json_t *values = json_object_get(answer, "values"), *v;
	char number[32], text[256];
	size_t i;

	if (json_array_size(values) == 0) {
		log_warning("no sample is in that time and selection");
		return;
	}
	printf("%14s  %s\n", "SAMPLES",
	       text_cell(json_string_at(answer, "label"), 40, false, text, sizeof(text)));
	json_array_foreach(values, i, v)
		printf("%14s  %s\n",
		       text_number((uint64_t)json_number_at(v, "samples"), number, sizeof(number)),
		       text_cell(json_string_at(v, "value"), 100, false, text, sizeof(text)));
}

static int run(const struct labels_options *o)
{
	const struct past *p = &o->past;
	char path[64];
	json_t *answer;
	int r = p->error;

	if (r == CTL_DONE && !o->key)
		r = ctl_usage("labels", "say which: plopctl labels service");
	if (r != CTL_DONE)
		return r;
	if (!selector_key_known(o->key) || !selector_is_of_process(o->key))
		return ctl_usage("labels",
				 "%.64s is not one of: pid, comm, exe, cgroup, unit, "
				 "container, service, version",
				 o->key);
	snprintf(path, sizeof(path), "/v1/labels/%s?", o->key);
	answer = past_ask(p, path, false, &r);
	if (!answer)
		return r;
	r = CTL_DONE;
	if (json_array_size(json_object_get(answer, "values")) == 0 && p->selectors.n)
		r = past_tell_none(p);
	if (r == CTL_DONE && p->json)
		r = ctl_print_json(answer, "labels");
	else if (r == CTL_DONE)
		print_values(answer);
	json_decref(answer);
	return r;
}

int ctl_labels(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
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
		.args_doc = "KEY [SELECTOR]...",
		.doc = "The values that a label of processes had, those with most samples first.\v"
		       "KEY is one of pid, comm, exe, cgroup, unit, container, service, version. "
		       "SELECTOR is KEY=VALUE.\n\n"
		       "Exit status: 3 if nothing has the selectors.\n\n"
		       "Examples:\n"
		       "  plopctl labels service\n"
		       "  plopctl labels version service=shop --since 7d",
	};
	struct labels_options o = {
		.past = { .ctl = ctl, .command = "labels", .since = "24h", .until = "now" }
	};
	int r;

	ctl_parse("labels", &argp, 0, argc, argv, &o);
	r = run(&o);
	past_done(&o.past);
	return r;
}
