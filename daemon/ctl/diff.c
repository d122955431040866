/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <inttypes.h>

#include "ctl/ctl.h"
#include "ctl/diff_files.h"
#include "ctl/diff_flame.h"
#include "ctl/diff_page.h"
#include "ctl/diff_per.h"
#include "ctl/diff_table.h"
#include "ctl/kept.h"
#include "ctl/select.h"
#include "ctl/suggest.h"
#include "http/exchange.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/when.h"

/* What a side has of its own, and what both have. */
enum {
	BASE,
	NEW,
	BOTH,
	WHOM,
};
static const char *const prefixes[WHOM] = { "base.", "new.", "" };
static const char *const names[WHOM] = { "--base ", "--new ", "" };

struct whom {
	struct selectors selectors;
	const char *since, *until;
	const char **files;
	size_t nfiles;
	const char *metrics[DIFF_METRICS];
};

struct diff_options {
	struct ctl *ctl;
	struct whom sides[WHOM];
	int side; /* whose the next word is */
	double fail_above;
	bool json;
	const char *format, *output; /* of a flame graph; NULL: a table, or JSON */
	const char *per;             /* a counter; NULL: shares alone */
	int error;                   /* exit status of what was refused */
};

static int add_metrics(struct whom *s, int side, const char *where)
{
	if (side == BOTH)
		return ctl_usage("diff",
				 "metrics=%.64s is of one side: put it behind --base or "
				 "--new",
				 where);
	for (int i = 0; i < DIFF_METRICS; i++) {
		if (s->metrics[i])
			continue;
		s->metrics[i] = where;
		return CTL_DONE;
	}
	return ctl_usage("diff", "%smay have metrics= twice at most", names[side]);
}

/* What is read as a file is, and is none. */
#define RECORDING "recording="

/* One word of a side: KEY=VALUE, since=TIME, until=TIME, metrics=FILE, or a file or recording. */
static int add_word(struct diff_options *o, int side, const char *word)
{
	struct whom *s = &o->sides[side];

	if (strncmp(word, "since=", 6) == 0)
		s->since = word + 6;
	else if (strncmp(word, "until=", 6) == 0)
		s->until = word + 6;
	else if (strncmp(word, "metrics=", 8) == 0)
		return add_metrics(s, side, word + 8);
	else if ((!strchr(word, '=') || strncmp(word, RECORDING, strlen(RECORDING)) == 0) &&
		 side != BOTH)
		s->files[s->nfiles++] = word;
	else
		return ctl_selector_add("diff", &s->selectors, word);
	return CTL_DONE;
}

static int set_fail(struct diff_options *o, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || (*end && !streq(end, "%")) || !(value >= 0 && value < 1e6))
		return ctl_usage("diff", "--fail-above %.64s is not a number of percent, as 5%%",
				 text);
	o->fail_above = value / 100;
	return CTL_DONE;
}

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct diff_options *o = state->input;
	int r = CTL_DONE;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o->ctl;
		return 0;
	case 'b':
	case 'n':
		o->side = key == 'b' ? BASE : NEW;
		r = add_word(o, o->side, value);
		break;
	case ARGP_KEY_ARG:
		r = add_word(o, o->side, value);
		break;
	case 's':
		o->sides[BOTH].since = value;
		break;
	case 'u':
		o->sides[BOTH].until = value;
		break;
	case 'F':
		r = set_fail(o, value);
		break;
	case 'j':
		o->json = true;
		break;
	case 'f':
		o->format = value;
		break;
	case 'p':
		o->per = value;
		break;
	case 'o':
		o->output = value;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	if (o->error == CTL_DONE)
		o->error = r;
	return 0;
}

static int add_time(const char *text, const char *prefix, const char *key, uint64_t now,
		    struct buf *b)
{
	uint64_t at;

	if (!text || strcasecmp(text, "now") == 0)
		return CTL_DONE;
	if (when_parse(text, now, streq(key, "to"), &at) < 0)
		return ctl_usage("diff", "%.64s is not a time; it is one of: %s", text,
				 when_forms());
	buf_printf(b, "&%s%s=%" PRIu64 ".%09" PRIu64, prefix, key, at / NSEC_PER_SEC,
		   at % NSEC_PER_SEC);
	return CTL_DONE;
}

/* The time of a side. An exit status. */
static int add_times(const struct diff_options *o, int side, const char *prefix, uint64_t now,
		     struct buf *b)
{
	const struct whom *s = &o->sides[side];
	int r = add_time(s->since, prefix, "from", now, b);

	return r == CTL_DONE ? add_time(s->until, prefix, "to", now, b) : r;
}

