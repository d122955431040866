/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/stored.h"

#include "util/log.h"

error_t stored_on_option(int key, char *value, struct argp_state *state)
{
	struct stored_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o->ctl;
		return 0;
	case 'D':
		o->state_dir = value;
		return 0;
	case ARGP_KEY_ARG:
		if (o->file)
			argp_error(state, "one file is enough");
		o->file = value;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int not_allowed(const char *what)
{
	log_error("%s: not allowed: plop.db has what the processes of all users did", what);
	log_error("try: run it as root, or as a member of group plop");
	return CTL_NOT_ALLOWED;
}

/* The folder of the path that plopd says. */
static int dir_of_status(const char *what, const struct ctl_answer *a, char **ret)
{
	json_t *status = ctl_answer_json(a, what);
	const char *path = json_string_at(status, "store.path"), *end = strrchr(path, '/');
	int r = CTL_DONE;

	if (!status)
		return CTL_FAILED;
	if (!end) {
		r = not_allowed(what);
	} else {
		*ret = strndup(path, (size_t)(end - path));
		r = *ret ? CTL_DONE : CTL_FAILED;
	}
	json_decref(status);
	return r;
}

int ctl_state_dir(struct ctl *ctl, const char *what, const char *option, char **ret)
{
	_cleanup_answer_ struct ctl_answer a = {};
	int r = ctl_configure(ctl);

	if (r != CTL_DONE)
		return r;
	if (!option) {
		r = ctl_exchange(ctl, "GET", "/v1/status", NULL, 10, &a);
		if (r == 0 && a.status == 200)
			return dir_of_status(what, &a, ret);
		if (r == -EACCES || r == -EPERM || r == 0)
			return ctl_complain(ctl, what, r, &a);
	}
	*ret = strdup(option ? option : ctl->config->state_dir);
	if (*ret)
		return CTL_DONE;
	log_error("%s: out of memory", what);
	return CTL_FAILED;
}

int ctl_store_complain(const char *what, int r, const char *error)
{
	if (r == -EACCES || r == -EPERM)
		return not_allowed(what);
	log_error("%s: %s", what, error ? error : strerror(-r));
	if (r == -ENOENT)
		log_error("try: --state-dir DIR, if plopd has its files elsewhere");
	return r == -ENOENT ? CTL_NO_TARGET : CTL_FAILED;
}
