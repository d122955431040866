/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "ctl/ctl.h"
#include "ctl/select.h"
#include "ctl/suggest.h"
#include "ctl/top_screen.h"
#include "ctl/top_stream.h"
#include "http/exchange.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/parse.h"

/* How long plopd may be silent, which sends an event a second, until the screen says so. */
#define SILENCE_NS (4 * NSEC_PER_SEC)
/* How soon it is asked again when it went away. */
#define AGAIN_NS NSEC_PER_SEC
/* Less than that is too little to tell a rate from. */
#define ENOUGH_S 0.9
/* What a screen says to somebody who sees no others than his own. */
#define NO_PROCESS_OF_YOURS "no Python process of yours runs; group plop sees all"

struct top_options {
	struct ctl *ctl;
	const char *pid, *cgroup, *unit;
	struct selectors selectors;
	bool all;
	unsigned int screens; /* in batch mode; 0: a live screen */
	struct top_look look;
	int error; /* exit status of an option that was refused */
};

struct top {
	struct ctl *ctl;
	struct top_target target;
	struct top_look look;
	struct top_head head;
	struct top_model *model;
	struct top_stream *stream;          /* NULL: plopd went away */
	char *value;                        /* of the target, owned */
	char *target_text, *path, *message; /* owned */
	uint64_t heard_ns, asked_ns;        /* the last event; the last attempt to get a stream */
	bool changed;                       /* something is to be drawn */
	bool batch;                         /* without a terminal */
	bool compared;                      /* an event came, with which the next are compared */
	int signals;
};

static void top_done(struct top *t)
{
	top_stream_free(t->stream);
	top_model_free(t->model);
	json_decref(t->head.status);
	free(t->value);
	free(t->target_text);
	free(t->path);
	free(t->message);
	if (t->signals >= 0)
		close(t->signals);
}

static int out_of_memory(void)
{
	log_error("top: out of memory");
	return CTL_FAILED;
}

/* NULL: nothing is amiss. */
_printf_(2, 3) static void say(struct top *t, const char *format, ...)
{
	char *text = NULL;
	va_list ap;

	if (format) {
		va_start(ap, format);
		if (vasprintf(&text, format, ap) < 0)
			text = NULL;
		va_end(ap);
	}
	t->changed |= (text != NULL) != (t->message != NULL) ||
		      (text && t->message && !streq(text, t->message));
	free(t->message);
	t->message = text;
	t->head.message = text;
}

static int take_number(const char *option, const char *value, unsigned int max, unsigned int *ret)
{
	uint64_t n;

	if (parse_u64(value, 1, max, &n) < 0)
		return ctl_usage("top", "%s %.32s: must be from 1 to %u", option, value, max);
	*ret = (unsigned int)n;
	return CTL_DONE;
}

static int take_option(struct top_options *o, int key, const char *value)
{
	pid_t pid;

	switch (key) {
	case 'b':
		return take_number("-b", value, 1000000, &o->screens);
	case 'i':
		return take_number("-i", value, 60, &o->look.interval_s);
	case 'p':
		o->pid = value;
		return ctl_pid("top", value, &pid);
	default:
		/* a number alone is a process */
		if (*value && value[strspn(value, "0123456789")] == '\0')
			return take_option(o, 'p', value);
		return ctl_selector_add("top", &o->selectors, value);
	}
}

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct top_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o->ctl;
		return 0;
	case 'a':
		o->all = true;
		return 0;
	case 'c':
		o->cgroup = value;
		return 0;
	case 'u':
		o->unit = value;
		return 0;
	case 'P':
		o->look.kind = TOP_PROCESSES;
		return 0;
	case 't':
		o->look.sort = TOP_TOTAL;
		return 0;
	case '1':
		o->screens = 1;
		return 0;
	case 'b':
	case 'i':
	case 'p':
	case ARGP_KEY_ARG:
		if (o->error == CTL_DONE)
			o->error = take_option(o, key, value);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int take_target(struct top *t, const struct top_options *o)
{
	int r = CTL_DONE;

	if (!!o->pid + !!o->cgroup + !!o->unit + o->all > 1)
		return ctl_usage("top", "-p, -c, -u and -a exclude each other");
	t->target.key = o->pid ? "pid" : o->cgroup ? "cgroup" : o->unit ? "unit" : NULL;
	if (o->pid) {
		/* without leading zeros, as plopd writes it */
		if (asprintf(&t->value, "%lu", strtoul(o->pid, NULL, 10)) < 0) {
			t->value = NULL;
			r = out_of_memory();
		}
	} else if (o->cgroup) {
		r = top_cgroup_value(o->cgroup, &t->value);
	} else if (o->unit) {
		r = top_unit_value(o->unit, &t->value);
	}
	t->target.value = t->value;
	t->target.selectors = o->selectors.n ? &o->selectors : NULL;
	return r;
}

