/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>

#include "ctl/ctl.h"
#include "ctl/kept.h"
#include "ctl/select.h"
#include "ctl/suggest.h"
#include "http/exchange.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/parse.h"

/* plopctl recordings: those that run, and those that are kept as they have a name. */

#define COMMAND "recordings"

/* How long one that is to be removed may take to end. */
#define END_NS  (10 * NSEC_PER_SEC)
#define POLL_US 50000

struct recordings_options {
	struct ctl *ctl;
	bool json;
	const char *format, *output, *group_by;
	const char **words; /* what is to be done, and with what */
	size_t nwords;
	int error; /* exit status of what was refused */
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct recordings_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o->ctl;
		return 0;
	case 'j':
		o->json = true;
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
			o->error = ctl_group_by(COMMAND, value);
		return 0;
	case ARGP_KEY_ARG:
		o->words[o->nwords++] = value;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* "build=1742 env=prod" */
static void put_labels(const json_t *one, const char *between, struct buf *to)
{
	const json_t *labels = json_object_get(one, "labels"), *value;
	const char *key;

	json_object_foreach((json_t *)labels, key, value)
		buf_printf(to, "%s%s=%s", to->size ? between : "", key,
			   json_is_string(value) ? json_string_value(value) : "");
}

static const char *length_of(const json_t *one, char *buffer, size_t size)
{
	double seconds = json_number_at(one, "elapsed_s");

	/* tenths are for what is short */
	if (seconds < 60)
		snprintf(buffer, size, "%.1fs", seconds);
	else
		format_duration((uint64_t)seconds * NSEC_PER_SEC, buffer, size);
	return buffer;
}

static void print_one(const json_t *one)
{
	char id[64], name[128], when[32], length[32], of[160], samples[32], cell[1024];
	_cleanup_free_ char *labels = NULL;
	struct buf b = {};
	double start = json_number_at(one, "start");

	put_labels(one, " ", &b);
	labels = buf_string(&b);
	printf("%s %s %-20s %8s %s %10s %s%s\n",
	       text_cell(json_string_at(one, "id"), 13, true, id, sizeof(id)),
	       text_cell(*json_string_at(one, "name") ? json_string_at(one, "name") : "-", 20, true,
			 name, sizeof(name)),
	       start > 0 ? text_time(start, when, sizeof(when)) : "-",
	       length_of(one, length, sizeof(length)),
	       text_cell(json_string_at(one, "target"), 24, true, of, sizeof(of)),
	       text_number((uint64_t)json_number_at(one, "samples"), samples, sizeof(samples)),
	       streq(json_string_at(one, "state"), "running") ? "[running] " : "",
	       text_cell(labels ? labels : "", 200, false, cell, sizeof(cell)));
}

static void print_list(const json_t *list)
{
	const json_t *all = json_object_get(list, "recordings"), *one;
	size_t i;

	if (json_array_size(all) == 0) {
		log_warning("there is no recording; plopctl record --name NAME keeps one");
		return;
	}
	printf("%-13s %-20s %-20s %8s %-24s %10s %s\n", "ID", "NAME", "WHEN", "LENGTH", "OF",
	       "SAMPLES", "LABELS");
	json_array_foreach(all, i, one) print_one(one);
}

/* Those that are called so, or have such labels. */
static int list(const struct recordings_options *o)
{
	_cleanup_free_ char *query = NULL;
	struct buf b = {};
	json_t *all = NULL;
	int r;

	for (size_t i = 0; i < o->nwords; i++) {
		const char *word = o->words[i], *equals = strchr(word, '=');
		_cleanup_free_ char *key = NULL;

		if (!equals ||
		    (strncmp(word, "name=", 5) != 0 && strncmp(word, "label.", 6) != 0)) {
			buf_free(&b);
			return ctl_usage(COMMAND,
					 "%.64s: is neither show, export or rm, nor name=NAME or "
					 "label.KEY=VALUE",
					 word);
		}
		key = strndup(word, (size_t)(equals - word));
		buf_puts(&b, b.size ? "&" : "?");
		http_escape(&b, key ? key : "");
		buf_putc(&b, '=');
		http_escape(&b, equals + 1);
	}
	if (!b.size)
		buf_puts(&b, "?");
	query = buf_string(&b);
	r = query ? ctl_kept_list(o->ctl, COMMAND, query, &all) : CTL_FAILED;
	if (r == CTL_DONE && o->json)
		r = ctl_print_json(json_object_get(all, "recordings"), COMMAND);
	else if (r == CTL_DONE)
		print_list(all);
	json_decref(all);
	return r;
}

static void line(const char *what, const char *value)
{
	char cell[1200];

	if (*value)
		printf("%-8s %s\n", what, text_cell(value, 300, false, cell, sizeof(cell)));
}

/* "CPU", "CPU and time off CPU, with asyncio tasks" */
static const char *kind_of(const json_t *one)
{
	bool wall = json_is_true(json_object_get(one, "wall"));
	bool tasks = json_is_true(json_object_get(one, "async"));

	return wall  ? tasks ? "CPU and time off CPU, with asyncio tasks" : "CPU and time off CPU" :
	       tasks ? "CPU, with asyncio tasks" :
		       "CPU";
}

static void print_whole(const json_t *one)
{
	char buffer[256], number[32], text[320];
	_cleanup_free_ char *labels = NULL;
	struct buf b = {};

	put_labels(one, " ", &b);
	labels = buf_string(&b);
	line("id", json_string_at(one, "id"));
	line("name", json_string_at(one, "name"));
	line("of", json_string_at(one, "target"));
	snprintf(text, sizeof(text), "user %.0f", json_number_at(one, "uid"));
	line("by", text);
	line("when", text_time(json_number_at(one, "start"), buffer, sizeof(buffer)));
	snprintf(text, sizeof(text), "%s of %g s", length_of(one, buffer, sizeof(buffer)),
		 json_number_at(one, "duration_s"));
	line("length", text);
	line("kind", kind_of(one));
	snprintf(text, sizeof(text), "%g a second", json_number_at(one, "hz"));
	line("rate", text);
	line("samples",
	     text_number((uint64_t)json_number_at(one, "samples"), number, sizeof(number)));
	line("lost", text_lost(json_object_get(one, "lost"), buffer, sizeof(buffer)));
	line("ended", json_string_at(one, "reason"));
	line("state", json_string_at(one, "state"));
	line("labels", labels ? labels : "");
	line("kept", json_is_true(json_object_get(one, "kept")) ? "yes" :
		     *json_string_at(one, "not_kept")           ? json_string_at(one, "not_kept") :
								  "no");
}

/* The list, and the one that is meant by which. An exit status. */
static int find(const struct recordings_options *o, const char *which, json_t **ret_list,
		const json_t **ret)
{
	unsigned int n;
	int r = ctl_kept_list(o->ctl, COMMAND, "", ret_list);

	if (r != CTL_DONE)
		return r;
	*ret = ctl_kept_find(*ret_list, COMMAND, which, &n);
	return *ret ? CTL_DONE : CTL_NO_TARGET;
}

static int show(const struct recordings_options *o)
{
	json_t *all = NULL;
	const json_t *one;
	int r;

	if (o->nwords != 2)
		return ctl_usage(COMMAND, "show wants one ID or NAME");
	r = find(o, o->words[1], &all, &one);
	if (r == CTL_DONE && o->json)
		r = ctl_print_json(one, COMMAND);
	else if (r == CTL_DONE)
		print_whole(one);
	json_decref(all);
	return r;
}

/* What is asked of one. NULL: it has complained. */
static char *export_path(const struct recordings_options *o, const json_t *one,
			 const struct format *f, const struct selectors *s)
{
	_cleanup_free_ char *path = ctl_kept_path(one, COMMAND);
	struct buf b = {};

	if (!path)
		return NULL;
	buf_printf(&b, "%s?format=%s", path, f->name);
	if (o->group_by)
		buf_printf(&b, "&group_by=%s", o->group_by);
	ctl_selectors_query(s, true, true, &b);
	return buf_string(&b);
}

static int export_one(const struct recordings_options *o, const struct selectors *s)
{
	const char *to = o->output ? o->output : "-";
	const struct format *f = ctl_format(COMMAND, o->format, to);
	_cleanup_output_ struct ctl_output output = { .fd = -EBADF };
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *path = NULL;
	const json_t *one;
	json_t *all = NULL;
	char number[32];
	int r;

	if (!f)
		return CTL_USAGE;
	r = ctl_output_open(to, f, &output);
	if (r == CTL_DONE)
		r = find(o, o->words[1], &all, &one);
	if (r == CTL_DONE) {
		path = export_path(o, one, f, s);
		r = path ? ctl_request(o->ctl, COMMAND, "GET", path, NULL, 300, &a) : CTL_FAILED;
	}
	json_decref(all);
	if (r == CTL_DONE)
		r = ctl_output_write(&output, a.body.data, a.body.size);
	if (r == CTL_DONE && a.has_counts && a.samples == 0)
		log_warning("no sample of it has what is chosen");
	else if (r == CTL_DONE && a.has_counts && output.path)
		log_warning("%s samples in %s (%s)", text_number(a.samples, number, sizeof(number)),
			    output.path, f->name);
	if (r == CTL_DONE && a.samples)
		ctl_output_hint(&output, f);
	return r;
}

static int export_command(const struct recordings_options *o)
{
	struct selectors s = {};
	int r = CTL_DONE;

	if (o->nwords < 2)
		return ctl_usage(COMMAND, "export wants one ID or NAME");
	for (size_t i = 2; r == CTL_DONE && i < o->nwords; i++)
		r = ctl_selector_add(COMMAND, &s, o->words[i]);
	if (r == CTL_DONE)
		r = export_one(o, &s);
	selectors_done(&s);
	return r;
}

/* Ends one that runs, and waits for that. An exit status. */
static int end(const struct ctl *ctl, const char *path)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + END_NS;
	bool done = false;
	int r;

