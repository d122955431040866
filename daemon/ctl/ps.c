/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/ctl.h"
#include "ctl/select.h"
#include "ctl/suggest.h"
#include "util/log.h"

struct ps_options {
	struct ctl *ctl;
	struct selectors selectors;
	bool json;
	int error; /* exit status of a selector that was refused */
};

static int take_argument(struct ps_options *o, const char *value)
{
	_cleanup_free_ char *pid = NULL;

	if (!*value || value[strspn(value, "0123456789")] != '\0')
		return ctl_selector_add("ps", &o->selectors, value);
	/* a number alone is a process */
	if (asprintf(&pid, "pid=%s", value) < 0) {
		pid = NULL;
		return CTL_FAILED;
	}
	return ctl_selector_add("ps", &o->selectors, pid);
}

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
	case ARGP_KEY_ARG:
		if (o->error == CTL_DONE)
			o->error = take_argument(o, value);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Below that width some columns are left out. */
#define NARROW 80
/* All but the last two, and the spaces between them. */
#define FIXED_COLUMNS        47
#define FIXED_COLUMNS_NARROW 16

/* The last column has what remains of the line; in a pipe it is whole. */
struct layout {
	unsigned int columns; /* of the terminal; 0: none */
	unsigned int service, command;
	bool narrow;
};

static struct layout layout_of(unsigned int columns)
{
	struct layout l = { .columns = columns,
			    .service = columns == 0 || columns >= 120 ? 20 : 8,
			    .narrow = columns > 0 && columns < NARROW };
	unsigned int used;

	if (l.narrow)
		l.service = MIN(columns / 5, 12u);
	used = (l.narrow ? FIXED_COLUMNS_NARROW : FIXED_COLUMNS) + l.service;
	l.command = columns > used ? columns - used : 1;
	return l;
}

/* "-": it is not known, as of a fleet's processes. */
static const char *number(const json_t *p, const char *key, int decimals, char buffer[static 32])
{
	if (json_is_number(json_object_get(p, key)))
		snprintf(buffer, 32, "%.*f", decimals, json_number_at(p, key));
	else
		snprintf(buffer, 32, "-");
	return buffer;
}

static void print_process(const json_t *p, const struct layout *l)
{
	const char *status = json_string_at(p, "status"), *command = json_string_at(p, "cmdline");
	const char *host = json_string_at(p, "host");
	char version[64], service[128], samples[32], text[1200], both[1400], name[160];
	char cpu[32], named[32], threads[32];

	if (!*command)
		command = json_string_at(p, "comm");
	if (*status && !streq(status, "profiled"))
		snprintf(both, sizeof(both), "%.128s: %.900s", json_string_at(p, "comm"), status);
	else
		snprintf(both, sizeof(both), "%s%s%s%.1024s",
			 text_cell(host, 32, false, name, sizeof(name)), *host ? ": " : "",
			 json_is_true(json_object_get(p, "restless_title")) ?
				 "[title changes often] " :
				 "",
			 command);
	text_cell(both, l->columns ? l->command : (unsigned int)sizeof(both), false, text,
		  sizeof(text));
	text_cell(json_string_at(p, "service"), l->service, true, service, sizeof(service));
	if (l->narrow) {
		printf("%7.0f %6s %s %s\n", json_number_at(p, "pid"),
		       number(p, "cpu_percent", 1, cpu), service, text);
		return;
	}
	printf("%7.0f %s %6s %10s %6s %4s %s %s\n", json_number_at(p, "pid"),
	       text_cell(json_string_at(p, "python"), 7, true, version, sizeof(version)),
	       number(p, "cpu_percent", 1, cpu),
	       text_number((uint64_t)json_number_at(p, "samples"), samples, sizeof(samples)),
	       number(p, "symbolized_percent", 1, named), number(p, "threads", 0, threads), service,
	       text);
}

