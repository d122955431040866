/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <locale.h>

#include "ctl/ctl.h"
#include "http/exchange.h"
#include "ctl/suggest.h"
#include "util/log.h"

/*
 * plopctl talks to plopd over its Unix socket, or to a plop-gateway. Here: which command, and the
 * options that all of them have.
 */

#define AT_HOST "the same command on that host"

static const struct ctl_command commands[] = {
	{ "status", ctl_status, NULL },
	{ "ps", ctl_ps, NULL },
	{ "record", ctl_record, AT_HOST },
	{ "recordings", ctl_recordings, NULL },
	{ "export", ctl_export, NULL },
	{ "open", ctl_open, "that address in a browser" },
	{ "top", ctl_top, "plopctl export --since 1m -f top, of what was collected" },
	{ "dump", ctl_dump, AT_HOST },
	{ "diff", ctl_diff, NULL },
	{ "deploys", ctl_deploys, NULL },
	{ "lines", ctl_lines, NULL },
	{ "series", ctl_series, NULL },
	{ "labels", ctl_labels, NULL },
	{ "mark", ctl_mark, AT_HOST },
	{ "regressions", ctl_regressions, NULL },
	{ "backup", ctl_backup, AT_HOST },
	{ "fsck", ctl_fsck, AT_HOST },
	{ "fleet", ctl_fleet, NULL },
	{ "token", ctl_token, AT_HOST },
};

struct command_line {
	struct ctl *ctl;
	const char *name;
	int at; /* index of name in argv */
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct command_line *line = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = line->ctl;
		return 0;
	case ARGP_KEY_ARG:
		/* The rest is the command's. */
		line->name = value;
		line->at = state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a command is missing");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int run(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.parser = on_option,
		.children = children,
		.args_doc = "COMMAND [OPTION...]",
		.doc = "Where Python processes spend their time: ask plopd.\v"
		       "Commands (plopctl COMMAND --help says more):\n"
		       "  status       what plopd does, what it costs, what it lost\n"
		       "  ps           the Python processes of this host\n"
		       "  record       record processes for a while, from now on\n"
		       "  recordings   those that were kept: list, show, export, remove\n"
		       "  export       write what was collected already, as one profile\n"
		       "  deploys      when each version of each service was first seen\n"
		       "  diff         what became slower, from one version or time to another\n"
		       "  mark         set the version of a service by hand, for a push script\n"
		       "  regressions  what plopd found slower in each new version\n"
		       "  lines        samples by line, of a function or a file\n"
		       "  series       CPU over time, and one function's share of it\n"
		       "  labels       the values that a label had: services, versions, units\n"
		       "  dump         every thread's Python stack, now\n"
		       "  top          what they do now, live\n"
		       "  backup       copy plop.db while plopd runs\n"
		       "  fsck         look whether plop.db is sound\n"
		       "  fleet        what is shipped to the store of a fleet\n"
		       "  token        what programs and people ask plop-gateway with\n"
		       "  open         the viewer's address, with a fresh token\n\n"
		       "Exit status: 0 done, 1 failed, 2 usage, 3 no such target, 4 not allowed, 5 "
		       "cannot reach plopd.",
	};
	struct command_line line = { .ctl = ctl };
	const char *names[ARRAY_SIZE(commands)];
	char name[64], hint[64];

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &line);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!streq(commands[i].name, line.name))
			continue;
		snprintf(name, sizeof(name), "plopctl %s", line.name);
		argv[line.at] = name;
		ctl->command = &commands[i];
		return commands[i].run(ctl, argc - line.at, argv + line.at);
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		names[i] = commands[i].name;
	log_error("there is no command %.64s%s", line.name,
		  suggest_text("", suggest(line.name, names, ARRAY_SIZE(names)), hint,
			       sizeof(hint)));
	log_error("try: plopctl --help");
	return CTL_USAGE;
}

int main(int argc, char *argv[])
{
	struct ctl ctl = {};
	char *journal;
	int r;

	setlocale(LC_ALL, "");
	/*
	 * Numbers are read and written with a point wherever they are for programs; so they are for
	 * people.
	 */
	setlocale(LC_NUMERIC, "C");
	/* Its messages are for whoever called it, also where stderr happens to be the journal. */
	journal = getenv("JOURNAL_STREAM");
	journal = journal ? strdup(journal) : NULL;
	unsetenv("JOURNAL_STREAM");
	log_init("plopctl", LOG_LEVEL_INFO);
	/* a program that plopctl starts has its environment as it was */
	if (journal)
		setenv("JOURNAL_STREAM", journal, true);
	free(journal);
	argp_err_exit_status = CTL_USAGE;
	if (http_init() < 0) {
		log_error("cannot set libcurl up");
		return CTL_FAILED;
	}
	r = run(&ctl, argc, argv);
	http_end();
	ctl_done(&ctl);
	return r;
}