static int make_texts(struct top *t)
{
	const struct selectors *s = t->target.selectors;
	_cleanup_buf_ struct buf path = {}, text = {};
	_cleanup_free_ char *selected = NULL, *query = NULL;

	if (t->target.key) {
		buf_printf(&path, "&%s=", t->target.key);
		http_escape(&path, t->value);
		buf_printf(&text, "%s %s", t->target.key, t->value);
	}
	if (s) {
		selected = ctl_selectors_text(s);
		ctl_selectors_query(s, true, true, &path);
		buf_printf(&text, "%s%s", t->target.key ? " " : "", selected ? selected : "");
	}
	if (!t->target.key && !s)
		buf_puts(&text, "all processes");
	query = buf_string(&path);
	/* without the first "&" */
	if (!query ||
	    asprintf(&t->path, "/v1/stream%s%s", *query ? "?" : "", *query ? query + 1 : "") < 0)
		t->path = NULL;
	t->target_text = buf_string(&text);
	return t->path && t->target_text ? CTL_DONE : out_of_memory();
}

/*
 * A process that is not in the list: plopd says what of it, as it does for a dump, which it then
 * refuses. An exit status.
 */
static int complain_of_pid(const struct top *t)
{
	_cleanup_answer_ struct ctl_answer a = {};
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/v1/dump?pid=%.20s", t->value);
	r = ctl_exchange(t->ctl, "GET", path, NULL, 30, &a);
	if (r < 0 || a.status >= 400)
		return ctl_complain(t->ctl, "top", r, &a);
	/* it has begun since */
	return CTL_DONE;
}

/* That there is something to look at, before the screen is taken. */
static int check_target(const struct top *t, const json_t *processes)
{
	bool is_pid = t->target.key && streq(t->target.key, "pid");
	const json_t *p, *found = NULL;
	size_t i;

	if (!t->target.key && !t->target.selectors)
		return CTL_DONE;
	json_array_foreach(processes, i, p)
	{
		if (!top_target_has(&t->target, p))
			continue;
		if (streq(json_string_at(p, "status"), "profiled"))
			return CTL_DONE;
		found = p;
	}
	if (found && is_pid) {
		log_error("top: process %s is not profiled: %.500s", t->value,
			  json_string_at(found, "status"));
	} else if (is_pid && !t->target.selectors) {
		return complain_of_pid(t);
	} else {
		log_error("top: plopd profiles no process of %.400s", t->target_text);
		log_error("try: plopctl ps, which lists the processes");
	}
	return CTL_NO_TARGET;
}

/*
 * Services are in a slice, which no process has as its unit: as a target it is its control group.
 * An exit status.
 */
static int find_slice(struct top *t)
{
	_cleanup_answer_ struct ctl_answer a = {};
	const char *dot = t->value ? strrchr(t->value, '.') : NULL;
	json_t *processes;
	const json_t *p;
	size_t i;
	int r;

	if (!dot || !t->target.key || !streq(t->target.key, "unit") || !streq(dot, ".slice"))
		return CTL_DONE;
	r = ctl_request(t->ctl, "top", "GET", "/v1/processes", NULL, 30, &a);
	if (r != CTL_DONE)
		return r;
	processes = ctl_answer_json(&a, "top");
	json_array_foreach(processes, i, p)
	{
		const char *cgroup = json_string_at(p, "cgroup");
		size_t size = top_slice_path(cgroup, t->value);

		if (!size)
			continue;
		free(t->value);
		t->value = strndup(cgroup, size);
		t->target.key = "cgroup";
		t->target.value = t->value;
		r = t->value ? CTL_DONE : out_of_memory();
		break;
	}
	json_decref(processes);
	return r;
}

/*
 * What the head and the processes need. An exit status; on failure it complained, where complain is
 * set.
 */
