/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <time.h>

#include "ctl/fleet.h"
#include "ctl/progress.h"
#include "ctl/select.h"
#include "ctl/suggest.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/utf8.h"

/*
 * plopctl fleet record: asks the plop-gateway of a fleet to have several hosts send all that they
 * have in a time, waits until they have, and writes what that was.
 */

#define WHAT "fleet record"
/* What is told of hosts by name, at most. */
#define NAMED_MOST 20
#define LOOK_NS    (2 * NSEC_PER_SEC)

struct wish {
	const struct fleet_options *o;
	struct selectors selectors;
	uint64_t duration_s, hosts, wait_s, patience_s;
	const struct format *format;
	char id[20];
	double until; /* the request's end, in Unix seconds */
};

static int take_seconds(const char *option, const char *text, uint64_t initial, uint64_t *to)
{
	uint64_t ns;

	*to = initial;
	if (!text)
		return CTL_DONE;
	if (parse_duration(text, &ns) < 0 || ns > 86400 * NSEC_PER_SEC)
		return ctl_usage("fleet", "%s %.64s is not a time, as 60s or 5m", option, text);
	*to = ns / NSEC_PER_SEC;
	return CTL_DONE;
}

static int take(struct wish *w)
{
	const struct fleet_options *o = w->o;
	int r = take_seconds("-d", o->duration, 60, &w->duration_s);

	if (r == CTL_DONE)
		r = take_seconds("--in", o->in, 90, &w->wait_s);
	if (r == CTL_DONE)
		r = take_seconds("--wait", o->wait, 180, &w->patience_s);
	w->hosts = 20;
	if (r == CTL_DONE && o->hosts && parse_u64(o->hosts, 1, 1000, &w->hosts) < 0)
		return ctl_usage("fleet", "--hosts %.64s is not a number from 1 to 1000", o->hosts);
	for (size_t i = 1; i < o->nwords && r == CTL_DONE; i++)
		r = ctl_selector_add("fleet", &w->selectors, o->words[i]);
	if (r != CTL_DONE)
		return r;
	w->format = ctl_format("fleet", o->format, o->output);
	return w->format ? CTL_DONE : CTL_USAGE;
}

static char *body_of(const struct wish *w)
{
	_cleanup_buf_ struct buf b = {};
	struct json_writer j = json_writer_on(&b);

	json_put_object(&j, NULL);
	json_put_array(&j, "selectors");
	for (size_t i = 0; i < w->selectors.n; i++) {
		_cleanup_free_ char *text = NULL;

		if (asprintf(&text, "%s=%s", w->selectors.items[i].key,
			     w->selectors.items[i].value) < 0)
			return NULL;
		json_put_string(&j, NULL, text);
	}
	json_put_end(&j);
	json_put_uint(&j, "hosts", w->hosts);
	json_put_uint(&j, "duration_s", w->duration_s);
	json_put_uint(&j, "wait_s", w->wait_s);
	json_put_end(&j);
	return json_writer_done(&j) < 0 ? NULL : buf_string(&b);
}

/* An id, as plop-gateway makes them: it goes into paths. */
static bool take_id(struct wish *w, const json_t *answer)
{
	const char *id = json_string_at(answer, "request");

	snprintf(w->id, sizeof(w->id), "%s", id);
	return strlen(id) == 16 && strspn(id, "0123456789abcdef") == 16;
}

static int ask(struct wish *w)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *body = body_of(w);
	char from[32], to[32], number[32];
	json_t *answer;
	int r;

	if (!body) {
		log_error(WHAT ": out of memory");
		return CTL_FAILED;
	}
	r = ctl_request(w->o->ctl, WHAT, "POST", "/v1/fleet/record", body, 60, &a);
	if (r != CTL_DONE)
		return r;
	answer = ctl_answer_json(&a, WHAT);
	if (!answer)
		return CTL_FAILED;
	if (!take_id(w, answer)) {
		log_error(WHAT ": the answer has no request in it");
		r = CTL_FAILED;
	}
	w->until = json_number_at(answer, "to");
	if (r == CTL_DONE)
		log_info("request %s: %zu of %s hosts are asked, for %s to %s", w->id,
			 json_array_size(json_object_get(answer, "hosts")),
			 text_number((uint64_t)json_number_at(answer, "seen"), number,
				     sizeof(number)),
			 text_time(json_number_at(answer, "from"), from, sizeof(from)),
			 text_time(w->until, to, sizeof(to)));
	json_decref(answer);
	return r;
}

/* Somebody has had enough of waiting: what has arrived is written. The second time it ends. */
static volatile sig_atomic_t enough;

static void on_signal(int signal)
{
	enough = true;
}

static void listen_to_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static size_t count_sent(const json_t *state)
{
	const json_t *h;
	size_t i, n = 0;

	json_array_foreach(json_object_get(state, "hosts"), i, h)
		n += json_is_true(json_object_get(h, "sent"));
	return n;
}

