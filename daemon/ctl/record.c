/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>

#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "ctl/record_states.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/parse.h"

#define MAX_PIDS 64
/*
 * How often plopd is asked how far it is, and how often at least the profile so far is fetched in case plopd goes away: first after
 * a second, then after twice as long each time.
 */
#define POLL_MS     200
#define INSURANCE_S 10
/* How often and how many times plopd is asked whether a recording that was stopped has ended. */
#define STOP_MS    5
#define STOP_TRIES 1000

/* Options without a letter. */
enum {
	OPTION_ASYNC = 256,
};

struct record_options {
	struct ctl *ctl;
	pid_t pids[MAX_PIDS];
	unsigned int npids;
	bool all, wall, tasks;
	const char *cgroup, *unit;
	uint64_t duration_ns, hz;
	const char *format, *output, *group_by;
	struct labels labels;
	int error; /* exit status of an option that was refused */
};

/* A recording under way. */
struct recording {
	struct ctl *ctl;
	const struct format *format;
	const char *group_by; /* or NULL */
	struct ctl_output output;
	char *path;               /* "/v1/recordings/r1", owned */
	json_t *state;            /* the last that plopd said of it, owned */
	struct ctl_answer so_far; /* the profile as of the last time that it was fetched */
	struct ctl_answer
		refused; /* why plopd did not give it, when it was last asked; status 0: it never was */
	int signals;     /* signalfd of SIGINT, SIGTERM, SIGHUP */
	bool stopped, wall;
};

static void recording_done(struct recording *r)
{
	ctl_output_done(&r->output);
	free(r->path);
	json_decref(r->state);
	ctl_answer_done(&r->so_far);
	ctl_answer_done(&r->refused);
	if (r->signals >= 0)
		close(r->signals);
}

static int add_pid(struct record_options *o, const char *value)
{
	uint64_t pid;

	/* The kernel's PID_MAX_LIMIT on 64-bit machines. */
	if (parse_u64(value, 1, 4194304, &pid) < 0)
		return ctl_usage("record", "-p %.32s: must be a process id", value);
	if (o->npids == MAX_PIDS)
		return ctl_usage("record", "-p: at most %d processes; -a records all", MAX_PIDS);
	o->pids[o->npids++] = (pid_t)pid;
	return CTL_DONE;
}

static int add_label(struct record_options *o, const char *text)
{
	const char *equals = strchr(text, '=');
	_cleanup_free_ char *key = strndup(text, equals ? (size_t)(equals - text) : 0);
	int r;

	if (!equals)
		return ctl_usage("record", "-l %.64s: must be KEY=VALUE", text);
	r = key ? labels_add(&o->labels, key, equals + 1) : -ENOMEM;
	if (r == -EEXIST)
		return ctl_usage("record", "-l %.64s=%.64s and -l %.330s exclude each other", key,
				 labels_get(&o->labels, key), text);
	if (r == -E2BIG)
		return ctl_usage("record", "-l: at most %d labels", LABELS_MAX);
	if (r == -EINVAL)
		return ctl_usage("record", "-l %.64s: %s", text, labels_rules());
	if (r < 0) {
		log_error("record: out of memory");
		return CTL_FAILED;
	}
	return CTL_DONE;
}

static int take_option(struct record_options *o, int key, const char *value)
{
	switch (key) {
	case 'p':
		return add_pid(o, value);
	case 'd':
		if (parse_duration(value, &o->duration_ns) < 0 ||
		    o->duration_ns < 100 * NSEC_PER_MSEC ||
		    o->duration_ns > 24 * 3600 * NSEC_PER_SEC)
			return ctl_usage("record",
					 "-d %.32s: must be a duration from 100ms to 24h, such as "
					 "30s or 1h30m",
					 value);
		return CTL_DONE;
	case 'F':
		if (parse_u64(value, 1, 10000, &o->hz) < 0)
			return ctl_usage("record", "-F %.32s: must be a rate from 1 to 10000",
					 value);
		return CTL_DONE;
	case 'c':
	case 'u':
		if (o->cgroup || o->unit)
			return ctl_usage("record",
					 "-%c %.128s: one control group or unit at a time", key,
					 value);
		*(key == 'c' ? &o->cgroup : &o->unit) = value;
		return CTL_DONE;
	case 'l':
		return add_label(o, value);
	case 'g':
		o->group_by = value;
		return ctl_group_by("record", value);
	default:
		return ctl_usage("record", "%.64s: unexpected argument", value);
	}
}

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct record_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o->ctl;
		return 0;
	case 'a':
		o->all = true;
		return 0;
	case 'f':
		o->format = value;
		return 0;
	case 'o':
		o->output = value;
		return 0;
	case 'w':
		o->wall = true;
		return 0;
	case OPTION_ASYNC:
		o->tasks = true;
		return 0;
	case 'p':
	case 'c':
	case 'u':
	case 'd':
	case 'F':
	case 'g':
	case 'l':
	case ARGP_KEY_ARG:
		if (o->error == CTL_DONE)
			o->error = take_option(o, key, value);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What of a cgroup's path or a unit's name can be part of a file name: its last part, other characters as "-". */