static int add_side(const struct diff_options *o, int side, const char *prefix, uint64_t now,
		    struct buf *b)
{
	const struct whom *s = &o->sides[side];
	int r = add_times(o, side, prefix, now, b);

	for (size_t i = 0; i < s->selectors.n; i++) {
		buf_printf(b, "&%s%s=", prefix, s->selectors.items[i].key);
		http_escape(b, s->selectors.items[i].value);
	}
	return r;
}

/* The path of the query for both sides, or for the flame tree of one; an exit status. */
static int make_path(const struct diff_options *o, int side, char **ret)
{
	uint64_t now = clock_ns(CLOCK_REALTIME);
	_cleanup_buf_ struct buf b = {};
	int r;

	buf_puts(&b, side == BOTH ? "/v1/diff?format=json" : "/v1/profile?format=tree");
	/* a later value of a key that is not a selector's wins: what a side says itself */
	r = add_side(o, BOTH, "", now, &b);
	for (int i = BASE; r == CTL_DONE && i < BOTH; i++)
		if (side == BOTH || side == i)
			r = add_side(o, i, side == BOTH ? prefixes[i] : "", now, &b);
	if (r != CTL_DONE)
		return r;
	*ret = buf_string(&b);
	if (*ret)
		return CTL_DONE;
	log_error("diff: out of memory");
	return CTL_FAILED;
}

/* A side has no samples: whether nothing has its selectors. An exit status. */
static int check_side(const struct diff_options *o, int side)
{
	const struct selectors *own = &o->sides[side].selectors;
	const struct selectors *s = own->n ? own : &o->sides[BOTH].selectors;
	uint64_t now = clock_ns(CLOCK_REALTIME);
	_cleanup_free_ char *times = NULL;
	_cleanup_buf_ struct buf b = {};
	int r = add_times(o, BOTH, "", now, &b);

	if (r == CTL_DONE)
		r = add_times(o, side, "", now, &b);
	times = buf_string(&b);
	if (r == CTL_DONE && !times) {
		log_error("diff: out of memory");
		r = CTL_FAILED;
	}
	if (r == CTL_DONE && s->n)
		r = ctl_tell_no_samples(o->ctl, "diff", own->n ? names[side] : "", times, s);
	if (r == CTL_DONE)
		log_warning("there are no samples in the time of the %s side",
			    side == BASE ? "base" : "new");
	return r;
}

static int check_sides(const struct diff_options *o, const json_t *answer)
{
	bool base = json_number_at(answer, "base.windows") > 0;
	bool new = json_number_at(answer, "new.windows") > 0;
	int r = base ? CTL_DONE : check_side(o, BASE), k;

	/* what both have was told of */
	if (new || (r != CTL_DONE && !o->sides[NEW].selectors.n))
		return r;
	k = check_side(o, NEW);
	return r == CTL_DONE ? k : r;
}

/* Whether a function is slower, or a new one takes more of the time, than by so much. */
static bool is_failure(const json_t *f, double above)
{
	const char *verdict = json_string_at(f, "verdict");

	if (streq(verdict, "slower"))
		return json_number_at(f, "relative") > above;
	return streq(verdict, "new") && json_number_at(f, "rise") > above;
}

static int judge(const struct diff_options *o, const json_t *answer)
{
	const json_t *functions = json_object_get(answer, "functions"), *f;
	unsigned int n = 0;
	size_t i;

	json_array_foreach(functions, i, f) n += is_failure(f, o->fail_above);
	if (n == 0)
		return CTL_DONE;
	log_error("diff: %u function%s slower by more than %g %%", n, n == 1 ? " is" : "s are",
		  100 * o->fail_above);
	return CTL_FAILED;
}

/* Two sides of files and nothing else. An exit status. */
static int check_files(const struct diff_options *o)
{
	if (o->per)
		return ctl_usage("diff", "--per is for selectors: files do not say how long they "
					 "are of");
	if (!o->sides[BASE].nfiles || !o->sides[NEW].nfiles)
		return ctl_usage("diff", "%s is a file, and the other side is none",
				 o->sides[BASE].nfiles ? o->sides[BASE].files[0] :
							 o->sides[NEW].files[0]);
	for (int i = 0; i < WHOM; i++)
		if (o->sides[i].selectors.n ||
		    (i != BOTH && (o->sides[i].since || o->sides[i].until)))
			return ctl_usage("diff", "files have no selectors and no times");
	return CTL_DONE;
}