static int ask(struct top *t, bool complain)
{
	static const char *const paths[] = { "/v1/status", "/v1/processes" };
	json_t *answers[ARRAY_SIZE(paths)] = {};
	int r = CTL_DONE;

	for (size_t i = 0; i < ARRAY_SIZE(paths) && r == CTL_DONE; i++) {
		_cleanup_answer_ struct ctl_answer a = {};
		int k = ctl_exchange(t->ctl, "GET", paths[i], NULL, complain ? 30 : 2, &a);

		if (k < 0 || a.status != 200)
			r = complain ? ctl_complain(t->ctl, "top", k, &a) : CTL_FAILED;
		else if (complain)
			answers[i] = ctl_answer_json(&a, "top");
		else
			answers[i] = json_loadb(a.body.data, a.body.size, 0, NULL);
		if (r == CTL_DONE && !answers[i])
			r = CTL_FAILED;
	}
	if (r == CTL_DONE && complain)
		r = check_target(t, answers[1]);
	if (r == CTL_DONE) {
		json_decref(t->head.status);
		t->head.status = json_incref(answers[0]);
		if (top_model_processes(t->model, answers[1]) < 0)
			r = complain ? out_of_memory() : CTL_FAILED;
	}
	json_decref(answers[0]);
	json_decref(answers[1]);
	return r;
}

static void connect_stream(struct top *t, uint64_t now)
{
	t->asked_ns = now;
	if (top_stream_new(t->ctl, t->path, &t->stream) < 0)
		t->stream = NULL;
}

/* Why plopd samples nothing, if that is what it is told to do; else NULL. */
static const char *why_idle(const struct top *t)
{
	const char *mode = json_string_at(t->head.status, "mode");

	if (streq(mode, "on-demand"))
		return "plopd samples nothing, its mode is on-demand: plopctl record does";
	if (streq(mode, "periodic"))
		return "plopd samples nothing between two windows, its mode is periodic";
	return NULL;
}

static void say_silence(struct top *t, uint64_t now)
{
	if (now - t->heard_ns >= SILENCE_NS)
		say(t, "plopd has sent nothing for %.0f s", (double)(now - t->heard_ns) / 1e9);
}

/* Whether the caller sees only his own processes. */
static bool is_user(const struct top *t)
{
	return json_is_integer(json_object_get(t->head.status, "only_uid"));
}

/* true: there are new rates */
static bool take_event(struct top *t, json_t *event, uint64_t now)
{
	double wanted;

	t->heard_ns = now;
	if (top_model_feed(t->model, event) < 0)
		return false;
	/*
	 * what the window has so far is older than the screen: the figures are of what comes from
	 * now on
	 */
	if (!t->compared) {
		t->compared = true;
		top_model_forget(t->model);
	}
	/* a live screen has its first figures soon, whatever its interval is */
	wanted = top_model_rates(t->model)->seconds > 0 || t->batch ?
			 t->look.interval_s - 1 + ENOUGH_S :
			 ENOUGH_S;
	if (t->look.paused || top_model_pending(t->model) < wanted)
		return false;
	ask(t, false);
	top_model_publish(t->model);
	if ((t->target.key || t->target.selectors) && top_model_listed(t->model) == 0)
		say(t, "no process of %s runs any more", t->target_text);
	else if (top_model_listed(t->model) == 0 && is_user(t))
		say(t, NO_PROCESS_OF_YOURS);
	else if (top_model_rates(t->model)->ticks <= 0 && why_idle(t))
		say(t, "%s", why_idle(t));
	else
		say(t, NULL);
	t->changed = true;
	return true;
}

/* Waits for something to happen. true: there are new rates */
static bool turn(struct top *t, bool screen)
{
	const int fds[] = { t->signals, STDIN_FILENO };
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	bool fresh = false;
	json_t *event;

	if (!t->stream && now - t->asked_ns >= AGAIN_NS)
		connect_stream(t, now);
	if (!t->stream) {
		struct pollfd wait[] = { { .fd = t->signals, .events = POLLIN },
					 { .fd = STDIN_FILENO, .events = POLLIN } };

		poll(wait, screen ? 2 : 1, (int)(AGAIN_NS / NSEC_PER_MSEC));
		return false;
	}
	top_stream_wait(t->stream, fds, screen ? 2 : 1, 1000);
	now = clock_ns(CLOCK_MONOTONIC);
	event = top_stream_take(t->stream);
	if (event)
		fresh = take_event(t, event, now);
	else
		say_silence(t, now);
	json_decref(event);
	if (top_stream_ended(t->stream)) {
		say(t, "plopd went away; this is the last that it said, trying again");
		top_stream_free(TAKE_PTR(t->stream));
	}
	return fresh;
}