static void name_part(const char *name, char *buffer, size_t size)
{
	const char *end = name + strlen(name), *start;
	size_t n;

	while (end > name && end[-1] == '/')
		end--;
	for (start = end; start > name && start[-1] != '/'; start--)
		;
	n = MIN((size_t)(end - start), size - 1);
	memcpy(buffer, start, n);
	buffer[n] = '\0';
	for (char *c = buffer; *c; c++) {
		if (*c <= ' ' || *c == '\\' || *c == 0x7f)
			*c = '-';
	}
}

/* plop-PID-YYYYmmdd-HHMMSS.EXTENSION */
static int default_name(const struct record_options *o, const struct format *f, char *buffer,
			size_t size)
{
	char stamp[32], who[64] = "all";
	time_t now = time(NULL);
	struct tm tm;

	if (o->npids == 1)
		snprintf(who, sizeof(who), "%d", (int)o->pids[0]);
	else if (o->npids > 1)
		snprintf(who, sizeof(who), "%u-processes", o->npids);
	else if (!o->all)
		name_part(o->cgroup ? o->cgroup : o->unit, who, sizeof(who));
	if (!localtime_r(&now, &tm) || strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm) == 0)
		return -EINVAL;
	snprintf(buffer, size, "plop-%s-%s.%s", who, stamp, f->extension);
	return 0;
}

static char *request_body(const struct record_options *o)
{
	json_t *body = json_pack("{s:f}", "duration_s", (double)o->duration_ns / 1e9);
	json_t *pids = json_array(), *labels = json_object();
	char *text;

	for (unsigned int i = 0; i < o->npids; i++)
		json_array_append_new(pids, json_integer(o->pids[i]));
	if (o->npids)
		json_object_set(body, "pid", pids);
	else if (o->cgroup)
		json_object_set_new(body, "cgroup", json_string(o->cgroup));
	else if (o->unit)
		json_object_set_new(body, "unit", json_string(o->unit));
	else
		json_object_set_new(body, "all", json_true());
	json_decref(pids);
	if (o->wall)
		json_object_set_new(body, "wall", json_true());
	if (o->tasks)
		json_object_set_new(body, "async", json_true());
	if (o->hz)
		json_object_set_new(body, "hz", json_integer((json_int_t)o->hz));
	for (size_t i = 0; i < o->labels.n; i++)
		json_object_set_new(labels, o->labels.items[i].key,
				    json_string(o->labels.items[i].value));
	if (o->labels.n)
		json_object_set(body, "labels", labels);
	json_decref(labels);
	text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	return text;
}

static int begin(const struct record_options *o, struct recording *rec)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *body = request_body(o);
	const char *id;
	int r;

	if (!body) {
		log_error("record: out of memory");
		return CTL_FAILED;
	}
	r = ctl_request(o->ctl, "record", "POST", "/v1/recordings", body, 30, &a);
	if (r != CTL_DONE)
		return r;
	rec->state = ctl_answer_json(&a, "record");
	id = json_string_at(rec->state, "id");
	if (!*id || strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(id) ||
	    asprintf(&rec->path, "/v1/recordings/%s", id) < 0) {
		rec->path = NULL;
		log_error("record: plopd did not say the recording's id");
		return CTL_FAILED;
	}
	return CTL_DONE;
}

/* 0: the state is fresh; else as ctl_exchange(), or -ENODATA: plopd knows the recording no more. */
static int refresh(struct recording *rec)
{
	_cleanup_answer_ struct ctl_answer a = {};
	json_t *state;
	int r;

	r = ctl_exchange(rec->ctl, "GET", rec->path, NULL, 30, &a);
	if (r < 0)
		return r;
	if (a.status != 200)
		return -ENODATA;
	state = json_loadb(a.body.data, a.body.size, 0, NULL);
	if (!json_is_object(state)) {
		json_decref(state);
		return -EBADMSG;
	}
	json_decref(rec->state);
	rec->state = state;
	return 0;
}

static int fetch(struct recording *rec)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *path = NULL;
	int r;

	if (asprintf(&path, "%s?format=%s%s%s", rec->path, rec->format->name,
		     rec->group_by ? "&group_by=" : "", rec->group_by ? rec->group_by : "") < 0)
		return -ENOMEM;
	r = ctl_exchange(rec->ctl, "GET", path, NULL, 300, &a);
	if (r < 0)
		return r;
	if (a.status != 200) {
		ctl_answer_done(&rec->refused);
		rec->refused = a;
		a = (struct ctl_answer){};
		return -ENODATA;
	}
	ctl_answer_done(&rec->so_far);
	rec->so_far = a;
	a = (struct ctl_answer){};
	return 0;
}

