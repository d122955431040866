/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>

#include "ctl/ctl.h"

struct ps_options {
	struct ctl *ctl;
	bool json;
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct ps_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o->ctl;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The last column has what remains of the line; in a pipe it is whole. */
#define FIXED_COLUMNS 47 /* all but the last two */

static unsigned int service_columns(unsigned int columns)
{
	return columns == 0 || columns >= 120 ? 20 : 8;
}

static void print_process(const json_t *p, unsigned int columns)
{
	unsigned int wide = service_columns(columns), fixed = FIXED_COLUMNS + wide;
	const char *status = json_string_at(p, "status"), *command = json_string_at(p, "cmdline");
	char version[64], service[64], samples[32], text[1200], both[1100];

	if (!*command)
		command = json_string_at(p, "comm");
	if (*status && !streq(status, "profiled"))
		snprintf(both, sizeof(both), "%.128s: %.900s", json_string_at(p, "comm"), status);
	else
		snprintf(both, sizeof(both), "%s%.1024s",
			 json_is_true(json_object_get(p, "restless_title")) ?
				 "[title changes often] " :
				 "",
			 command);
	if (columns > 0)
		text_cell(both, columns > fixed + 10 ? columns - fixed : 25, false, text,
			  sizeof(text));
	else
		text_cell(both, sizeof(both), false, text, sizeof(text));
	printf("%7.0f %s %6.1f %10s %6.1f %4.0f %s %s\n", json_number_at(p, "pid"),
	       text_cell(json_string_at(p, "python"), 7, true, version, sizeof(version)),
	       json_number_at(p, "cpu_percent"),
	       text_number((uint64_t)json_number_at(p, "samples"), samples, sizeof(samples)),
	       json_number_at(p, "symbolized_percent"), json_number_at(p, "threads"),
	       text_cell(json_string_at(p, "service"), wide, true, service, sizeof(service)), text);
}

static void print_processes(const json_t *array)
{
	unsigned int columns = text_columns(STDOUT_FILENO);
	const json_t *p;
	size_t i;

	if (json_array_size(array) == 0) {
		puts("No Python process is known. plopd finds them when they start, and all that "
		     "run when it starts.");
		return;
	}
	printf("%7s %-7s %6s %10s %6s %4s %-*s %s\n", "PID", "PYTHON", "CPU%", "SAMPLES", "NAMED%",
	       "THR", (int)service_columns(columns), "SERVICE", "COMMAND");
	json_array_foreach(array, i, p) print_process(p, columns);
}

int ctl_ps(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "Print JSON, for programs", 0 }, {}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.doc = "The Python processes of this host that plopd knows.\v"
		       "CPU% is of one core, over the last ten seconds or so. SAMPLES are the "
		       "stacks "
		       "counted so far. NAMED% are those whose "
		       "frames all have a name. THR are threads. A process that is not profiled "
		       "has the reason as its command.\n\n"
		       "Examples:\n"
		       "  plopctl ps\n"
		       "  plopctl ps --json | jq '.[] | select(.status != \"profiled\")'",
	};
	struct ps_options o = { .ctl = ctl };

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return ctl_show(ctl, "ps", "/v1/processes", o.json, print_processes);
}
