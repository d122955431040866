/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <sys/stat.h>

#include "plopd/access.h"
#include "python/versions.h"
#include "record/recordings.h"
#include "target/shares.h"

/* What is asked for a peer and nothing else. */
static struct selectors whom_of(const struct api_peer *peer)
{
	struct selectors s = {};

	api_limit(peer, &s);
	return s;
}

bool access_pid(const struct api_peer *peer, pid_t pid)
{
	const struct selectors whom = whom_of(peer);
	char path[32];
	struct stat st;
	uid_t owner;

	if (peer->trusted)
		return api_sees_all(peer);
	/* cheap, and wrong only for what has another owner yet: see process_owner() */
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (pid <= 0 || stat(path, &st) < 0 || st.st_uid != peer->uid)
		return false;
	return process_owner(pid, &owner) == 0 && selectors_see(&whom, owner, NULL);
}

bool access_process(const struct api_peer *peer, const struct target *k)
{
	const struct selectors whom = whom_of(peer);

	return selectors_see(&whom, k->info.uid, k->info.service) &&
	       (peer->trusted || access_pid(peer, k->info.pid));
}

_printf_(4, 5) static void refuse(struct refusal *r, unsigned int status, const char *hint,
				  const char *format, ...)
{
	va_list ap;

	r->status = status;
	r->hint = hint;
	va_start(ap, format);
	vsnprintf(r->error, sizeof(r->error), format, ap);
	va_end(ap);
}

/* What else it is: who asks may know of it. */
static void refuse_other(struct refusal *r, json_int_t pid)
{
	static const char hint[] = "plopctl ps lists the Python processes";
	struct process_info info = {};

	if (process_info_brief((pid_t)pid, 0, &info) == 0 && *info.comm)
		refuse(r, 422, hint, "process %lld is not Python (it is %s)", (long long)pid,
		       info.comm);
	else
		refuse(r, 422, hint, "process %lld is not Python", (long long)pid);
	process_info_done(&info);
}

/* Static. */
static const char *hint_of_versions(void)
{
	static char hint[PYTHON_VERSIONS_TEXT_MAX + 64];
	char known[PYTHON_VERSIONS_TEXT_MAX];

	snprintf(hint, sizeof(hint), "plop knows CPython %s; see plopctl ps",
		 python_versions_text(PYTHON_CAN_PROFILE, known));
	return hint;
}

/* Why a target is not profiled. */
static void refuse_python(struct refusal *r, const struct target *k, json_int_t pid)
{
	if (k && k->python.verdict == PYTHON_PYPY)
		refuse(r, 422, "plop walks the frames of CPython only", "process %lld is PyPy",
		       (long long)pid);
	else if (k && k->python.verdict == PYTHON_SILENT)
		refuse(r, 503,
		       "its memory or files may lie in a file system that does not answer; "
		       "plopctl ps tells of it",
		       "process %lld does not let itself be read", (long long)pid);
	else if (k)
		refuse(r, 422, hint_of_versions(), "process %lld: %s", (long long)pid,
		       k->python.why);
	else
		refuse_other(r, pid);
}

static bool is_there(json_int_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%lld", (long long)pid);
	return pid > 0 && pid <= INT32_MAX && access(path, F_OK) == 0;
}

/* One that is another's, or not there: which of them is told to those who see all. */
static void refuse_hidden(const struct api_peer *peer, struct refusal *r, json_int_t pid)
{
	if (api_sees_all(peer))
		refuse(r, 404, "plopctl ps lists the Python processes", "there is no process %lld",
		       (long long)pid);
	else if (peer->trusted)
		refuse(r, 403, "the list of processes has those that this token is for",
		       "process %lld is not of the token's service, or not there", (long long)pid);
	else
		refuse(r, 403,
		       "plopctl ps lists yours; root and members of group plop may ask for any "
		       "process",
		       "process %lld is not yours, or not there", (long long)pid);
}

struct target *access_look(const struct api_peer *peer, struct targets *t, json_int_t pid,
			   struct refusal *ret)
{
	bool valid = pid > 0 && pid <= INT32_MAX;
	struct target *k = valid ? targets_find_pid(t, (pid_t)pid) : NULL;

	if (!api_sees_all(peer) &&
	    !(valid && (k ? access_process(peer, k) : access_pid(peer, (pid_t)pid)))) {
		refuse_hidden(peer, ret, pid);
	} else if (!is_there(pid)) {
		/* the peer's own, a moment ago */
		refuse(ret, 404, "plopctl ps lists the Python processes",
		       "there is no process %lld", (long long)pid);
	} else if (k && k->python.verdict == PYTHON_YES) {
		return k;
	} else {
		refuse_python(ret, k, pid);
	}
	return NULL;
}

bool access_any(const struct api_peer *peer, json_int_t pid, struct refusal *ret)
{
	if (is_there(pid) && access_pid(peer, (pid_t)pid))
		return true;
	refuse_hidden(peer, ret, pid);
	return false;
}

struct target *access_find(const struct api_request *q, struct targets *t, json_int_t pid)
{
	struct refusal r;
	struct target *k = access_look(&q->peer, t, pid, &r);

	if (!k)
		api_reply_error(q->call, r.status, r.hint, "%s", r.error);
	return k;
}

static int is_peers(pid_t pid, void *ctx)
{
	return access_pid(ctx, pid);
}

bool access_cgroup(const struct api_peer *peer, const struct cgroup *c)
{
	struct api_peer copy = *peer;

	return api_sees_all(peer) || cgroup_each(c, is_peers, &copy) > 0;
}

/* Somebody who sees the same made it: for a user, one of the user's sub-uids as well. */
static bool counts_for(const struct shares *s, const struct api_peer *peer,
		       const struct recording *recording)
{
	const struct selectors whom = whom_of(peer), *other = &recording->whom.selectors;

	return selectors_are_for_the_same(&whom, other) ||
	       (!*whom.service && !*other->service && other->owned &&
		shares_user(s, whom.uid) == shares_user(s, other->uid));
}

bool access_recording(const struct api_peer *peer, const struct recording *recording)
{
	const struct selectors whom = whom_of(peer);

	return !whom.owned || (selectors_are_for_the_same(&whom, &recording->whom.selectors) &&
			       (*whom.service || whom.uid != PROCESS_NO_UID));
}

int access_record(const struct api_request *q, struct recordings *all)
{
	struct recording *oldest = NULL;
	unsigned int n = 0;

	if (!scope_lets(&q->peer.scope, NEEDS_RECORD)) {
		api_reply_error(q->call, 403, "what was sampled before is had by last=SECONDS",
				"this token is to look, and not to record");
		return -EACCES;
	}
	if (api_sees_all(&q->peer))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(all->items); i++) {
		struct recording *recording = all->items[i];

		if (!recording || !counts_for(all->targets->shares, &q->peer, recording))
			continue;
		n++;
		if (recording->state == RECORDING_DONE &&
		    (!oldest || recording->keep_until < oldest->keep_until))
			oldest = recording;
	}
	if (n < ACCESS_RECORDINGS_MAX)
		return 0;
	if (oldest) {
		recording_drop(oldest);
		return 0;
	}
	api_reply_error(q->call, 429, "wait until one ends",
			"%u recordings of yours run already, and one user may have %d", n,
			ACCESS_RECORDINGS_MAX);
	return -EBUSY;
}
