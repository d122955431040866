/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>

#include "ctl/ctl.h"
#include "ctl/suggest.h"
#include "util/log.h"
#include "util/utf8.h"

static error_t on_option(int key, char *value, struct argp_state *state)
{
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->input;
	return 0;
}

int ctl_open(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.parser = on_option,
		.children = children,
		.doc = "Print the address of the viewer, with a fresh token.\v"
		       "The token is good for an hour; the browser then has a cookie in its place. "
		       "plop-gateway listens on the "
		       "loopback address: from another machine, forward the port first.\n\n"
		       "Examples:\n"
		       "  plopctl open\n"
		       "  ssh -L 7567:127.0.0.1:7567 HOST 'plopctl open; sleep 1h'\n"
		       "  xdg-open \"$(plopctl open)\"",
	};
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *url = NULL;
	json_t *answer;
	int r;

	ctl_parse("open", &argp, 0, argc, argv, ctl);
	r = ctl_configure(ctl);
	if (r == CTL_DONE)
		r = ctl_request(ctl, "open", "POST", "/v1/tokens", "{}", 30, &a);
	if (r != CTL_DONE)
		return r;
	answer = ctl_answer_json(&a, "open");
	if (!answer)
		return CTL_FAILED;
	url = strdup(json_string_at(answer, "url"));
	if (url && *url) {
		utf8_make_visible(url);
		puts(url);
	} else {
		log_error("open: plop-gateway is not running, and it serves the viewer");
		log_error("try: systemctl start plop-gateway");
		r = CTL_FAILED;
	}
	json_decref(answer);
	return r;
}
