/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>

#include "ctl/ctl.h"
#include "ctl/select.h"
#include "ctl/suggest.h"
#include "util/json.h"
#include "util/log.h"

struct mark_options {
	struct ctl *ctl;
	struct selectors selectors;
	const char *version; /* NULL: not said yet */
	int error;           /* exit status of what was refused */
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
	json_put_string(&w, "version", o->version);
	json_put_end(&w);
	return json_writer_done(&w) < 0 ? NULL : buf_string(&b);
}

static int run(const struct mark_options *o)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *body = NULL, *whom = NULL;
	json_t *answer;
	int r = o->error;

	if (r == CTL_DONE && !o->version)
		r = ctl_usage("mark", "say which version: version=V, or version= to take it away");
	else if (r == CTL_DONE && !o->selectors.n)
		r = ctl_usage("mark", "say of what: -u UNIT, -c CGROUP, or service=NAME");
	if (r == CTL_DONE)
		r = ctl_configure(o->ctl);
	if (r != CTL_DONE)
		return r;
	body = make_body(o);
	whom = ctl_selectors_text(&o->selectors);
	if (!body || !whom) {
		log_error("mark: out of memory");
		return CTL_FAILED;
	}
	r = ctl_request(o->ctl, "mark", "POST", "/v1/marks", body, 30, &a);
	answer = r == CTL_DONE ? ctl_answer_json(&a, "mark") : NULL;
	if (answer && json_number_at(answer, "processes") == 0 && *o->version)
		log_warning(
			"no process with %.400s runs that you may see; the version is for those "
			"that begin",
			whom);
	if (r == CTL_DONE && !answer)
		r = CTL_FAILED;
	json_decref(answer);
	return r;
}

int ctl_mark(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "cgroup", 'c', "CGROUP", 0, "Of the processes in this control group and below",
		  0 },
		{ "unit", 'u', "UNIT", 0, "Of the processes of this systemd unit", 0 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.args_doc = "[SELECTOR]... version=V",
		.doc = "Sets the version of a service by hand, for the script that pushes it.\v"
		       "It holds for the processes that run and for those that begin later, over "
		       "what their environment says, until another is set; without a value "
		       "(version=) it is taken away. A version that is new is a deploy: see "
		       "plopctl deploys.\n\n"
		       "SELECTOR is KEY=VALUE; KEY is one of comm, exe, cgroup, unit, container, "
		       "service.\n\n"
		       "Examples:\n"
		       "  plopctl mark -u shop version=$(git rev-parse --short HEAD)\n"
		       "  plopctl mark service=shop version=1.5",
	};
	struct mark_options o = { .ctl = ctl };
	int r;

	ctl_parse("mark", &argp, 0, argc, argv, &o);
	r = run(&o);
	selectors_done(&o.selectors);
	return r;
}
