/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/past.h"

#include "ctl/select.h"
#include "ctl/suggest.h"
#include "http/exchange.h"
#include "util/log.h"

/* Seconds: weeks of windows may have to be read. */
#define PATIENCE_S 300

error_t past_on_option(int key, char *value, struct argp_state *state)
{
	struct past *p = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = p->ctl;
		return 0;
	case 's':
		p->since = value;
		return 0;
	case 'u':
		p->until = value;
		return 0;
	case 'j':
		p->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (p->error == CTL_DONE)
			p->error = ctl_selector_add(p->command, &p->selectors, value);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The path with all that is asked; an exit status. */
static int make_path(const struct past *p, const char *path, bool samples, char **ret)
{
	_cleanup_free_ char *times = NULL;
	_cleanup_buf_ struct buf b = {};
	int r = p->error;

	if (r == CTL_DONE)
		r = ctl_times(p->command, p->since, p->until, &times);
	if (r != CTL_DONE)
		return r;
	buf_printf(&b, "%s%s", path, times);
	ctl_selectors_query(&p->selectors, true, samples, &b);
	*ret = buf_string(&b);
	if (*ret)
		return CTL_DONE;
	log_error("%s: out of memory", p->command);
	return CTL_FAILED;
}

char *past_path(const struct past *p, const char *path, const char *function, const char *file)
{
	_cleanup_buf_ struct buf b = {};
	char *ret;

	buf_printf(&b, "%s?", path);
	if (function) {
		buf_puts(&b, "function=");
		http_escape(&b, function);
		buf_putc(&b, '&');
	}
	if (file) {
		buf_puts(&b, "file=");
		http_escape(&b, file);
		buf_putc(&b, '&');
	}
	ret = buf_string(&b);
	if (!ret)
		log_error("%s: out of memory", p->command);
	return ret;
}

json_t *past_ask(const struct past *p, const char *path, bool samples, int *ret_exit)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *whole = NULL;
	int r = make_path(p, path, samples, &whole);

	if (r == CTL_DONE)
		r = ctl_configure(p->ctl);
	if (r == CTL_DONE)
		r = ctl_request(p->ctl, p->command, "GET", whole, NULL, PATIENCE_S, &a);
	*ret_exit = r == CTL_DONE ? CTL_FAILED : r;
	return r == CTL_DONE ? ctl_answer_json(&a, p->command) : NULL;
}

int past_tell_none(const struct past *p)
{
	_cleanup_free_ char *times = NULL;
	int r = ctl_times(p->command, p->since, p->until, &times);

	if (r != CTL_DONE)
		return r;
	return ctl_tell_no_samples(p->ctl, p->command, "", times, &p->selectors);
}

#define NAMES_MOST 5000

int past_tell_function(const struct past *p, const char *name)
{
	_cleanup_answer_ struct ctl_answer a = {};
	const char *names[NAMES_MOST], *near;
	const json_t *n;
	json_t *graph;
	size_t i, count = 0;

	log_error("%s: no sample has a function %.128s in that time", p->command, name);
	if (ctl_exchange(p->ctl, "GET", "/v1/profile?format=json&from=0", NULL, 60, &a) < 0 ||
	    a.status != 200)
		return CTL_NO_TARGET;
	graph = ctl_answer_json(&a, p->command);
	json_array_foreach(json_object_get(graph, "nodes"), i, n) if (count < NAMES_MOST)
		names[count++] = json_string_at(n, "function");
	near = suggest(name, names, count);
	if (near)
		log_error("try: --function '%s', which is near", near);
	json_decref(graph);
	return CTL_NO_TARGET;
}

/*
 * A list is empty: whether that is as nothing at all has the selectors, whatever the time. An exit
 * status.
 */
static int check_selectors(const struct past *p)
{
	static const char always[] = "from=0";
	bool any;
	int r = ctl_have_samples(p->ctl, p->command, always, &p->selectors, &any);

	if (r != CTL_DONE || any)
		return r;
	return ctl_tell_no_samples(p->ctl, p->command, "", always, &p->selectors);
}

int past_show(const struct past *p, const char *path, const char *list,
	      void (*print)(const json_t *answer))
{
	int r;
	json_t *answer = past_ask(p, path, true, &r);

	if (!answer)
		return r;
	r = CTL_DONE;
	if (p->selectors.n && json_array_size(json_object_get(answer, list)) == 0)
		r = check_selectors(p);
	if (r == CTL_DONE && p->json)
		r = ctl_print_json(answer, p->command);
	else if (r == CTL_DONE)
		print(answer);
	json_decref(answer);
	return r;
}

void past_done(struct past *p)
{
	selectors_done(&p->selectors);
}