	{
		_cleanup_answer_ struct ctl_answer a = {};

		r = ctl_request(ctl, COMMAND, "DELETE", path, NULL, 30, &a);
	}
	while (r == CTL_DONE && !done && clock_ns(CLOCK_MONOTONIC) < until) {
		_cleanup_answer_ struct ctl_answer a = {};
		json_t *state = NULL;

		r = ctl_request(ctl, COMMAND, "GET", path, NULL, 30, &a);
		if (r == CTL_DONE)
			state = ctl_answer_json(&a, COMMAND);
		done = streq(json_string_at(state, "state"), "done");
		json_decref(state);
		if (!done)
			usleep(POLL_US);
	}
	if (r == CTL_DONE && !done)
		log_error(COMMAND ": it does not end; try again in a moment");
	return r == CTL_DONE && !done ? CTL_FAILED : r;
}

static int remove_one(const struct ctl *ctl, const json_t *one)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *path = ctl_kept_path(one, COMMAND);
	int r = CTL_DONE;

	if (!path)
		return CTL_FAILED;
	if (streq(json_string_at(one, "state"), "running"))
		r = end(ctl, path);
	else if (!json_is_true(json_object_get(one, "kept"))) {
		log_error(COMMAND ": %s is not kept: it goes by itself within five minutes",
			  json_string_at(one, "id"));
		return CTL_FAILED;
	}
	return r == CTL_DONE ? ctl_request(ctl, COMMAND, "DELETE", path, NULL, 30, &a) : r;
}