/* For the second Ctrl-C: what must not stay behind. */
static const char *volatile unfinished;

static void on_second_signal(int number)
{
	if (unfinished)
		unlink(unfinished);
	_exit(128 + number);
}

/* The first Ctrl-C ends the recording, one more ends plopctl. */
static int stop(struct recording *rec)
{
	_cleanup_answer_ struct ctl_answer a = {};
	struct sigaction action = { .sa_handler = on_second_signal };
	struct signalfd_siginfo info;
	sigset_t signals;
	int r;

	rec->stopped = true;
	r = ctl_exchange(rec->ctl, "DELETE", rec->path, NULL, 30, &a);
	/* timeout(1) and some shells send the same signal twice at once: that is one. */
	while (read(rec->signals, &info, sizeof(info)) > 0)
		;
	unfinished = rec->output.temporary;
	sigaction(SIGINT, &action, NULL);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
	/* It ends with plopd's next look at the samples, and is not whole before. */
	for (int i = 0; r >= 0 && i < STOP_TRIES; i++) {
		r = refresh(rec);
		if (r < 0 || streq(json_string_at(rec->state, "state"), "done"))
			break;
		poll(NULL, 0, STOP_MS);
	}
	return r;
}

/* How long to wait before plopd is asked again: less and less towards the end. */
static int poll_ms(const struct recording *rec)
{
	double left =
		json_number_at(rec->state, "duration_s") - json_number_at(rec->state, "elapsed_s");

	return left * 1000 > POLL_MS ? POLL_MS : left > 0 ? (int)(left * 1000) + STOP_MS : STOP_MS;
}

/* Follows the recording to its end. 0, or why plopd could not be asked any more. */
static int follow(struct recording *rec, struct progress *progress)
{
	struct pollfd p = { .fd = rec->signals, .events = POLLIN };
	uint64_t insured = clock_ns(CLOCK_MONOTONIC), wait = NSEC_PER_SEC;
	int r = 0;

	while (r >= 0 && !streq(json_string_at(rec->state, "state"), "done")) {
		progress_show(progress, rec->state);
		if (poll(&p, 1, poll_ms(rec)) > 0)
			return stop(rec);
		r = refresh(rec);
		if (r >= 0 && clock_ns(CLOCK_MONOTONIC) > insured + wait) {
			r = fetch(rec);
			/* one that is too large to be given is still under way */
			if (r == -ENODATA && rec->refused.status >= 400)
				r = 0;
			insured = clock_ns(CLOCK_MONOTONIC);
			wait = MIN(2 * wait, INSURANCE_S * NSEC_PER_SEC);
		}
	}
	return r;
}

static void summarize(const struct recording *rec)
{
	uint64_t samples = (uint64_t)json_number_at(rec->state, "samples");
	char number[32], lost[256];

	text_number(samples, number, sizeof(number));
	text_lost(json_object_get(rec->state, "lost"), lost, sizeof(lost));
	log_info("%s samples in %.1f s, lost %s", number, json_number_at(rec->state, "elapsed_s"),
		 lost);
	if (rec->stopped)
		log_info("stopped early");
	else if (streq(json_string_at(rec->state, "reason"), "target ended"))
		log_info("ended early: the process ended");
	else if (streq(json_string_at(rec->state, "reason"), "too large"))
		log_info("ended early: it holds more different stacks than plopd keeps in memory");
	record_states(rec->state, rec->wall);
	if (json_is_true(json_object_get(rec->state, "async")) &&
	    json_is_false(json_object_get(rec->state, "async_possible")))
		log_info("no tasks: --async is for CPython 3.11 to 3.15, and without the GIL 3.13");
	log_info("written to %s (%s)", ctl_output_name(&rec->output), rec->format->name);
	ctl_output_hint(&rec->output, rec->format);
}

static int finish(struct recording *rec, int lost)
{
	_cleanup_answer_ struct ctl_answer a = {};
	int r = lost;

	if (r >= 0)
		r = fetch(rec);
	if (r == -ENODATA && rec->refused.status >= 400)
		return ctl_complain(rec->ctl, "record: the result is not written", 0,
				    &rec->refused);
	if (r < 0) {
		ctl_complain(rec->ctl, "record: plopd went away", r == -ENODATA ? -ECONNRESET : r,
			     NULL);
		if (rec->so_far.status != 200) {
			log_error("nothing had been received until then, and nothing is written");
			return CTL_FAILED;
		}
		if (ctl_output_write(&rec->output, rec->so_far.body.data, rec->so_far.body.size) ==
		    CTL_DONE)
			log_error("%s holds what had been received until then",
				  ctl_output_name(&rec->output));
		return CTL_FAILED;
	}
	r = ctl_output_write(&rec->output, rec->so_far.body.data, rec->so_far.body.size);
	unfinished = rec->output.temporary;
	if (r != CTL_DONE)
		return r;
	summarize(rec);
	/* The result is here: plopd need not keep it. It forgets by itself, too. */
	ctl_exchange(rec->ctl, "DELETE", rec->path, NULL, 5, &a);
	return CTL_DONE;
}

