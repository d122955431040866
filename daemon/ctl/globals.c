/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>

#include "ctl/ctl.h"
#include "plop/version.h"
#include "profile/selector_text.h"
#include "util/log.h"

/* These have no letter. */
enum {
	KEY_SERVER = CTL_KEY_SERVER,
	KEY_TOKEN_FILE,
	KEY_CA_FILE,
};

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
	case KEY_SERVER:
		/* of which a fleet may be at the other end */
		selectors_over_hosts();
		return set_text(&ctl->url, value);
	case KEY_TOKEN_FILE:
		return set_text(&ctl->token_file, value);
	case KEY_CA_FILE:
		return set_text(&ctl->ca_file, value);
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
	{ "server", KEY_SERVER, "URL", 0, "Ask this plop-gateway in place of plopd", -2 },
	{ "token-file", KEY_TOKEN_FILE, "FILE", 0, "... with the token in its first line", -2 },
	{ "ca-file", KEY_CA_FILE, "FILE", 0, "... by certificates other than the system's", -2 },
	{ "version", 'V', NULL, 0, "Print the version", -1 },
	{}
};
const struct argp ctl_globals = { .options = global_options, .parser = on_global };

/* What the server is asked with. An exit status; it has complained. */
static int configure_server(struct ctl *ctl)
{
	const char *name = ctl->command->name, *why = NULL;
	int r;

	if (ctl->command->instead) {
		log_error("%s: it is of the host itself, where plopd runs, and of no --server",
			  name);
		log_error("try: %s", ctl->command->instead);
		return CTL_USAGE;
	}
	if (ctl->socket)
		return ctl_usage(name, "--server and --socket exclude each other");
	r = http_server_parse(ctl->url, &ctl->server.base, &why);
	if (r == -EINVAL)
		return ctl_usage(name, "--server %.200s is no address of a plop-gateway: %s",
				 ctl->url, why);
	if (r == 0 && ctl->token_file) {
		r = http_token_read(ctl->token_file, &ctl->server.token);
		if (r < 0)
			log_error("%s: cannot read a token from %.200s: %s", name, ctl->token_file,
				  r == -EBADMSG ? "its first line is none" : strerror(-r));
		if (r < 0)
			return CTL_FAILED;
	}
	if (r == 0 && ctl->ca_file && access(ctl->ca_file, R_OK) < 0) {
		log_error("%s: cannot read %.200s: %s", name, ctl->ca_file, strerror(errno));
		return CTL_FAILED;
	}
	ctl->server.ca_file = TAKE_PTR(ctl->ca_file);
	if (r == 0)
		return CTL_DONE;
	log_error("%s: %s", name, strerror(-r));
	return CTL_FAILED;
}

int ctl_configure(struct ctl *ctl)
{
	_cleanup_free_ char *error = NULL;
	int r;

	if (ctl->config)
		return CTL_DONE;
	r = config_new(&ctl->config);
	if (r >= 0)
		r = config_load(ctl->config, ctl->config_file, !ctl->config_file, &error);
	if (r >= 0 && ctl->socket)
		r = config_set(ctl->config, "plopd", "socket", ctl->socket, &error);
	if (r >= 0 && ctl->url)
		return configure_server(ctl);
	if (r >= 0)
		return CTL_DONE;
	log_error("configuration: %s", error ? error : strerror(-r));
	return r == -EINVAL && ctl->socket ? CTL_USAGE : CTL_FAILED;
}

void ctl_done(struct ctl *ctl)
{
	config_free(ctl->config);
	free(ctl->config_file);
	free(ctl->socket);
	free(ctl->url);
	free(ctl->token_file);
	free(ctl->ca_file);
	http_server_done(&ctl->server);
}
