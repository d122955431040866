/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/record.h"
#include "ctl/select.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/log.h"

static void put_selectors(struct json_writer *w, const struct selectors *all)
{
	_cleanup_buf_ struct buf some = {};

	for (size_t i = 0; i < all->n; i++) {
		const struct selector *s = &all->items[i];
		_cleanup_buf_ struct buf text = {};
		struct json_writer one = json_elements_on(&some);

		if (!selector_is_of_process(s->key))
			continue;
		buf_printf(&text, "%s=%s", s->key, s->value);
		json_put_text(&one, NULL, text.data, text.size);
		if (text.error)
			some.error = text.error;
	}
	if (some.size || some.error)
		json_put_elements(w, "selectors", &some);
}

/* Whom it is of. */
static void put_targets(struct json_writer *w, const struct record_options *o,
			const struct recording *rec)
{
	if (o->npids) {
		json_put_array(w, "pid");
		for (unsigned int i = 0; i < o->npids; i++)
			json_put_int(w, NULL, o->pids[i]);
		json_put_end(w);
	} else if (o->command) {
		json_put_int(w, "tree", rec->command.pid);
		/* within another pid namespace the number is somebody else's */
		json_put_bool(w, "child", true);
	} else if (o->cgroup) {
		json_put_string(w, "cgroup", o->cgroup);
	} else if (o->unit) {
		json_put_string(w, "unit", o->unit);
	} else {
		json_put_bool(w, "all", true);
	}
	if (o->npids > 1)
		json_put_bool(w, "partial", true);
	put_selectors(w, &o->selectors);
}

/* NULL: out of memory. */
static char *request_body(const struct record_options *o, const struct recording *rec)
{
	_cleanup_buf_ struct buf body = {};
	struct json_writer w = json_writer_on(&body);

	json_put_object(&w, NULL);
	json_put_real(&w, "duration_s", (double)o->duration_ns / 1e9);
	put_targets(&w, o, rec);
	if (o->off_cpu)
		json_put_bool(&w, "wall", true);
	if (o->tasks)
		json_put_bool(&w, "async", true);
	if (o->hz)
		json_put_uint(&w, "hz", o->hz);
	if (o->name)
		json_put_string(&w, "name", o->name);
	if (o->why)
		json_put_string(&w, "why", o->why);
	if (o->labels.n) {
		json_put_object(&w, "labels");
		for (size_t i = 0; i < o->labels.n; i++)
			json_put_string(&w, o->labels.items[i].key, o->labels.items[i].value);
		json_put_end(&w);
	}
	json_put_end(&w);
	return json_writer_done(&w) < 0 ? NULL : buf_string(&body);
}

/* Those that it is without. */
static void tell_skipped(const json_t *state)
{
	const json_t *skipped = json_object_get(state, "skipped"), *one;
	size_t i;

	json_array_foreach(skipped, i, one)
		log_warning("record: %.500s; going on without it", json_string_at(one, "error"));
}

/*
 * Whether there is somebody to record now. Of selectors that nobody has it is an error, as they may
 * be mistyped; all may yet begin. An exit status.
 */
static int look_for_any(const struct record_options *o)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *text = NULL;
	json_t *processes;
	const json_t *p;
	size_t i, n = 0;
	int r;

	if (o->npids || o->cgroup || o->unit || o->command)
		return CTL_DONE;
	r = ctl_request(o->ctl, "record", "GET", "/v1/processes", NULL, 30, &a);
	if (r != CTL_DONE)
		return r;
	processes = ctl_answer_json(&a, "record");
	json_array_foreach(processes, i, p) n += streq(json_string_at(p, "status"), "profiled") &&
						 ctl_selected(&o->selectors, p);
	if (n == 0 && o->selectors.n) {
		text = ctl_selectors_text(&o->selectors);
		log_error("record: plopd profiles no process with %.400s", text ? text : "");
		log_error("try: plopctl ps, which lists the processes");
		r = CTL_NO_TARGET;
	} else if (n == 0) {
		ctl_tell_none(o->ctl, "record");
	}
	json_decref(processes);
	return r;
}

int record_begin(const struct record_options *o, struct recording *rec)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *body = request_body(o, rec);
	const char *id;
	int r;

	if (!body) {
		log_error("record: out of memory");
		return CTL_FAILED;
	}
	r = look_for_any(o);
	if (r == CTL_DONE)
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
	tell_skipped(rec->state);
	return CTL_DONE;
}

int record_refresh(struct recording *rec)
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

char *record_result_path(const struct recording *rec, const char *format, const char *group_by)
{
	_cleanup_buf_ struct buf b = {};

	buf_printf(&b, "%s?format=%s", rec->path, format);
	if (group_by)
		buf_printf(&b, "&group_by=%s", group_by);
	ctl_selectors_query(rec->selectors, false, true, &b);
	return buf_string(&b);
}