/* The signal that came, 0: none. */
static int signal_taken(const struct top *t)
{
	struct signalfd_siginfo info;

	return read(t->signals, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

static int run_batch(struct top *t, unsigned int screens)
{
	unsigned int columns = text_columns(STDOUT_FILENO);
	int r;

	if (streq(json_string_at(t->head.status, "mode"), "on-demand")) {
		log_error("top: plopd samples nothing now, its mode is on-demand");
		log_error("try: plopctl record");
		return CTL_FAILED;
	}
	while (screens > 0) {
		if (signal_taken(t))
			return CTL_FAILED;
		if (turn(t, false)) {
			r = top_print(t->model, &t->head, &t->look, columns);
			if (r < 0) {
				log_error("top: cannot write to stdout: %s", strerror(-r));
				return CTL_FAILED;
			}
			screens--;
			t->changed = false;
		} else if (t->stream && t->changed && t->message) {
			log_warning("top: %s", t->message);
			t->changed = false;
		} else if (!t->stream) {
			log_error("top: plopd went away");
			log_error("try: systemctl status plopd");
			return CTL_FAILED;
		}
	}
	return CTL_DONE;
}

/* A terminal that is gone has no more keys, and reads as ready for ever. */
static bool terminal_gone(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static int run_screen(struct top *t)
{
	enum top_key key = TOP_KEY_NONE;
	int signal = 0;

	if (top_screen_begin() < 0) {
		log_error("top: stdin and stdout are not a terminal that can show a screen");
		log_error("try: plopctl top -b 1 for one as text, or plopctl export or record for "
			  "a profile");
		return CTL_FAILED;
	}
	t->changed = true;
	while (key != TOP_KEY_QUIT && !signal && !terminal_gone()) {
		if (t->changed)
			top_screen_draw(t->model, &t->head, &t->look);
		t->changed = false;
		turn(t, true);
		key = top_screen_keys(&t->look);
		t->changed |= key == TOP_KEY_SEEN;
		signal = signal_taken(t);
	}
	top_screen_end();
	return CTL_DONE;
}

static int run(struct top_options *o)
{
	_cleanup_(top_done) struct top t = { .ctl = o->ctl, .look = o->look, .signals = -EBADF };
	sigset_t set;
	int r = o->error;

	if (r == CTL_DONE)
		r = take_target(&t, o);
	if (r == CTL_DONE)
		r = ctl_configure(o->ctl);
	if (r == CTL_DONE)
		r = find_slice(&t);
	if (r == CTL_DONE)
		r = make_texts(&t);
	if (r != CTL_DONE)
		return r;
	t.head.target = t.target_text;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	t.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (t.signals < 0 || top_model_new(&t.target, &t.model) < 0)
		return out_of_memory();
	r = ask(&t, true);
	if (r != CTL_DONE)
		return r;
	t.heard_ns = clock_ns(CLOCK_MONOTONIC);
	connect_stream(&t, t.heard_ns);
	t.batch = o->screens > 0;
	if (t.batch && !t.target.key && !t.target.selectors && is_user(&t) &&
	    top_model_listed(t.model) == 0)
		ctl_tell_none(t.ctl, "top");
	return o->screens ? run_batch(&t, o->screens) : run_screen(&t);
}

int ctl_top(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "pid", 'p', "PID", 0, "This process; its number alone does as well", 0 },
		{ "cgroup", 'c', "CGROUP", 0, "A control group and all below it", 0 },
		{ "unit", 'u', "UNIT", 0, "A systemd service, scope or slice", 0 },
		{ "all", 'a', NULL, 0, "Every Python process (default)", 0 },
		{ "interval", 'i', "SECONDS", 0, "How often, 1 (default) to 60", 0 },
		{ "processes", 'P', NULL, 0, "Begin with processes, not functions", 0 },
		{ "total", 't', NULL, 0, "Begin sorted by total, of processes by CPU", 0 },
		{ "batch", 'b', "N", 0, "Print N screens as text, without a terminal", 0 },
		{ "once", '1', NULL, 0, "The same as -b 1", 0 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.args_doc = "[SELECTOR]...",
		.doc = "What the Python processes do now: functions by their own and their total "
		       "share, or processes, live.\v"
		       "Keys: f functions, p processes, Tab the other; s t sort by self, total; / "
		       "filter; Space pause; + - interval; h help; q quit.\n\n"
		       "The figures are of what plopd sampled since the screen before; the first "
		       "ones of a second from now on.\n\n"
		       "SELECTOR is KEY=VALUE; KEY is one of pid, comm, exe, cgroup, unit, "
		       "container, service, version, thread, thread_name, state, gil, label.NAME. "
		       "Several values of one key add up, several keys narrow.\n\n"
		       "Examples:\n"
		       "  plopctl top service=shop\n"
		       "  plopctl top\n"
		       "  plopctl top -u web.service\n"
		       "  plopctl top -p 4711 -b 5 -i 2",
	};
	struct top_options o = { .ctl = ctl, .look.interval_s = 1 };
	int r;

	ctl_parse("top", &argp, 0, argc, argv, &o);
	r = run(&o);
	selectors_done(&o.selectors);
	return r;
}