static void print_processes(const json_t *array)
{
	const struct layout l = layout_of(text_columns(STDOUT_FILENO));
	const json_t *p;
	size_t i;

	if (l.narrow)
		printf("%7s %6s %-*s %s\n", "PID", "CPU%", (int)l.service, "SERVICE", "COMMAND");
	else
		printf("%7s %-7s %6s %10s %6s %4s %-*s %s\n", "PID", "PYTHON", "CPU%", "SAMPLES",
		       "NAMED%", "THR", (int)l.service, "SERVICE", "COMMAND");
	json_array_foreach(array, i, p) print_process(p, &l);
}

/* Who uses most comes first; those that use nothing as they did since they began. */
static int by_use(const void *a, const void *b)
{
	static const char *const keys[] = { "cpu_percent", "samples" };
	const json_t *p = *(json_t *const *)a, *q = *(json_t *const *)b;
	double x, y;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		x = json_number_at(p, keys[i]);
		y = json_number_at(q, keys[i]);
		if (x < y || x > y)
			return x < y ? 1 : -1;
	}
	x = json_number_at(p, "pid");
	y = json_number_at(q, "pid");
	return (x > y) - (x < y);
}

/* Those that are selected, in that order. New reference, NULL: out of memory. */
static json_t *arrange(const json_t *array, const struct selectors *s)
{
	json_t **sorted = calloc(json_array_size(array) + 1, sizeof(json_t *)), *ret = json_array();
	json_t *p;
	size_t i, n = 0;

	json_array_foreach(array, i, p)
	{
		if (sorted && ctl_selected(s, p))
			sorted[n++] = p;
	}
	if (sorted)
		qsort(sorted, n, sizeof(json_t *), by_use);
	for (i = 0; ret && i < n; i++)
		json_array_append(ret, sorted[i]);
	if (!sorted) {
		json_decref(ret);
		ret = NULL;
	}
	free(sorted);
	return ret;
}

static int show(struct ps_options *o, const json_t *all)
{
	json_t *chosen = arrange(all, &o->selectors);
	int r = CTL_DONE;

	if (!chosen) {
		log_error("ps: out of memory");
		return CTL_FAILED;
	}
	if (o->json)
		r = ctl_print_json(chosen, "ps");
	else if (json_array_size(chosen))
		print_processes(chosen);
	else if (json_array_size(all))
		log_warning("ps: none of the %zu Python processes is selected",
			    json_array_size(all));
	else
		ctl_tell_none(o->ctl, "ps");
	json_decref(chosen);
	return r;
}

static int run(struct ps_options *o)
{
	_cleanup_answer_ struct ctl_answer a = {};
	json_t *all;
	int r = o->error;

	if (r == CTL_DONE)
		r = ctl_configure(o->ctl);
	if (r == CTL_DONE)
		r = ctl_request(o->ctl, "ps", "GET", "/v1/processes", NULL, 30, &a);
	if (r != CTL_DONE)
		return r;
	all = ctl_answer_json(&a, "ps");
	if (!all)
		return CTL_FAILED;
	r = show(o, all);
	json_decref(all);
	return r;
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
		.args_doc = "[SELECTOR]...",
		.doc = "The Python processes of this host that plopd knows, those that use most of "
		       "the CPU first.\v"
		       "CPU% is of one core, over the last ten seconds or so. SAMPLES are the "
		       "stacks "
		       "counted so far. NAMED% are those whose "
		       "frames all have a name. THR are threads. A process that is not profiled "
		       "has the reason as its command. Narrow terminals have fewer columns.\n\n"
		       "SELECTOR is KEY=VALUE; KEY is one of pid, comm, exe, cgroup, unit, "
		       "container, service, version. "
		       "Several values of one key add up, several keys narrow. A number alone is "
		       "a PID.\n\n"
		       "Examples:\n"
		       "  plopctl ps\n"
		       "  plopctl ps unit=web.service\n"
		       "  plopctl ps --json | jq '.[] | select(.status != \"profiled\")'",
	};
	struct ps_options o = { .ctl = ctl };
	int r;

	ctl_parse("ps", &argp, 0, argc, argv, &o);
	r = run(&o);
	selectors_done(&o.selectors);
	return r;
}
