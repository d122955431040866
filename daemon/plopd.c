/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "config/config.h"
#include "plop/version.h"
#include "plopd/manager.h"
#include "proc/cgroups.h"
#include "sampler/features.h"
#include "sampler/programs.h"
#include "util/heap.h"
#include "util/log.h"

const char *argp_program_version = "plopd " PLOP_VERSION;

static const char arg_doc[] =
	"Profiles every Python process of this host from the kernel, in windows of 30 seconds.\v"
	"Run as root, or as a user with CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH "
	"and CAP_CHECKPOINT_RESTORE. plopd --check tells what this kernel and these privileges "
	"allow.\n\n"
	"plopctl status shows what it does, plopctl open the viewer. See plopd(8) and "
	"plop.conf(5).";

enum { KEY_HZ = 256, KEY_MODE, KEY_WINDOW, KEY_CHECK };

static const struct argp_option arg_options[] = {
	{ "config", 'C', "FILE", 0, "Configuration, default " CONFIG_DEFAULT_FILE, 0 },
	{ "socket", 'S', "PATH", 0, "Unix socket to serve, default /run/plop/plopd.sock", 0 },
	{ "state-dir", 'D', "DIR", 0, "Directory of plop.db, default /var/lib/plop", 0 },
	{ "hz", KEY_HZ, "N", 0, "Samples a second on each CPU, 1 to 10000, default 100", 0 },
	{ "mode", KEY_MODE, "MODE", 0,
	  "always (default), on-demand (only while somebody records) or periodic (a window every "
	  "so often)",
	  0 },
	{ "window", KEY_WINDOW, "SECONDS", 0, "Length of a window, 1 to 3600, default 30", 0 },
	{ "check", KEY_CHECK, NULL, 0, "Tell what this kernel and these privileges allow, and exit",
	  0 },
	{ "verbose", 'v', NULL, 0, "Log in detail", 0 },
	{},
};

struct arguments {
	const char *config, *socket, *state_dir, *hz, *mode, *window;
	bool check, verbose;
};

static error_t arg_parse(int key, char *value, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'C':
		a->config = value;
		return 0;
	case 'S':
		a->socket = value;
		return 0;
	case 'D':
		a->state_dir = value;
		return 0;
	case KEY_MODE:
		a->mode = value;
		return 0;
	case KEY_HZ:
		a->hz = value;
		return 0;
	case KEY_WINDOW:
		a->window = value;
		return 0;
	case KEY_CHECK:
		a->check = true;
		return 0;
	case 'v':
		a->verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "%.64s: unexpected argument", value);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* One line for each; whether all that is required is there. */
static bool tell(const struct feature *features, int n)
{
	bool all = true;

	for (int i = 0; i < n; i++) {
		const struct feature *f = &features[i];

		if (f->error)
			printf("%-42s %s (%s); needs %s\n", f->name, f->required ? "NO" : "no",
			       strerror(-f->error), f->needs);
		else
			printf("%-42s yes\n", f->name);
		all = all && (!f->error || !f->required);
	}
	return all;
}

/* plopd --check; 0 when all that is required is there. */
static int check(void)
{
	struct feature features[FEATURE_MAX], programs[PROGRAMS_MAX];
	bool good;

	features_probe(features);
	good = tell(features, FEATURE_MAX);
	if (good) {
		programs_try(programs);
		good = tell(programs, PROGRAMS_MAX);
	}
	printf("%-42s %s\n", "control groups", cgroups_mode_name(cgroups_mode()));
	return good ? 0 : 1;
}

static int configure(const struct arguments *a, struct config **ret, char **ret_error)
{
	_cleanup_(config_freep) struct config *c = NULL;
	const struct {
		const char *key, *value;
	} overrides[] = { { "socket", a->socket },
			  { "state_dir", a->state_dir },
			  { "hz", a->hz },
			  { "mode", a->mode },
			  { "window", a->window } };
	int r = config_new(&c);

	if (r >= 0)
		r = config_load(c, a->config, false, ret_error);
	for (size_t i = 0; i < ARRAY_SIZE(overrides) && r >= 0; i++) {
		if (overrides[i].value)
			r = config_set(c, "plopd", overrides[i].key, overrides[i].value, ret_error);
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

static int reload(void *ctx, struct config **ret, char **ret_error)
{
	return configure(ctx, ret, ret_error);
}

/*
 * As many descriptors as it may have: a recording takes up to two for each thread of its processes.
 */
static void descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &l) < 0)
			log_debug_r(-errno, "Cannot raise the limit of descriptors");
	}
}

int main(int argc, char *argv[])
{
	static const struct argp argp = { .options = arg_options,
					  .parser = arg_parse,
					  .doc = arg_doc };
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(manager_freep) struct manager *m = NULL;
	_cleanup_free_ char *error = NULL;
	struct arguments a = {};
	int r;

	heap_init();
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	log_init("plopd", a.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	if (a.check)
		return check();
	r = configure(&a, &config, &error);
	if (r < 0) {
		log_error("configuration: %s", error ? error : strerror(-r));
		return EXIT_FAILURE;
	}
	descriptors();
	r = manager_new(config, &m, &error);
	if (r >= 0) {
		m->mode.load = reload;
		m->mode.ctx = &a;
		r = manager_start(m, &error);
	}
	/* it was told to end before it began */
	if (r == -ECANCELED)
		return EXIT_SUCCESS;
	if (r < 0) {
		log_error("%s", error ? error : strerror(-r));
		return EXIT_FAILURE;
	}
	if (config->mode == CONFIG_ALWAYS)
		log_info("sampling at %llu Hz; socket %s, state in %s",
			 (unsigned long long)config->hz, config->socket, config->state_dir);
	else
		log_info("sampling %s; socket %s, state in %s",
			 config->mode == CONFIG_PERIODIC ? "a window every so often" : "on demand",
			 config->socket, config->state_dir);
	r = manager_run(m, &error);
	if (r < 0) {
		log_error("%s", error ? error : strerror(-r));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
