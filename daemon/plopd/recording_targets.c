/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/syscall.h>
#include <unistd.h>

#include "plopd/recording_targets.h"
#include "plopd/access.h"
#include "profile/selector_text.h"

#define PIDS_MAX      256
#define SELECTORS_MAX 64

static int out_of_memory(const struct api_request *q)
{
	api_reply_error(q->call, 500, NULL, "out of memory");
	return -ENOMEM;
}

static int refused(const struct api_request *q, const struct refusal *r)
{
	api_reply_error(q->call, r->status, r->hint, "%s", r->error);
	return -ESRCH;
}

static int pid_add(const struct api_request *q, json_int_t pid, struct whom *w)
{
	int r = whom_add_pid(w, (pid_t)pid);

	if (r == -E2BIG)
		api_reply_error(q->call, 400, NULL, "a recording is of at most %d processes by id",
				WHOM_PIDS_MAX);
	else if (r < 0)
		out_of_memory(q);
	return r;
}

static void put_skipped(struct buf *skipped, json_int_t pid, const struct refusal *why)
{
	struct json_writer w = json_elements_on(skipped);

	json_put_object(&w, NULL);
	json_put_int(&w, "pid", pid);
	json_put_string(&w, "error", why->error);
	json_put_string(&w, "hint", why->hint);
	json_put_end(&w);
}

