/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <time.h>

#include "ctl/fleet.h"
#include "ctl/suggest.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/utf8.h"

/* Bytes that the answer may have, and seconds until it is there. */
#define FLEET_ANSWER_MAX (64u << 10)
#define FLEET_TIMEOUT_S  10

/* These have no letter, and are behind those of ctl_globals. */
enum {
	KEY_USER = 300,
	KEY_PASSWORD_FILE,
	KEY_INIT_STORE,
	KEY_REPLACE,
	KEY_HOSTS,
	KEY_IN,
	KEY_WAIT,
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct fleet_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o->ctl;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case KEY_USER:
		o->user = value;
		return 0;
	case KEY_PASSWORD_FILE:
		o->password_file = value;
		return 0;
	case KEY_INIT_STORE:
		o->init_store = true;
		return 0;
	case KEY_REPLACE:
		o->replace = true;
		return 0;
	case KEY_HOSTS:
		o->hosts = value;
		return 0;
	case KEY_IN:
		o->in = value;
		return 0;
	case KEY_WAIT:
		o->wait = value;
		return 0;
	case 'd':
		o->duration = value;
		return 0;
	case 'f':
		o->format = value;
		return 0;
	case 'g':
		o->group_by = value;
		return ctl_group_by("fleet", value) == CTL_DONE ? 0 : EINVAL;
	case 'o':
		o->output = value;
		return 0;
	case ARGP_KEY_ARG:
		o->words[o->nwords++] = value;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* plop-gateway ships, so it knows: asked as a page of the viewer would. */
static int ask_gateway(const json_t *token, struct buf *to, char **ret_why)
{
	char why[HTTP_URL_WHY];
	_cleanup_free_ char *url = strdup(json_string_at(token, "url"));
	char *end = url ? strstr(url, "/?token=") : NULL;
	int r;

	if (!end)
		return -ENOENT;
	strcpy(end, "/v1/fleet");
	r = http_get_as(url, json_string_at(token, "token"), FLEET_TIMEOUT_S, to, why);
	if (r == 0)
		return 0;
	utf8_make_visible(url);
	if (asprintf(ret_why, "plop-gateway does not answer at %s: %s", url, why) < 0)
		*ret_why = NULL;
	return r == -ENOENT ? -EIO : r;
}

int fleet_ask_here(const struct fleet_options *o, struct buf *to, char **ret_why, int *ret_exit)
{
	_cleanup_answer_ struct ctl_answer a = {};
	json_t *token;
	int r;

	*ret_exit = ctl_request(o->ctl, "fleet", "POST", "/v1/tokens", "{}", 30, &a);
	if (*ret_exit != CTL_DONE)
		return -ECANCELED;
	token = ctl_answer_json(&a, "fleet");
	if (!token)
		*ret_exit = CTL_FAILED;
	r = token ? ask_gateway(token, to, ret_why) : -ECANCELED;
	json_decref(token);
	return r;
}

static void row(const char *name, const char *value)
{
	printf("%-14s %s\n", name, value);
}

/* A point in time, and how long ago it was. */
static void row_time(const char *name, double at)
{
	char when[32], ago[32], text[96];

	if (at <= 0) {
		row(name, "not since plop-gateway started");
		return;
	}
	format_duration((uint64_t)(MAX((double)time(NULL) - at, 0) * NSEC_PER_SEC), ago,
			sizeof(ago));
	snprintf(text, sizeof(text), "%s, %s ago", text_time(at, when, sizeof(when)), ago);
	row(name, text);
}

/* So many of unit, which is that of one, and more. */
static void row_number(const char *name, const json_t *answer, const char *key, const char *unit,
		       const char *more)
{
	char number[32], text[96];
	uint64_t n = (uint64_t)json_number_at(answer, key);

	snprintf(text, sizeof(text), "%s %s%s%s", text_number(n, number, sizeof(number)), unit,
		 n == 1 ? "" : "s", more);
	row(name, text);
}

static void print_status(const json_t *answer)
{
	char bytes[32], lag[32], text[96], cell[4 * 512 + 8];
	const char *error = json_string_at(answer, "error"),
		   *refusal = json_string_at(answer, "refusal");

	row("store", text_cell(json_string_at(answer, "store"), 320, false, cell, sizeof(cell)));
	row("this host",
	    text_cell(json_string_at(answer, "host_id"), 16, false, cell, sizeof(cell)));
	row_time("last shipped", json_number_at(answer, "last_success"));
	snprintf(text, sizeof(text), ", %s",
		 format_duration((uint64_t)(json_number_at(answer, "lag_s") * NSEC_PER_SEC), lag,
				 sizeof(lag)));
	row_number("behind", answer, "behind", "window", text);
	row_number("shipped", answer, "windows", "window", " since plop-gateway started");
	row_number("", answer, "samples", "sample", "");
	snprintf(text, sizeof(text), "%s, %.3f s of CPU",
		 format_bytes((uint64_t)json_number_at(answer, "bytes"), bytes, sizeof(bytes)),
		 json_number_at(answer, "cpu_s"));
	row("", text);
	row_number("passed over", answer, "passed_over", "window", ", by share");
	if (*refusal) {
		row_number("refused", answer, "refused", "sample", "");
		row("", text_cell(refusal, 512, false, cell, sizeof(cell)));
	}
	row_number("missed", answer, "missed", "window", ", gone before they could be shipped");
	row_number("failed", answer, "failures", "time", " since plop-gateway started");
	if (*error)
		row("error", text_cell(error, 512, false, cell, sizeof(cell)));
}

/* What it answered. An exit status: 1 where it does not go as it should. */
static int tell(const struct fleet_options *o, const json_t *answer)
{
	if (o->json)
		return ctl_print_json(answer, "fleet");
	if (!*json_string_at(answer, "store")) {
		log_error("fleet: %s to no store",
			  o->ctl->url ? "that plop-gateway ships" : "this host ships");
		log_error("try: store = clickhouse=URL in [fleet] of plop.conf, and systemctl "
			  "restart plop-gateway");
		return CTL_FAILED;
	}
	print_status(answer);
	return *json_string_at(answer, "error") ? CTL_FAILED : CTL_DONE;
}

/* Of this host. An exit status; it has complained. */
static int ask_here(const struct fleet_options *o, struct buf *to)
{
	_cleanup_free_ char *why = NULL;
	int exit_status, r = fleet_ask_here(o, to, &why, &exit_status);

	if (r == 0 || r == -ECANCELED)
		return exit_status;
	if (r == -ENOENT) {
		log_error("fleet: plop-gateway is not running, and it ships windows");
		log_error("try: systemctl start plop-gateway");
	} else {
		log_error("fleet: %s", why ? why : strerror(-r));
		log_error("try: systemctl status plop-gateway");
	}
	return CTL_FAILED;
}

static int ask_server(const struct fleet_options *o, struct buf *to)
{
	_cleanup_answer_ struct ctl_answer a = {};
	int r = ctl_request(o->ctl, "fleet", "GET", "/v1/fleet", NULL, FLEET_TIMEOUT_S, &a);

	if (r == CTL_DONE)
		buf_append(to, a.body.data, a.body.size);
	return r;
}

static int show_status(const struct fleet_options *o)
{
	_cleanup_buf_ struct buf body = { .limit = FLEET_ANSWER_MAX };
	json_t *answer = NULL;
	int r;

	if (o->nwords > 1)
		return ctl_usage("fleet", "nothing is behind status");
	r = ctl_configure(o->ctl);
	if (r == CTL_DONE)
		r = o->ctl->url ? ask_server(o, &body) : ask_here(o, &body);
	if (r == CTL_DONE)
		answer = json_loadb(body.data, body.size, 0, NULL);
	if (r == CTL_DONE && !answer) {
		log_error(
			"fleet: plop-gateway answers with what is no JSON: is it of this version?");
		r = CTL_FAILED;
	}
	if (r == CTL_DONE)
		r = tell(o, answer);
	json_decref(answer);
	return r;
}

static int run(const struct fleet_options *o)
{
	const char *what = o->nwords ? o->words[0] : "";
	bool joins = streq(what, "join"), records = streq(what, "record");

	if (!joins && (o->user || o->password_file || o->init_store || o->replace))
		return ctl_usage("fleet", "--user, --password-file, --init-store and --replace are "
					  "for: plopctl fleet join URL");
	if (!records && (o->duration || o->hosts || o->in || o->wait || o->format || o->group_by ||
			 !streq(o->output, "-")))
		return ctl_usage("fleet", "-d, --hosts, --in, --wait, -f, -g and -o are for: "
					  "plopctl fleet record");
	if (joins)
		return fleet_join(o);
	if (records)
		return fleet_record(o);
	if (streq(what, "status"))
		return show_status(o);
	return ctl_usage("fleet", "say what: plopctl fleet status, record or join URL");
}

int ctl_fleet(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "Print JSON, for programs", 0 },
		{ "duration", 'd', "TIME", 0, "record: how long, default 60s", 0 },
		{ "hosts", KEY_HOSTS, "N", 0,
		  "record: on so many hosts, drawn at random, default 20", 0 },
		{ "in", KEY_IN, "TIME", 0, "record: begin in so much time, default 90s", 0 },
		{ "wait", KEY_WAIT, "TIME", 0,
		  "record: wait for hosts for so long behind its end, default 3m", 0 },
		{ "format", 'f', "FORMAT", 0,
		  "record: pprof, collapsed, speedscope, plop, json, tree, svg, html or top", 0 },
		{ "group-by", 'g', "KEYS", 0,
		  "record: put a frame KEY=VALUE before each stack, by keys such as host", 0 },
		{ "output", 'o', "FILE", 0, "record: write there; - (default) is stdout", 0 },
		{ "user", KEY_USER, "NAME", 0, "join: as this user of the store", 0 },
		{ "password-file", KEY_PASSWORD_FILE, "FILE", 0,
		  "join: with the password in its first line", 0 },
		{ "init-store", KEY_INIT_STORE, NULL, 0,
		  "join: make plop's tables where there are none", 0 },
		{ "replace", KEY_REPLACE, NULL, 0, "join: in place of another store", 0 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.args_doc = "status\nrecord [SELECTOR]...\njoin URL",
		.doc = "What becomes of the windows that go to the store of a fleet; and how a "
		       "host comes to ship them.\v"
		       "plop-gateway ships them, by [fleet] of plop.conf; see plop.conf(5).\n\n"
		       "record asks several hosts for all that they profile in a time, whatever "
		       "share of it they ship else: through the fleet's store, where each host "
		       "looks for itself, so it begins when all have looked. What it brings "
		       "changes no sum over the fleet. It is asked of the plop-gateway that serves "
		       "the fleet, by --server.\n\n"
		       "join looks at the store: whether it answers, whether its tables are "
		       "plop's, "
		       "and what time it is there. Then it writes plop.conf, has plop-gateway "
		       "restarted, and waits until a window of this host is in the store and is "
		       "what plop.db has. URL is as in [fleet] store: "
		       "http[s]://HOST:PORT/DATABASE. "
		       "Only root may.\n\n"
		       "Exit status: 1 if none are shipped, or the last attempt failed; or if the "
		       "host could not join.\n\n"
		       "Examples:\n"
		       "  plopctl fleet status\n"
		       "  plopctl fleet status --json\n"
		       "  plopctl fleet record service=checkout -d 60s --hosts 20 -o checkout.svg "
		       "\\\n"
		       "      --server https://plop.example --token-file token\n"
		       "  plopctl fleet join https://store.example:8443/plop --user plop \\\n"
		       "      --password-file /etc/plop/store-password",
	};
	struct fleet_options o = { .ctl = ctl, .output = "-" };
	int r;

	o.words = calloc((size_t)argc + 1, sizeof(*o.words));
	if (!o.words)
		return CTL_FAILED;
	ctl_parse("fleet", &argp, 0, argc, argv, &o);
	r = run(&o);
	free(o.words);
	return r;
}
