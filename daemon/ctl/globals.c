/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>

#include "ctl/ctl.h"
#include "util/log.h"

static int set_text(char **to, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static error_t on_global(int key, char *value, struct argp_state *state)
{
	struct ctl *ctl = state->input;

	switch (key) {
	case 'S':
		return set_text(&ctl->socket, value);
	case 'C':
		return set_text(&ctl->config_file, value);
	case 'V':
		puts("plopctl " PLOP_VERSION);
		exit(EXIT_SUCCESS);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option global_options[] = {
	{ "socket", 'S', "PATH", 0, "plopd's socket, default /run/plop/plopd.sock", -2 },
	{ "config", 'C', "FILE", 0, "Configuration, default " CONFIG_DEFAULT_FILE, -2 },
	{ "version", 'V', NULL, 0, "Print the version", -1 },
	{}
};
const struct argp ctl_globals = { .options = global_options, .parser = on_global };

int ctl_configure(struct ctl *ctl)
{
	_cleanup_free_ char *error = NULL;
	int r;

	r = config_new(&ctl->config);
	if (r >= 0)
		r = config_load(ctl->config, ctl->config_file, !ctl->config_file, &error);
	if (r >= 0 && ctl->socket)
		r = config_set(ctl->config, "plopd", "socket", ctl->socket, &error);
	if (r >= 0)
		return CTL_DONE;
	log_error("configuration: %s", error ? error : strerror(-r));
	return r == -EINVAL && ctl->socket ? CTL_USAGE : CTL_FAILED;
}