/* --per and the metrics that it needs. An exit status. */
static int check_metrics(const struct diff_options *o)
{
	bool base = o->sides[BASE].metrics[0], new = o->sides[NEW].metrics[0];

	if (o->per && !(base && new))
		return ctl_usage("diff", "--per wants metrics=FILE, or an http URL, of each side");
	if (!o->per && (base || new))
		return ctl_usage("diff", "metrics= is for --per COUNTER");
	return CTL_DONE;
}

/* A reading of what is not a file has this exit status. */
struct files_ctx {
	struct ctl *ctl;
	int status;
};

static int read_file(const char *name, struct buf *to, void *ctx)
{
	struct files_ctx *x = ctx;

	if (strncmp(name, RECORDING, strlen(RECORDING)) != 0)
		return ctl_read_file(name, to, NULL);
	x->status = ctl_configure(x->ctl);
	if (x->status == CTL_DONE)
		x->status = ctl_kept_fetch(x->ctl, "diff", name + strlen(RECORDING), to);
	return x->status == CTL_DONE ? 0 : -ECANCELED;
}

static json_t *ask_files(const struct diff_options *o, json_t *trees[BOTH], int *ret_exit)
{
	const struct whom *base = &o->sides[BASE], *new = &o->sides[NEW];
	struct files_ctx ctx = { o->ctl, CTL_DONE };
	const struct diff_reader reader = { read_file, &ctx };
	json_t *answer;

	answer = diff_files(&reader, base->files, base->nfiles, new->files, new->nfiles,
			    o->format ? trees : NULL);
	*ret_exit = ctx.status != CTL_DONE ? ctx.status : CTL_FAILED;
	return answer;
}

/* NULL: it has complained, and *ret_exit is the exit status. */
static json_t *ask_plopd(const struct diff_options *o, int side, int *ret_exit)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *path = NULL;
	int r = make_path(o, side, &path);

	if (r == CTL_DONE)
		r = ctl_configure(o->ctl);
	if (r == CTL_DONE)
		r = ctl_request(o->ctl, "diff", "GET", path, NULL, 300, &a);
	*ret_exit = r == CTL_DONE ? CTL_FAILED : r;
	return r == CTL_DONE ? ctl_answer_json(&a, "diff") : NULL;
}

/* The format that was asked for, or that the file's ending tells. An exit status. */
static int find_format(struct diff_options *o, const struct format **ret)
{
	const struct format *f = NULL;

	if (o->output && !o->format)
		f = format_by_ending(o->output);
	else if (o->format)
		f = format_find(o->format);
	if (!o->output && !o->format)
		return CTL_DONE;
	if (!f || !(streq(f->name, "svg") || streq(f->name, "html")))
		return ctl_usage("diff", "of a difference there is -f svg and -f html, and --json");
	o->format = f->name;
	*ret = f;
	return CTL_DONE;
}

/* Writes the picture, or the page. An exit status. */
static int put_drawn(const struct diff_options *o, const json_t *answer, json_t *trees[BOTH],
		     const struct format *f, struct ctl_output *output)
{
	_cleanup_buf_ struct buf b = {};
	int r;

	for (int i = BASE; i < BOTH; i++) {
		if (!trees[i])
			trees[i] = ask_plopd(o, i, &r);
		if (!trees[i])
			return r;
	}
	r = streq(f->name, "html") ? diff_page_write(answer, trees, &b) :
				     diff_flame_draw(answer, trees, &b);
	if (r < 0) {
		log_error("diff: %s", strerror(-r));
		return CTL_FAILED;
	}
	r = ctl_output_write(output, b.data, b.size);
	if (r == CTL_DONE)
		ctl_output_hint(output, f);
	return r;
}

/* What was answered, in the form that was asked for. An exit status. */
static int put(const struct diff_options *o, const json_t *answer, json_t *trees[BOTH],
	       const struct format *f, struct ctl_output *output)
{
	if (f)
		return put_drawn(o, answer, trees, f, output);
	return o->json ? ctl_print_json(answer, "diff") : diff_table_print(answer);
}

static int add_per(const struct diff_options *o, json_t *answer)
{
	const char *metrics[BOTH][DIFF_METRICS];

	for (int i = BASE; i < BOTH; i++)
		memcpy(metrics[i], o->sides[i].metrics, sizeof(metrics[i]));
	return diff_per_add(answer, o->per, metrics);
}

