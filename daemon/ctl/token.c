/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>

#include "ctl/ctl.h"
#include "ctl/suggest.h"
#include "http/exchange.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/log.h"
#include "util/parse.h"

/* plopctl token: those with which programs and people ask plop-gateway. */

#define COMMAND         "token"
#define DEFAULT_EXPIRES (90 * UINT64_C(86400) * NSEC_PER_SEC)

struct token_options {
	struct ctl *ctl;
	const char *scope, *service;
	uint64_t expires_ns; /* 0: it does not end */
	bool json, makes;    /* makes: an option of create was said */
	const char *words[3];
	size_t nwords;
	int error; /* exit status of what was refused */
};

static int take_expires(struct token_options *o, const char *value)
{
	if (streq(value, "never")) {
		o->expires_ns = 0;
		return CTL_DONE;
	}
	if (parse_duration(value, &o->expires_ns) == 0 && o->expires_ns >= NSEC_PER_SEC)
		return CTL_DONE;
	return ctl_usage(COMMAND, "--expires %.32s: must be a time such as 12h or 90d, or never",
			 value);
}

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct token_options *o = state->input;
	int r = CTL_DONE;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o->ctl;
		return 0;
	case 's':
		o->scope = value;
		break;
	case 'n':
		o->service = value;
		break;
	case 'e':
		r = take_expires(o, value);
		break;
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->nwords == ARRAY_SIZE(o->words))
			r = ctl_usage(COMMAND, "%.64s: one name at a time", value);
		else
			o->words[o->nwords++] = value;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	o->makes |= key == 's' || key == 'n' || key == 'e';
	if (o->error == CTL_DONE)
		o->error = r;
	return 0;
}

static char *make_body(const struct token_options *o)
{
	_cleanup_buf_ struct buf b = {};
	struct json_writer w = json_writer_on(&b);

	json_put_object(&w, NULL);
	json_put_string(&w, "name", o->words[1]);
	json_put_string(&w, "scope", o->scope);
	json_put_string(&w, "service", o->service);
	if (o->expires_ns)
		json_put_uint(&w, "expires_s", o->expires_ns / NSEC_PER_SEC);
	else
		json_put_null(&w, "expires_s");
	json_put_end(&w);
	return json_writer_done(&w) < 0 ? NULL : buf_string(&b);
}

/* The token alone on stdout, for scripts. */
static int create(const struct token_options *o)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *body = make_body(o);
	char when[32] = "never";
	json_t *answer;
	int r;

	if (!body) {
		log_error(COMMAND ": out of memory");
		return CTL_FAILED;
	}
	r = ctl_request(o->ctl, COMMAND, "POST", "/v1/tokens", body, 30, &a);
	if (r != CTL_DONE)
		return r;
	answer = ctl_answer_json(&a, COMMAND);
	if (!answer)
		return CTL_FAILED;
	if (o->json) {
		r = ctl_print_json(answer, COMMAND);
	} else {
		if (json_number_at(answer, "expires") > 0)
			text_time(json_number_at(answer, "expires"), when, sizeof(when));
		log_info("it is shown this once; it ends: %s", when);
		puts(json_string_at(answer, "token"));
	}
	json_decref(answer);
	return r;
}

static const char *time_at(const json_t *one, const char *key, const char *none, char *buffer,
			   size_t size)
{
	double at = json_number_at(one, key);

	return at > 0 ? text_time(at, buffer, size) : none;
}

static void print_one(const json_t *one)
{
	char name[160], service[160], made[32], ends[32], used[32];

	printf("%s %-6s %s %-20s %-20s %s\n",
	       text_cell(json_string_at(one, "name"), 24, true, name, sizeof(name)),
	       json_string_at(one, "scope"),
	       text_cell(*json_string_at(one, "service") ? json_string_at(one, "service") : "all",
			 20, true, service, sizeof(service)),
	       time_at(one, "created", "-", made, sizeof(made)),
	       time_at(one, "expires", "never", ends, sizeof(ends)),
	       time_at(one, "used", "-", used, sizeof(used)));
}

static void print_list(const json_t *answer)
{
	const json_t *all = json_object_get(answer, "tokens"), *one;
	size_t i;

	if (json_array_size(all) == 0) {
		log_warning("there is no token; plopctl token create NAME makes one");
		return;
	}
	printf("%-24s %-6s %-20s %-20s %-20s %s\n", "NAME", "SCOPE", "SERVICE", "CREATED",
	       "EXPIRES", "LAST USED");
	json_array_foreach(all, i, one) print_one(one);
}

static int take_away(const struct token_options *o)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *path = NULL;

	buf_puts(&b, "/v1/tokens/");
	http_escape(&b, o->words[1]);
	path = buf_string(&b);
	if (!path) {
		log_error(COMMAND ": out of memory");
		return CTL_FAILED;
	}
	return ctl_request(o->ctl, COMMAND, "DELETE", path, NULL, 30, &a);
}

static int run(const struct token_options *o)
{
	const char *what = o->nwords ? o->words[0] : "list";
	bool creates = streq(what, "create"), revokes = streq(what, "revoke");
	int r = o->error;

	if (r == CTL_DONE && !creates && !revokes && !streq(what, "list"))
		r = ctl_usage(COMMAND, "%.64s: is neither create, list nor revoke", what);
	if (r == CTL_DONE && o->nwords != (creates || revokes ? 2 : o->nwords ? 1 : 0))
		r = ctl_usage(COMMAND,
			      creates || revokes ? "%s wants one name" : "%s wants no name", what);
	if (r == CTL_DONE && o->makes && !creates)
		r = ctl_usage(COMMAND, "--scope, --service and --expires are for: plopctl token "
				       "create NAME");
	if (r == CTL_DONE)
		r = ctl_configure(o->ctl);
	if (r != CTL_DONE)
		return r;
	if (creates)
		return create(o);
	return revokes ? take_away(o) :
			 ctl_show(o->ctl, COMMAND, "/v1/tokens", o->json, print_list);
}

int ctl_token(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "scope", 's', "SCOPE", 0,
		  "What it is good for: read (default), to look; or record, to record as well", 0 },
		{ "service", 'n', "SERVICE", 0, "It shows this service alone", 0 },
		{ "expires", 'e', "TIME", 0, "It ends after that: 12h, 90d (default), or never",
		  0 },
		{ "json", 'j', NULL, 0, "Print JSON, for programs", 0 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.args_doc = "[list]\ncreate NAME\nrevoke NAME",
		.doc = "Tokens with which programs and people ask plop-gateway.\v"
		       "create prints a fresh one, which nobody can show again: plopd keeps a hash "
		       "of it. One that was revoked is good no more within ten seconds. For root "
		       "and members of group plop.\n\n"
		       "Examples:\n"
		       "  plopctl token create grafana\n"
		       "  plopctl token create shop-team --scope record --service shop\n"
		       "  plopctl token create parca --expires never\n"
		       "  plopctl token revoke grafana",
	};
	struct token_options o = { .ctl = ctl, .scope = "read", .expires_ns = DEFAULT_EXPIRES };

	ctl_parse(COMMAND, &argp, 0, argc, argv, &o);
	return run(&o);
}
