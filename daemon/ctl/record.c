/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <inttypes.h>
#include <poll.h>
#include <time.h>

#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "ctl/record.h"
#include "ctl/record_reason.h"
#include "ctl/record_states.h"
#include "ctl/select.h"
#include "ctl/suggest.h"
#include "python/versions.h"
#include "store/recordings.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/parse.h"

/*
 * How often plopd is asked how far it is, and how often at least the profile so far is fetched in
 * case plopd goes away: first after a second, then after twice as long each time.
 */
#define LONGEST          (24 * 3600 * NSEC_PER_SEC)
#define DEFAULT_DURATION (30 * NSEC_PER_SEC)
#define POLL_MS          200
#define LAST_MS          5
#define INSURANCE_S      10
/* How often, and how soon, a plopd that has too much to do is asked again for the result. */
#define BUSY_TRIES 20
#define BUSY_MS    500

/* Options without a letter. */
enum {
	OPTION_ASYNC = 256,
	OPTION_NAME,
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
	pid_t pid;
	int r = ctl_pid("record", value, &pid);

	if (r != CTL_DONE)
		return r;
	if (o->npids == RECORD_MAX_PIDS)
		return ctl_usage("record", "-p: at most %d processes; -a records all",
				 RECORD_MAX_PIDS);
	o->pids[o->npids++] = pid;
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

/* A process by its number alone, or a selector; pid=N is the former, as it is to be there. */
static int add_argument(struct record_options *o, const char *value)
{
	int r;

	if (strncmp(value, "pid=", 4) == 0)
		return add_pid(o, value + 4);
	if (*value && value[strspn(value, "0123456789")] == '\0')
		return add_pid(o, value);
	r = ctl_selector_add("record", &o->selectors, value);
	if (r == CTL_USAGE && !strchr(value, '='))
		log_error("to start a program: plopctl record -- %.64s", value);
	return r;
}

static int take_option(struct record_options *o, int key, const char *value)
{
	switch (key) {
	case 'p':
		return add_pid(o, value);
	case 'd':
		if (parse_duration(value, &o->duration_ns) < 0 ||
		    o->duration_ns < 100 * NSEC_PER_MSEC || o->duration_ns > LONGEST)
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
		return ctl_cgroup_name("record", value, key == 'u');
	case 'l':
		return add_label(o, value);
	case 'g':
		o->group_by = value;
		return ctl_group_by("record", value);
	default:
		return add_argument(o, value);
	}
}

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct record_options *o = state->input;

	/* behind "--" nothing is record's */
	if (key == ARGP_KEY_ARG && state->quoted && state->next > state->quoted) {
		o->command = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	}
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
		o->off_cpu = true;
		return 0;
	case OPTION_ASYNC:
		o->tasks = true;
		return 0;
	case OPTION_NAME:
		o->name = value;
		return 0;
	case 'm':
		o->why = value;
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
		if (o->error != CTL_DONE)
			state->next = state->argc;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/*
 * What of a cgroup's path or a unit's name can be part of a file name: its last part, other
 * characters as "-".
 */
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
		name_part(o->command ? o->command[0] :
			  o->cgroup  ? o->cgroup :
			  o->unit    ? o->unit :
				       o->selectors.items[0].value,
			  who, sizeof(who));
	if (!localtime_r(&now, &tm) || strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm) == 0)
		return -EINVAL;
	snprintf(buffer, size, "plop-%s-%s.%s", who, stamp, f->extension);
	return 0;
}

static int fetch(struct recording *rec)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *path = NULL;
	int r;

	path = record_result_path(rec, rec->format->name, rec->group_by);
	if (!path)
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

/* How long to wait before plopd is asked again: less and less towards the end. */
static int poll_ms(const struct recording *rec)
{
	double left =
		json_number_at(rec->state, "duration_s") - json_number_at(rec->state, "elapsed_s");

	return left * 1000 > POLL_MS ? POLL_MS : left > 0 ? (int)(left * 1000) + LAST_MS : LAST_MS;
}