static void show(const struct progress *p, const json_t *state)
{
	if (p->columns)
		dprintf(STDERR_FILENO, "\r\033[K%zu of %.0f hosts have sent", count_sent(state),
			json_number_at(state, "asked"));
}

/* NULL: it has complained, and *ret_exit is the exit status. */
static json_t *look(const struct wish *w, int *ret_exit)
{
	_cleanup_answer_ struct ctl_answer a = {};
	char path[64];
	json_t *state;

	snprintf(path, sizeof(path), "/v1/fleet/record/%s", w->id);
	*ret_exit = ctl_request(w->o->ctl, WHAT, "GET", path, NULL, 60, &a);
	if (*ret_exit != CTL_DONE)
		return NULL;
	state = ctl_answer_json(&a, WHAT);
	if (!state)
		*ret_exit = CTL_FAILED;
	return state;
}

/* Until all have sent, the time is up, or a signal comes. NULL: as look(). */
static json_t *wait_for_hosts(const struct wish *w, int *ret_exit)
{
	const struct timespec pause = { .tv_sec = LOOK_NS / NSEC_PER_SEC };
	uint64_t most = (w->wait_s + w->duration_s + w->patience_s) * NSEC_PER_SEC;
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + most;
	struct progress p;

	progress_begin(&p);
	listen_to_signals();
	for (;;) {
		json_t *state = look(w, ret_exit);

		if (!state || enough ||
		    (double)count_sent(state) >= json_number_at(state, "asked") ||
		    clock_ns(CLOCK_MONOTONIC) > end) {
			progress_end(&p);
			return state;
		}
		show(&p, state);
		json_decref(state);
		nanosleep(&pause, NULL);
	}
}

/* Who has not sent all, by name as far as there is room. */
static void tell_missing(const json_t *state)
{
	size_t sent = count_sent(state), named = 0, i;
	double asked = json_number_at(state, "asked");
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *names = NULL;
	const json_t *h;
	char name[128];

	if ((double)sent >= asked)
		return;
	json_array_foreach(json_object_get(state, "hosts"), i, h)
	{
		if (json_is_true(json_object_get(h, "sent")) || named++ >= NAMED_MOST)
			continue;
		buf_printf(&b, "%s%s", b.size ? ", " : "",
			   text_cell(json_string_at(h, "host"), 60, false, name, sizeof(name)));
	}
	names = buf_string(&b);
	log_warning("%.0f of %.0f hosts have not sent all of it: %s%s", asked - (double)sent, asked,
		    names && *names ? names : "none of which the store knows the name",
		    named > NAMED_MOST ? ", ..." : "");
}

static int fetch(const struct wish *w, struct ctl_output *output)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *path = NULL;
	char number[32];
	int r;

	buf_printf(&b, "/v1/profile?format=%s&request=%s", w->format->name, w->id);
	ctl_selectors_query(&w->selectors, true, true, &b);
	if (w->o->group_by)
		buf_printf(&b, "&group_by=%s", w->o->group_by);
	path = buf_string(&b);
	if (!path) {
		log_error(WHAT ": out of memory");
		return CTL_FAILED;
	}
	r = ctl_request(w->o->ctl, WHAT, "GET", path, NULL, 300, &a);
	if (r != CTL_DONE)
		return r;
	if (a.samples == 0) {
		log_error(WHAT ": no host has sent a sample");
		log_error("try: a longer time by -d; poll in [fleet] of plop.conf of these hosts, "
			  "which is 0 where none are to be asked, and --in, which is to be longer");
		return CTL_FAILED;
	}
	r = ctl_output_write(output, a.body.data, a.body.size);
	if (r == CTL_DONE && output->path)
		log_info("%s samples in %s (%s)", text_number(a.samples, number, sizeof(number)),
			 output->path, w->format->name);
	if (r == CTL_DONE)
		ctl_output_hint(output, w->format);
	return r;
}

static int run(struct wish *w)
{
	_cleanup_output_ struct ctl_output output = { .fd = -EBADF };
	json_t *state;
	int r = take(w);

	if (r == CTL_DONE)
		r = ctl_output_open(w->o->output, w->format, &output);
	if (r == CTL_DONE)
		r = ctl_configure(w->o->ctl);
	if (r == CTL_DONE)
		r = ask(w);
	if (r != CTL_DONE)
		return r;
	state = wait_for_hosts(w, &r);
	if (!state)
		return r;
	tell_missing(state);
	json_decref(state);
	return fetch(w, &output);
}

int fleet_record(const struct fleet_options *o)
{
	struct wish w = { .o = o };
	int r;

	if (!o->ctl->url) {
		log_error(WHAT ": say which plop-gateway serves the fleet");
		log_error(
			"try: plopctl fleet record --server URL --token-file FILE; plopctl record "
			"is of this host");
		return CTL_USAGE;
	}
	r = run(&w);
	selectors_done(&w.selectors);
	return r;
}