/* What a member says, as the parsers take it: a text's own, else as JSON has it. */
static char *text_of(const json_t *value)
{
	return json_is_string(value) ? strdup(json_string_value(value)) :
				       json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

static int number_take(const struct api_request *q, const json_t *value, pid_t *ret)
{
	_cleanup_free_ char *text = text_of(value);
	char why[SELECTOR_WHY_MAX];
	int r = text ? process_id_parse(text, ret, why) : -ENOMEM;

	if (r == -EINVAL)
		api_reply_error(q->call, 400, "plopctl ps lists the Python processes", "%s", why);
	else if (r < 0)
		out_of_memory(q);
	return r;
}

/* skipped: NULL, or where those go that cannot be recorded. */
static int pids_take(const struct api_request *q, struct targets *t, json_t *pids, struct whom *w,
		     struct buf *skipped)
{
	size_t n = json_is_array(pids) ? json_array_size(pids) : 1;
	struct refusal first = {}, why;

	if (n == 0 || n > PIDS_MAX) {
		api_reply_error(q->call, 400, NULL,
				"\"pid\" must be a number, or a list of up to %d", PIDS_MAX);
		return -EINVAL;
	}
	for (size_t i = 0; i < n; i++) {
		pid_t pid;
		int r = number_take(q, json_is_array(pids) ? json_array_get(pids, i) : pids, &pid);

		if (r < 0)
			return r;
		if (access_look(&q->peer, t, pid, &why)) {
			r = pid_add(q, pid, w);
			if (r < 0)
				return r;
			continue;
		}
		/* what is not the peer's is not passed over, whether it is there or not */
		if (!skipped || why.status == 403)
			return refused(q, &why);
		if (!first.status)
			first = why;
		put_skipped(skipped, pid, &why);
	}
	return w->npids ? 0 : refused(q, &first);
}

/* The process is held by its pidfd first: what is looked at then is that one. */
static int tree_take(const struct api_request *q, json_t *value, bool child,
		     struct recording_request *ret)
{
	struct refusal why;
	int r, fd, error;
	pid_t parent, pid;

	r = number_take(q, value, &pid);
	if (r < 0)
		return r;
	fd = (int)syscall(SYS_pidfd_open, pid, 0); /* Ubuntu 22.04's C library has no name for it */
	error = errno;
	if (!access_any(&q->peer, pid, &why)) {
		if (fd >= 0)
			close(fd);
		return refused(q, &why);
	}
	if (fd < 0) {
		api_reply_error(q->call, 500, NULL, "cannot follow process %d: %s", (int)pid,
				strerror(error));
		return -error;
	}
	if (child && (process_parent(pid, &parent) < 0 || parent != q->peer.pid)) {
		close(fd);
		api_reply_error(
			q->call, 422,
			"start it where plopd runs, or record it by the id that it has there",
			"process %d is not what you have started: you and plopd see "
			"different process ids, as from within a container",
			(int)pid);
		return -ESRCH;
	}
	ret->whom.tree = pid;
	ret->whom.tree_fd = fd;
	return 0;
}

static int cgroup_take_named(const struct api_request *q, const char *what, const char *name,
			     struct cgroup *ret)
{
	bool unit = streq(what, "unit");
	char why[SELECTOR_WHY_MAX];
	struct cgroup c = {};
	int r = name ? cgroup_name_parse(name, unit, why) : -EINVAL;

	if (!name)
		snprintf(why, sizeof(why), "\"%s\" must be a string", what);
	if (r < 0) {
		api_reply_error(q->call, 400, NULL, "%s", why);
		return r;
	}
	r = unit ? cgroup_find_unit(name, &c) : cgroup_find(name, &c);
	/* one that the peer has no process in may be hidden, as processes may be */
	if (!api_sees_all(&q->peer) && r != -ENOMEM && (r < 0 || !access_cgroup(&q->peer, &c))) {
		api_reply_error(q->call, 404,
				"record -a has all processes of yours; root and members of group "
				"plop may ask for any control group",
				"there is no %s %.200s with a process of yours", what, name);
		cgroup_done(&c);
		return -ENOENT;
	}
	if (r >= 0)
		*ret = c;
	else if (r == -ENOENT)
		api_reply_error(q->call, 404,
				unit ? "systemctl list-units shows the units that run" :
				       "/proc/PID/cgroup says in which cgroup a process is",
				"there is no %s %.200s", what, name);
	else if (r == -ENODATA)
		api_reply_error(q->call, 422, "start it first, or name one above it",
				"%s %.200s has no process", what, name);
	else if (r < 0)
		api_reply_error(q->call, 500, NULL, "cannot look for %s %.200s: %s", what, name,
				strerror(-r));
	return r;
}

static int selector_take(const struct api_request *q, const json_t *value, struct selectors *s)
{
	_cleanup_free_ char *text = text_of(value), *key = NULL;
	char why[SELECTOR_WHY_MAX];
	int r;

	key = text ? strndup(text, strcspn(text, "=")) : NULL;
	r = key ? selectors_parse(s, text, NULL, why) : -ENOMEM;
	if (r == -EINVAL)
		api_reply_error(q->call, 400, NULL, "%s", why);
	else if (r < 0)
		out_of_memory(q);
	if (r < 0)
		return r;
	if (!selector_is_of_process(key)) {
		api_reply_error(q->call, 400,
				"select by it when the result is asked for, GET /v1/recordings/ID",
				"a recording is of processes, and %.64s is not of a process", key);
		return -EINVAL;
	}
	return 0;
}

/* Who asks for processes by their ids. */
struct asker {
	const struct api_request *q;
	struct targets *targets;
};

/* Of one that cannot be recorded it is told why, as with "pid". */
static int pid_take(struct whom *w, pid_t pid, void *ctx)
{
	const struct asker *a = ctx;
	struct refusal why;

	if (!access_look(&a->q->peer, a->targets, pid, &why))
		return refused(a->q, &why);
	return pid_add(a->q, pid, w);
}

int recording_pids(const struct api_request *q, struct targets *t, struct whom *w)
{
	struct asker a = { .q = q, .targets = t };

	return whom_take_pids(w, pid_take, &a);
}

static int selectors_take(const struct api_request *q, struct targets *t, json_t *list,
			  struct whom *w)
{
	if (!json_is_array(list) || json_array_size(list) > SELECTORS_MAX) {
		api_reply_error(q->call, 400, NULL,
				"\"selectors\" must be a list of up to %d texts KEY=VALUE",
				SELECTORS_MAX);
		return -EINVAL;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		int r = selector_take(q, json_array_get(list, i), &w->selectors);

		if (r < 0)
			return r;
	}
	return recording_pids(q, t, w);
}

/* Processes of their own would be recorded wherever they are. */
static int without_pids(const struct api_request *q, const char *kind, const struct whom *w)
{
	if (!w->npids)
		return 0;
	api_reply_error(q->call, 400, NULL, "\"%s\" and a selector pid= exclude each other", kind);
	return -EINVAL;
}

int recording_targets(const struct api_request *q, struct targets *t, json_t *body,
		      struct recording_request *ret, struct buf *skipped)
{
	static const char *const kinds[] = { "pid", "tree", "cgroup", "unit" };
	const char *kind = json_is_true(json_object_get(body, "all")) ? "all" : NULL;
	json_t *value = NULL, *list = json_object_get(body, "selectors");
	size_t n = kind != NULL;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		json_t *v = json_object_get(body, kinds[i]);

		if (!v || json_is_null(v))
			continue;
		kind = kinds[i];
		value = v;
		n++;
	}
	if (n > 1 || (n == 0 && !json_array_size(list))) {
		api_reply_error(
			q->call, 400, NULL,
			"a recording wants one of \"pid\", \"tree\", \"cgroup\", \"unit\" and "
			"\"all\": true, or \"selectors\"");
		return -EINVAL;
	}
	if (value && streq(kind, "pid"))
		r = pids_take(q, t, value, &ret->whom,
			      json_is_true(json_object_get(body, "partial")) ? skipped : NULL);
	else if (value && streq(kind, "tree"))
		r = tree_take(q, value, json_is_true(json_object_get(body, "child")), ret);
	else if (value)
		r = cgroup_take_named(q, kind, json_string_value(value), &ret->whom.cgroup);
	if (r < 0 || !list || json_is_null(list))
		return r;
	r = selectors_take(q, t, list, &ret->whom);
	return r < 0 || !value || streq(kind, "pid") ? r : without_pids(q, kind, &ret->whom);
}