static int remove_some(const struct recordings_options *o)
{
	const json_t **some = calloc(o->nwords, sizeof(*some));
	json_t *all = NULL;
	int r = some ? ctl_kept_list(o->ctl, COMMAND, "", &all) : CTL_FAILED;

	/* all that are meant are found, or none goes */
	for (size_t i = 1; r == CTL_DONE && i < o->nwords; i++) {
		unsigned int n = 0;

		some[i] = ctl_kept_find(all, COMMAND, o->words[i], &n);
		if (!some[i]) {
			r = CTL_NO_TARGET;
		} else if (n > 1) {
			log_error(COMMAND ": %u recordings are called %.128s; nothing is removed",
				  n, o->words[i]);
			log_error(
				"try: plopctl recordings rm ID, with an id of: plopctl recordings "
				"name=%.128s",
				o->words[i]);
			r = CTL_FAILED;
		}
	}
	for (size_t i = 1; r == CTL_DONE && i < o->nwords; i++)
		r = remove_one(o->ctl, some[i]);
	json_decref(all);
	free(some);
	return r;
}

static int run(const struct recordings_options *o)
{
	const char *what = o->nwords ? o->words[0] : "";
	bool exports = streq(what, "export");
	int r = o->error;

	if (r == CTL_DONE && !exports && (o->format || o->output || o->group_by))
		r = ctl_usage(COMMAND, "-f, -g and -o are for: plopctl recordings export NAME");
	if (r == CTL_DONE && streq(what, "rm") && o->nwords < 2)
		r = ctl_usage(COMMAND, "rm wants an ID or NAME, or several");
	if (r == CTL_DONE)
		r = ctl_configure(o->ctl);
	if (r != CTL_DONE)
		return r;
	if (exports)
		return export_command(o);
	if (streq(what, "show"))
		return show(o);
	return streq(what, "rm") ? remove_some(o) : list(o);
}

int ctl_recordings(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "Print JSON, for programs", 0 },
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
		.args_doc = "[name=NAME] [label.KEY=VALUE]...\nshow RECORDING\n"
			    "export RECORDING [SELECTOR]...\nrm RECORDING...",
		.doc = "Recordings that were kept, as they have a name, and those that run, the "
		       "newest first.\v"
		       "plopctl record --name NAME keeps one. RECORDING is an ID, or a NAME: where "
		       "several "
		       "have it the newest, but for rm, which then wants the ID.\n\n"
		       "Everybody sees his own; root and members of group plop all. They are kept "
		       "for 400 days, or as plop.conf(5) says, as long as there is room for "
		       "them.\n\n"
		       "SELECTOR is KEY=VALUE; KEY is one of pid, comm, exe, cgroup, unit, "
		       "container, service, version, thread, thread_name, state, gil, label.NAME."
		       "\n\n" CTL_FORMAT_RULE "\n\nExamples:\n"
		       "  plopctl record --name before -l build=1742 -u shop.service\n"
		       "  plopctl recordings label.build=1742\n"
		       "  plopctl recordings export before -o before.svg\n"
		       "  plopctl diff --base recording=before --new recording=after\n"
		       "  plopctl recordings rm before after",
	};
	struct recordings_options o = { .ctl = ctl };
	int r;

	o.words = calloc((size_t)argc + 1, sizeof(*o.words));
	if (!o.words)
		return CTL_FAILED;
	ctl_parse(COMMAND, &argp, 0, argc, argv, &o);
	r = run(&o);
	free(o.words);
	return r;
}
