/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>

#include "ctl/ctl.h"
#include "ctl/select.h"
#include "ctl/suggest.h"
#include "util/json.h"
#include "util/log.h"

/* Columns of the selectors of one mark. */
#define WIDEST 160

struct mark_options {
	struct ctl *ctl;
	struct selectors selectors;
	const char *version; /* NULL: not said yet */
	bool list, remove, json;
	int error; /* exit status of what was refused */
};

/* A key and its value; of a unit without a suffix it is a service's. */
static int add(struct mark_options *o, const char *key, const char *value, const char *suffix)
{
	_cleanup_free_ char *text = NULL;
	int r = ctl_cgroup_name("mark", value, suffix != NULL);

	if (r != CTL_DONE)
		return r;
	if (asprintf(&text, "%s=%s%s", key, value, suffix && !strchr(value, '.') ? suffix : "") <
	    0) {
		log_error("mark: out of memory");
		return CTL_FAILED;
	}
	return ctl_selector_add("mark", &o->selectors, text);
}

static error_t on_option(int key, char *value, struct argp_state *state)
{
	static const char version[] = "version=";
	struct mark_options *o = state->input;
	int r = CTL_DONE;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o->ctl;
		return 0;
	case 'c':
		r = add(o, "cgroup", value, NULL);
		break;
	case 'u':
		r = add(o, "unit", value, ".service");
		break;
	case 'l':
		o->list = true;
		break;
	case 'r':
		o->remove = true;
		break;
	case 'j':
		o->json = true;
		break;
	case ARGP_KEY_ARG:
		if (strncmp(value, version, strlen(version)) == 0)
			o->version = value + strlen(version);
		else
			r = ctl_selector_add("mark", &o->selectors, value);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	if (o->error == CTL_DONE)
		o->error = r;
	return 0;
}

static char *make_body(const struct mark_options *o)
{
	_cleanup_buf_ struct buf b = {};
	struct json_writer w = json_writer_on(&b);

	json_put_object(&w, NULL);
	json_put_array(&w, "selectors");
	for (size_t i = 0; i < o->selectors.n; i++) {
		_cleanup_buf_ struct buf text = {};

		buf_printf(&text, "%s=%s", o->selectors.items[i].key, o->selectors.items[i].value);
		json_put_text(&w, NULL, text.data, text.size);
	}
	json_put_end(&w);
	json_put_string(&w, "version", o->remove ? "" : o->version);
	json_put_end(&w);
	return json_writer_done(&w) < 0 ? NULL : buf_string(&b);
}

static void print_one(const json_t *mark)
{
	const json_t *selectors = json_object_get(mark, "selectors"), *text;
	char time[32], version[128], cell[4 * WIDEST + 8];
	_cleanup_free_ char *whom = NULL;
	_cleanup_buf_ struct buf b = {};
	size_t i;

	json_array_foreach(selectors, i, text)
		buf_printf(&b, "%s%s", i ? " " : "", json_string_value(text));
	if (json_is_integer(json_object_get(mark, "uid")))
		buf_printf(&b, ", of user %.0f", json_number_at(mark, "uid"));
	whom = buf_string(&b);
	printf("%-20s %s %s\n", text_time(json_number_at(mark, "time"), time, sizeof(time)),
	       text_cell(json_string_at(mark, "version"), 24, true, version, sizeof(version)),
	       text_cell(whom ? whom : "", WIDEST, false, cell, sizeof(cell)));
}

static void print_marks(const json_t *answer)
{
	const json_t *marks = json_object_get(answer, "marks"), *one;
	size_t i;

	if (json_array_size(marks) == 0) {
		log_warning("no version is set by hand");
		return;
	}
	printf("%-20s %-24s %s\n", "SET", "VERSION", "OF");
	json_array_foreach(marks, i, one) print_one(one);
}

/* What was asked for cannot be so. An exit status. */
static int check(const struct mark_options *o)
{
	if (o->list && (o->remove || o->version || o->selectors.n))
		return ctl_usage("mark", "--list is of all versions that are set by hand");
	if (o->list)
		return CTL_DONE;
	if (o->remove && o->version)
		return ctl_usage("mark", "--remove wants no version: say of what it is");
	if (!o->remove && !o->version)
		return ctl_usage("mark", "say which version: version=V; --remove takes it away");
	if (!o->selectors.n)
		return ctl_usage("mark", "say of what: -u UNIT, -c CGROUP, or service=NAME");
	return CTL_DONE;
}

/* What plopd answered, of whom. An exit status. */
static int tell(const struct mark_options *o, const json_t *answer, const char *whom)
{
	if (o->remove && !json_is_true(json_object_get(answer, "replaced"))) {
		log_error("mark: no version is set by hand for %.400s", whom);
		log_error("try: plopctl mark --list");
		return CTL_NO_TARGET;
	}
	if (o->json)
		return ctl_print_json(answer, "mark");
	if (json_number_at(answer, "processes") == 0 && *json_string_at(answer, "version"))
		log_warning(
			"no process with %.400s runs that you may see; the version is for those "
			"that begin",
			whom);
	return CTL_DONE;
}

static int set(const struct mark_options *o)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *body = make_body(o), *whom = ctl_selectors_text(&o->selectors);
	json_t *answer;
	int r;

	if (!body || !whom) {
		log_error("mark: out of memory");
		return CTL_FAILED;
	}
	r = ctl_request(o->ctl, "mark", "POST", "/v1/marks", body, 30, &a);
	if (r != CTL_DONE)
		return r;
	answer = ctl_answer_json(&a, "mark");
	r = answer ? tell(o, answer, whom) : CTL_FAILED;
	json_decref(answer);
	return r;
}

static int run(const struct mark_options *o)
{
	int r = o->error;

	if (r == CTL_DONE)
		r = check(o);
	if (r == CTL_DONE)
		r = ctl_configure(o->ctl);
	if (r != CTL_DONE)
		return r;
	return o->list ? ctl_show(o->ctl, "mark", "/v1/marks", o->json, print_marks) : set(o);
}

int ctl_mark(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "cgroup", 'c', "CGROUP", 0, "Of the processes in this control group and below",
		  0 },
		{ "unit", 'u', "UNIT", 0, "Of the processes of this systemd unit", 0 },
		{ "list", 'l', NULL, 0, "List the versions that are set by hand", 0 },
		{ "remove", 'r', NULL, 0, "Take away the one that is set for this", 0 },
		{ "json", 'j', NULL, 0, "Print JSON, for programs", 0 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.args_doc = "SELECTOR... version=V\n--remove SELECTOR...\n--list",
		.doc = "Sets the version of a service by hand, for the script that pushes it.\v"
		       "It holds for the processes that run and for those that begin later, over "
		       "what their environment says, until another is set or it is taken away. A "
		       "version that is new is a deploy: see plopctl deploys.\n\n"
		       "SELECTOR is KEY=VALUE; KEY is one of comm, exe, cgroup, unit, container, "
		       "service.\n\n"
		       "Exit status: 3 if there is none to take away.\n\n"
		       "Examples:\n"
		       "  plopctl mark -u shop version=$(git rev-parse --short HEAD)\n"
		       "  plopctl mark service=shop version=1.5\n"
		       "  plopctl mark --list\n"
		       "  plopctl mark --remove service=shop",
	};
	struct mark_options o = { .ctl = ctl };
	int r;

	ctl_parse("mark", &argp, 0, argc, argv, &o);
	r = run(&o);
	selectors_done(&o.selectors);
	return r;
}