static int catch_signals(struct recording *rec)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	rec->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return rec->signals < 0 ? -errno : 0;
}

static int run(struct record_options *o, struct recording *rec)
{
	int r, targets = o->all + (o->npids > 0) + (o->cgroup != NULL) + (o->unit != NULL);
	struct progress progress;
	char name[160];

	if (o->error != CTL_DONE)
		return o->error;
	if (targets == 0)
		return ctl_usage("record", "what to record is missing: -p PID, -c CGROUP, -u UNIT, "
					   "or -a for every Python process");
	if (targets > 1)
		return ctl_usage("record", "-p, -c, -u and -a exclude each other");
	rec->wall = o->wall;
	rec->format = ctl_format("record", o->format, o->output);
	if (!rec->format)
		return CTL_USAGE;
	if (!o->output && default_name(o, rec->format, name, sizeof(name)) < 0)
		return ctl_usage("record", "the time of day is not known: say -o FILE");
	r = ctl_output_open(o->output ? o->output : name, rec->format, &rec->output);
	if (r == CTL_DONE)
		r = ctl_configure(o->ctl);
	if (r != CTL_DONE)
		return r;
	r = catch_signals(rec);
	if (r < 0) {
		log_error_r(r, "record: cannot catch signals");
		return CTL_FAILED;
	}
	r = begin(o, rec);
	if (r != CTL_DONE)
		return r;
	progress_begin(&progress);
	r = follow(rec, &progress);
	progress_end(&progress);
	return finish(rec, r);
}

int ctl_record(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "pid", 'p', "PID", 0, "Record this process; may be repeated", 1 },
		{ "all", 'a', NULL, 0, "Record every Python process of the host", 1 },
		{ "cgroup", 'c', "CGROUP", 0,
		  "Record a control group, all below it, and who joins later", 1 },
		{ "unit", 'u', "UNIT", 0, "Record a systemd service or slice, likewise", 1 },
		{ "duration", 'd', "TIME", 0, "For how long: 500ms, 30s (default), 5m, 1h30m", 2 },
		{ "frequency", 'F', "HZ", 0,
		  "Samples a second on each CPU, 1 to 10000, for this recording alone; default "
		  "plopd's own rate",
		  2 },
		{ "wall", 'w', NULL, 0, "Record time off CPU as well: waiting for what, how long",
		  2 },
		{ "async", OPTION_ASYNC, NULL, 0,
		  "Show asyncio tasks: the name of the one that ran, and the tasks and coroutines "
		  "that await it",
		  2 },
		{ "label", 'l', "KEY=VALUE", 0,
		  "Note this in the profile, which has it as a label; may be repeated", 3 },
		{ "group-by", 'g', "KEYS", 0,
		  "Put a frame KEY=VALUE before each stack, by keys such as service,thread_name",
		  3 },
		{ "format", 'f', "FORMAT", 0, "pprof, collapsed, speedscope, plop or json", 3 },
		{ "output", 'o', "FILE", 0,
		  "Write there, default plop-PID-DATE.EXTENSION; - is stdout", 3 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.doc = "Record where processes spend their CPU time, from now on, without touching "
		       "them.\v"
		       "Ctrl-C ends the recording early and keeps what there is. Root and members "
		       "of group plop may record any process, others their own.\n\n" CTL_FORMAT_RULE
		       "\n\nExamples:\n"
		       "  plopctl record -p 4711\n"
		       "  plopctl record -p 4711 -d 10s -o - | sort -k2 -n | tail\n"
		       "  plopctl record -u gunicorn.service -F 999 -d 10s\n"
		       "  plopctl record -c /system.slice/docker.service -l build=1742\n"
		       "  plopctl record -p 4711 --async -o tasks.collapsed\n"
		       "  plopctl record -a -d 1m -o host.speedscope.json",
	};
	struct record_options o = { .ctl = ctl, .duration_ns = 30 * NSEC_PER_SEC };
	struct recording rec = { .ctl = ctl, .output = { .fd = -EBADF }, .signals = -EBADF };
	int r;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	rec.group_by = o.group_by;
	r = run(&o, &rec);
	labels_done(&o.labels);
	recording_done(&rec);
	return r;
}
