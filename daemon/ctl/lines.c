/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/past.h"
#include "ctl/suggest.h"
#include "http/exchange.h"
#include "util/log.h"

struct lines_options {
	struct past past;
	const char *function, *file;
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct lines_options *o = state->input;

	if (key == 'n')
		o->function = value;
	else if (key == 'F')
		o->file = value;
	else
		return past_on_option(key, value, state);
	return 0;
}

/* The lines of a text, taken in ascending order. */
struct text {
	const char *begin, *at; /* NULL: there is none */
	json_int_t line;        /* that at begins */
};

static void put_line(struct text *t, json_int_t line, struct buf *out)
{
	if (line < t->line)
		*t = (struct text){ t->begin, t->begin, 1 };
	for (; t->line < line && *t->at; t->line++) {
		t->at += strcspn(t->at, "\r\n");
		t->at += t->at[0] == '\r' && t->at[1] == '\n' ? 2 : *t->at != '\0';
	}
	buf_append(out, t->at, strcspn(t->at, "\r\n"));
}

#define CALLS_MOST 3

/* What a line calls stands for its text. */
static void put_calls(const json_t *answer, const json_t *line, struct buf *out)
{
	const json_t *nodes = json_object_get(answer, "nodes"), *call;
	size_t i;
	int n = 0;

	json_array_foreach(json_object_get(answer, "calls"), i, call)
	{
		size_t target = (size_t)json_number_at(call, "target");

		if (!json_equal(json_object_get(call, "source"), json_object_get(line, "node")) ||
		    !json_equal(json_object_get(call, "line"), json_object_get(line, "line")))
			continue;
		if (n++ == CALLS_MOST)
			break;
		buf_printf(out, "%s%s", n == 1 ? "-> " : ", ",
			   json_string_at(json_array_get(nodes, target), "function"));
	}
}

static double percent(const json_t *of, const char *member, double total)
{
	return total > 0 ? 100 * json_number_at(of, member) / total : 0;
}

static void put_function(const json_t *node, double total, struct buf *out)
{
	buf_printf(out, "%s%s (%s:%.0f): self %.2f %%, total %.2f %%\n", out->size ? "\n" : "",
		   json_string_at(node, "function"), json_place_at(node),
		   json_number_at(node, "line"), percent(node, "self", total),
		   percent(node, "total", total));
}

static void put_all(const json_t *answer, struct text *text, struct buf *out)
{
	double total = json_number_at(answer, "total");
	json_int_t node = -1;
	const json_t *l;
	size_t i;

	json_array_foreach(json_object_get(answer, "lines"), i, l)
	{
		const json_t *line = json_object_get(l, "line");
		json_int_t of = json_integer_value(json_object_get(l, "node"));

		if (of != node) {
			put_function(json_array_get(json_object_get(answer, "nodes"), (size_t)of),
				     total, out);
			buf_printf(out, "%8s %8s %8s  %s\n", "LINE", "SELF %", "TOTAL %",
				   text->begin ? "SOURCE" : "CALLS");
		}
		node = of;
		if (json_is_integer(line))
			buf_printf(out, "%8lld", (long long)json_integer_value(line));
		else
			buf_printf(out, "%8s", "?");
		buf_printf(out, " %8.2f %8.2f  ", percent(l, "self", total),
			   percent(l, "total", total));
		if (text->begin && json_is_integer(line))
			put_line(text, json_integer_value(line), out);
		else
			put_calls(answer, l, out);
		buf_putc(out, '\n');
	}
}

/* Where the file of the heaviest function is asked for, of that process. */
static char *source_path(const json_t *answer, const json_t *process)
{
	const json_t *node = json_array_get(json_object_get(answer, "nodes"), 0), *l;
	_cleanup_buf_ struct buf b = {};
	double last = 0;
	size_t i;

	json_array_foreach(json_object_get(answer, "lines"), i, l)
	{
		if (json_number_at(l, "node") == 0)
			last = MAX(last, json_number_at(l, "line"));
	}
	buf_printf(&b,
		   "/v1/source?pid=%.0f&line=%.0f&last=%.0f&file=", json_number_at(process, "pid"),
		   json_number_at(node, "line"), last);
	http_escape(&b, json_string_at(node, "file"));
	buf_puts(&b, "&function=");
	http_escape(&b, json_string_at(node, "function"));
	return buf_string(&b);
}