/* Follows the recording to its end. 0, or why plopd could not be asked any more. */
static int follow(struct recording *rec, struct progress *progress)
{
	struct pollfd p = { .fd = rec->signals, .events = POLLIN };
	uint64_t insured = clock_ns(CLOCK_MONOTONIC), wait = NSEC_PER_SEC;
	int r = 0;

	while (r >= 0 && !streq(json_string_at(rec->state, "state"), "done")) {
		progress_show(progress, rec->state);
		if (poll(&p, 1, poll_ms(rec)) > 0 &&
		    (!rec->command.argv || command_signals(&rec->command, rec->signals)))
			return record_stop(rec);
		r = record_refresh(rec);
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
	const char *reason = json_string_at(rec->state, "reason"), *said;
	const char *note = json_string_at(rec->state, "rate_note");
	char rate[512], early[128], number[32], lost[256], with[PYTHON_VERSIONS_TEXT_MAX],
		without[PYTHON_VERSIONS_TEXT_MAX];

	text_number(samples, number, sizeof(number));
	text_lost(json_object_get(rec->state, "lost"), lost, sizeof(lost));
	log_info("%s samples in %.1f s, lost %s%s%s", number,
		 json_number_at(rec->state, "elapsed_s"), lost, *note ? "; " : "",
		 text_cell(note, 400, false, rate, sizeof(rate)));
	said = record_reason(reason, early, sizeof(early));
	/* with a program that plopctl starts it ends as it is to */
	if (rec->stopped && !rec->command.argv)
		log_info("stopped early");
	else if (said && !(rec->command.argv && streq(reason, "target ended")))
		log_info("%s", said);
	record_states(rec->state, rec->off_cpu);
	if (json_is_true(json_object_get(rec->state, "async")) &&
	    json_is_false(json_object_get(rec->state, "async_possible")))
		log_info("no tasks: --async is for CPython %s, and without the GIL %s",
			 python_versions_text(PYTHON_CAN_SHOW_TASKS, with),
			 python_versions_text(PYTHON_CAN_SHOW_TASKS_FREE_THREADED, without));
	hottest_show(rec);
	log_info("written to %s (%s)", ctl_output_name(&rec->output), rec->format->name);
	ctl_output_hint(&rec->output, rec->format);
}

/* The result, as soon as plopd has time to write it: it keeps that for some minutes. */
static int fetch_result(struct recording *rec)
{
	int r = fetch(rec);

	for (int i = 0; i < BUSY_TRIES && r == -ENODATA && rec->refused.status == 503; i++) {
		usleep(BUSY_MS * 1000);
		r = fetch(rec);
	}
	return r;
}

/* Whether it is kept, if it was to be. An exit status. */
static int tell_kept(const struct recording *rec)
{
	const char *why = json_string_at(rec->state, "not_kept");
	char text[512];

	if (!rec->name)
		return CTL_DONE;
	if (json_is_true(json_object_get(rec->state, "kept"))) {
		log_info("kept as %s", text_cell(rec->name, 128, false, text, sizeof(text)));
		return CTL_DONE;
	}
	log_error("record: plopd does not keep it: %s",
		  *why ? text_cell(why, 400, false, text, sizeof(text)) : "it keeps none");
	return CTL_FAILED;
}

static int finish(struct recording *rec, int lost)
{
	_cleanup_answer_ struct ctl_answer a = {};
	int r = lost;

	if (r >= 0)
		r = fetch_result(rec);
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
	record_writes(rec);
	r = ctl_output_write(&rec->output, rec->so_far.body.data, rec->so_far.body.size);
	record_wrote();
	if (r != CTL_DONE)
		return r;
	summarize(rec);
	if (rec->name)
		return tell_kept(rec);
	/* The result is here: plopd need not keep it. It forgets by itself, too. */
	ctl_exchange(rec->ctl, "DELETE", rec->path, NULL, 5, &a);
	return CTL_DONE;
}

/* Begins, follows and ends it. The exit status of that alone. */
static int record(const struct record_options *o, struct recording *rec)
{
	struct progress progress = {};
	int r;

	r = record_begin(o, rec);
	if (r != CTL_DONE)
		return r;
	if (rec->command.argv) {
		r = command_release(&rec->command, rec);
		if (r != CTL_DONE) {
			record_stop(rec);
			return r;
		}
	} else {
		/* a program that plopctl starts has the terminal for itself */
		progress_begin(&progress);
	}
	r = follow(rec, &progress);
	progress_end(&progress);
	return finish(rec, r);
}

/* A program, which is there before the recording begins, and executed when it runs. */
static int record_command(const struct record_options *o, struct recording *rec)
{
	int r = command_hold(&rec->command);

	if (r < 0) {
		log_error_r(r, "record: cannot start %.256s", o->command[0]);
		return CTL_FAILED;
	}
	r = record(o, rec);
	/* it was never begun */
	if (rec->command.hold >= 0 || rec->command.failed) {
		command_abandon(&rec->command);
		return r;
	}
	command_wait(&rec->command, rec->signals);
	return command_status(&rec->command, r);
}

/* That they say one thing, and enough. */
static int check_options(const struct record_options *o)
{
	int targets = o->all + (o->npids > 0) + (o->cgroup != NULL) + (o->unit != NULL) +
		      (o->command != NULL);

	if (targets == 0 && o->selectors.n == 0)
		return ctl_usage("record", "what to record is missing: -p PID, -c CGROUP, -u UNIT, "
					   "a selector such as service=NAME, -a for every Python "
					   "process, or -- COMMAND");
	if (o->name &&
	    (!*o->name || strlen(o->name) > RECORDING_NAME_MAX || !label_value_valid(o->name)))
		return ctl_usage("record",
				 "--name %.64s: must have 1 to %d bytes of UTF-8 without control "
				 "characters",
				 o->name, RECORDING_NAME_MAX);
	if (o->why && (strlen(o->why) > LABEL_VALUE_MAX || !label_value_valid(o->why)))
		return ctl_usage("record",
				 "-m: must have at most %d bytes of UTF-8 without control "
				 "characters",
				 LABEL_VALUE_MAX);
	if (targets > 1)
		return ctl_usage("record", "-p, -c, -u, -a and -- COMMAND exclude each other");
	if (o->command && o->output && (streq(o->output, "-") || streq(o->output, "/dev/stdout")))
		return ctl_usage("record", "-o %s: %.64s has stdout for itself; say -o FILE",
				 o->output, o->command[0]);
	return CTL_DONE;
}

static int run(struct record_options *o, struct recording *rec)
{
	int r = o->error;
	char name[160];

	if (r == CTL_DONE)
		r = check_options(o);
	if (r != CTL_DONE)
		return r;
	rec->off_cpu = o->off_cpu;
	rec->name = o->name;
	rec->command.argv = o->command;
	if (!o->duration_ns)
		o->duration_ns = o->command ? LONGEST : DEFAULT_DURATION;
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
	r = record_catch_signals(rec);
	if (r < 0) {
		log_error_r(r, "record: cannot catch signals");
		return CTL_FAILED;
	}
	return o->command ? record_command(o, rec) : record(o, rec);
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
		{ "name", OPTION_NAME, "NAME", 0,
		  "Have plopd keep it as well, by that name: see plopctl recordings", 3 },
		{ "message", 'm', "TEXT", 0, "What it is for, which plopd's log then says", 3 },
		{ "group-by", 'g', "KEYS", 0,
		  "Put a frame KEY=VALUE before each stack, by keys such as service,thread_name",
		  3 },
		{ "format", 'f', "FORMAT", 0,
		  "pprof, collapsed, speedscope, plop, json, tree, svg, html or top", 3 },
		{ "output", 'o', "FILE", 0,
		  "Write there, default plop-PID-DATE.EXTENSION; - is stdout", 3 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.args_doc = "[SELECTOR]...\n-- COMMAND [ARG]...",
		.doc = "Record where processes spend their CPU time, from now on, without touching "
		       "them.\v"
		       "Ctrl-C ends the recording early and keeps what there is. Root and members "
		       "of group plop may record any process, others their own.\n\n" CTL_FORMAT_RULE
		       "\n\nSELECTOR is KEY=VALUE; KEY is one of pid, comm, exe, cgroup, unit, "
		       "container, service, version, thread, thread_name, state, gil, label.NAME. "
		       "Several values of one key add up, several keys narrow. A number alone is "
		       "a PID.\n\n"
		       "COMMAND is started, and recorded with all its children from its start to "
		       "its end; signals are passed on to it, and its exit status is that of "
		       "plopctl.\n\n"
		       "Examples:\n"
		       "  plopctl record 4711\n"
		       "  plopctl record -o app.pb.gz -- python3 app.py --port 8000\n"
		       "  plopctl record service=shop version=1742\n"
		       "  plopctl record -p 4711 -d 10s -o - | sort -k2 -n | tail\n"
		       "  plopctl record -u gunicorn.service -F 999 -d 10s\n"
		       "  plopctl record -c /system.slice/docker.service -l build=1742\n"
		       "  plopctl record -p 4711 --async -o tasks.collapsed\n"
		       "  plopctl record -a -d 1m -o host.speedscope.json",
	};
	struct record_options o = { .ctl = ctl };
	struct recording rec = { .ctl = ctl,
				 .selectors = &o.selectors,
				 .output = { .fd = -EBADF },
				 .signals = -EBADF,
				 .command = { .hold = -EBADF, .failure = -EBADF } };
	int r;

	/* in their order: what stands behind "--" is the program's, whatever stands before it */
	ctl_parse("record", &argp, ARGP_IN_ORDER, argc, argv, &o);
	rec.group_by = o.group_by;
	r = run(&o, &rec);
	labels_done(&o.labels);
	selectors_done(&o.selectors);
	recording_done(&rec);
	return r;
}