static int run(struct diff_options *o)
{
	_cleanup_output_ struct ctl_output output = { .fd = -EBADF };
	const struct whom *base = &o->sides[BASE];
	bool files = base->nfiles || o->sides[NEW].nfiles;
	json_t *answer, *trees[BOTH] = {};
	const struct format *f = NULL;
	int r = o->error, failed = CTL_FAILED;

	if (r == CTL_DONE && !(base->selectors.n || base->since || base->until || files))
		r = ctl_usage("diff", "say what to compare: --base version=1 --new version=2");
	if (r == CTL_DONE && files)
		r = check_files(o);
	if (r == CTL_DONE)
		r = check_metrics(o);
	if (r == CTL_DONE)
		r = find_format(o, &f);
	if (r == CTL_DONE && f)
		r = ctl_output_open(o->output ? o->output : "-", f, &output);
	if (r != CTL_DONE)
		return r;
	answer = files ? ask_files(o, trees, &failed) : ask_plopd(o, BOTH, &failed);
	if (!answer)
		return failed;
	r = files ? CTL_DONE : check_sides(o, answer);
	if (r == CTL_DONE && o->per)
		r = add_per(o, answer);
	if (r == CTL_DONE)
		r = put(o, answer, trees, f, &output);
	if (r == CTL_DONE && o->fail_above >= 0)
		r = judge(o, answer);
	json_decref(answer);
	for (int i = BASE; i < BOTH; i++)
		json_decref(trees[i]);
	return r;
}

int ctl_diff(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "base", 'b', "SELECTOR", 0, "What it was: also since=TIME and until=TIME", 0 },
		{ "new", 'n', "SELECTOR", 0, "What it is now: likewise", 0 },
		{ "since", 's', "TIME", 0, "Begin of the time of both, default 24h", 0 },
		{ "until", 'u', "TIME", 0, "End of the time of both, default now", 0 },
		{ "fail-above", 'F', "PERCENT", 0,
		  "Exit status 1 if a function is slower by more than that", 0 },
		{ "json", 'j', NULL, 0, "Print JSON", 0 },
		{ "per", 'p', "COUNTER", 0,
		  "CPU time for each of these, such as requests; see below", 0 },
		{ "format", 'f', "FORMAT", 0,
		  "svg: a flame graph of what changed; html: a page with more", 0 },
		{ "output", 'o', "FILE", 0, "Write that there; - (default) is stdout", 0 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.args_doc = "[SELECTOR]...",
		.doc = "Which functions became slower, from one side to another, and how sure that "
		       "is.\v"
		       "A SELECTOR before --base and --new is for both sides, one behind them for "
		       "the "
		       "side that was said last. It is KEY=VALUE, as in plopctl export, or "
		       "since=TIME "
		       "or until=TIME.\n\n"
		       "Or both sides are files: pprof or collapsed, of plop or of others; several "
		       "files are several windows. recording=NAME, of plopctl recordings, is like "
		       "a file.\n\n"
		       "KEY is one of pid, comm, exe, cgroup, unit, container, service, version, "
		       "thread. A function is slower by so much of its own time, held against how "
		       "most "
		       "functions changed. What moved between a function and those that it calls "
		       "is no "
		       "change; nor is another name, where its lines tell. Only what is sure is "
		       "called slower or faster: one in twenty of these "
		       "may be wrong.\n\n"
		       "--per wants metrics=FILE behind --base and --new, or an http URL: what the "
		       "service tells Prometheus. One is of all since its process began, two of "
		       "what was between them.\n\n"
		       "Exit status: 1 if it failed, or by --fail-above; 3 if a side has no "
		       "samples.\n\n"
		       "Examples:\n"
		       "  plopctl diff service=shop --base version=1.4 --new version=1.5\n"
		       "  plopctl diff unit=shop.service --base until=13:00 --new since=13:00\n"
		       "  plopctl diff --base version=1.4 --new version=1.5 --fail-above 5% "
		       "--json\n"
		       "  plopctl diff --per requests --base version=1.4 metrics=1.4.prom \\\n"
		       "      --new version=1.5 metrics=http://127.0.0.1:8000/metrics\n"
		       "  plopctl diff --base before.pb.gz --new after.pb.gz -o changed.html\n"
		       "  plopctl diff --base recording=before --new recording=after",
	};
	struct diff_options o = {
		.ctl = ctl, .side = BOTH, .fail_above = -1, .sides[BOTH].since = "24h"
	};
	int r;

	for (int i = 0; i < WHOM; i++) {
		o.sides[i].files = calloc((size_t)argc + 1, sizeof(char *));
		if (!o.sides[i].files)
			return CTL_FAILED;
	}
	ctl_parse("diff", &argp, ARGP_IN_ORDER, argc, argv, &o);
	r = run(&o);
	for (int i = 0; i < WHOM; i++) {
		selectors_done(&o.sides[i].selectors);
		free(o.sides[i].files);
	}
	return r;
}