/* An object with the text, or NULL, having said why there is none. */
static json_t *ask_source(const struct past *p, const json_t *answer)
{
	const json_t *node = json_array_get(json_object_get(answer, "nodes"), 0), *process;
	size_t i;

	/* that of code which is no file's is not asked for */
	if (*json_string_at(node, "file") != '/')
		return NULL;
	json_array_foreach(json_object_get(answer, "processes"), i, process)
	{
		_cleanup_free_ char *path = source_path(answer, process);
		_cleanup_answer_ struct ctl_answer a = {};
		int r = path ? ctl_exchange(p->ctl, "GET", path, NULL, 30, &a) : -ENOMEM;

		if (r == 0 && a.status == 200)
			return ctl_answer_json(&a, "lines");
		/* one that has ended is not there */
		if (r == 0 && (a.status == 404 || (a.status == 403 && !a.hint)))
			continue;
		log_warning("no source: %s", r < 0 ? strerror(-r) : a.error ? a.error : "refused");
		if (r == 0 && a.hint)
			log_warning("%s", a.hint);
		return NULL;
	}
	log_warning("no source: no process that ran it in that time is running now");
	return NULL;
}

static int print(const struct lines_options *o, const json_t *answer)
{
	_cleanup_buf_ struct buf out = {}, shown = {};
	json_t *source = ask_source(&o->past, answer);
	struct text text = {};

	if (source)
		text.begin = text.at = json_string_at(source, "text");
	text.line = 1;
	put_all(answer, &text, &out);
	json_decref(source);
	if (!out.error)
		text_for_terminal(out.data, out.size, false, &shown);
	if (out.error || shown.error) {
		log_error("lines: out of memory");
		return CTL_FAILED;
	}
	fwrite(shown.data, 1, shown.size, stdout);
	return CTL_DONE;
}

static int show(const struct lines_options *o, const json_t *answer)
{
	const struct past *p = &o->past;

	if (json_number_at(answer, "asked") > 0)
		return p->json ? ctl_print_json(answer, "lines") : print(o, answer);
	if (p->selectors.n && json_number_at(answer, "total") == 0)
		return past_tell_none(p);
	if (o->function)
		return past_tell_function(p, o->function);
	log_error("lines: no sample is in file %.128s in that time", o->file);
	log_error("try: plopctl export -f top, which has the files");
	return CTL_NO_TARGET;
}

static int run(const struct lines_options *o)
{
	_cleanup_free_ char *path = NULL;
	json_t *answer;
	int r;

	if (!o->function && !o->file)
		return ctl_usage("lines", "say --function NAME, --file PATH or both");
	path = past_path(&o->past, "/v1/lines", o->function, o->file);
	if (!path)
		return CTL_FAILED;
	answer = past_ask(&o->past, path, true, &r);
	if (!answer)
		return r;
	r = show(o, answer);
	json_decref(answer);
	return r;
}

int ctl_lines(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "function", 'n', "NAME", 0, "The lines of functions of that name", 0 },
		{ "file", 'F', "PATH", 0, "... of all of a file, or of its functions of a name",
		  0 },
		{ "since", 's', "TIME", 0, "Begin of the time, default 10m", 0 },
		{ "until", 'u', "TIME", 0, "End of the time, default now", 0 },
		{ "json", 'j', NULL, 0, "Print JSON, for programs", 0 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.args_doc = "[SELECTOR]...",
		.doc = "The lines of a function, or of a file, that had samples.\v"
		       "SELF is the share of all samples that were on the line, TOTAL that of "
		       "those "
		       "with the line anywhere on the stack. The source stands beside, where "
		       "[source] "
		       "paths of plop.conf allows it and the file is what runs; else what the line "
		       "calls.\n\n"
		       "SELECTOR is KEY=VALUE; KEY is one of pid, comm, exe, cgroup, unit, "
		       "container, service, version, thread.\n\n"
		       "Exit status: 3 if nothing has the selectors, or is that function.\n\n"
		       "Examples:\n"
		       "  plopctl lines --function Cart.total service=shop\n"
		       "  plopctl lines --file /srv/shop/cart.py --since 1h",
	};
	struct lines_options o = {
		.past = { .ctl = ctl, .command = "lines", .since = "10m", .until = "now" }
	};
	int r;

	ctl_parse("lines", &argp, 0, argc, argv, &o);
	r = run(&o);
	past_done(&o.past);
	return r;
}
