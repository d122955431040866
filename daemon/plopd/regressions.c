/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/regressions.h"

#include "plopd/access.h"
#include "plopd/state_file.h"
#include "query/question.h"
#include "query/store_source.h"
#include "util/clock.h"
#include "util/log.h"
#include "window/memo.h"

#define FILE_NAME "regressions.json"
/* How much of the store is looked at for versions when plopd starts. */
#define KNOWN_NS (48 * 3600 * NSEC_PER_SEC)
/* Bytes of one comparison while it is worked out, besides what it reads. */
#define ANSWER_MAX (8u << 20)
/* Windows of the base side besides twice as many as the new one has. */
#define BASE_WINDOWS 40

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static uid_t uid_of(const json_t *comparison)
{
	const json_t *uid = json_object_get(comparison, "uid");

	return json_is_integer(uid) ? (uid_t)json_integer_value(uid) : PROCESS_NO_UID;
}

static bool is_of(const json_t *comparison, uid_t uid, const char *service, const char *version)
{
	return uid_of(comparison) == uid && streq(text_of(comparison, "service"), service) &&
	       streq(text_of(comparison, "version"), version);
}

/* The one that is kept of a version, and where; NULL: there is none. */
static json_t *find(const struct regressions *g, uid_t uid, const char *service,
		    const char *version, size_t *ret)
{
	json_t *one;
	size_t i;

	json_array_foreach(g->stored, i, one)
	{
		if (!is_of(one, uid, service, version))
			continue;
		*ret = i;
		return one;
	}
	return NULL;
}

/* What is read at the start. */
struct loading {
	struct regressions *of;
	struct deploy_watch watch;
	struct buf text;
	bool from_file; /* of an older plopd */
	uint64_t now_ns;
	int r, r_text;
};

static void loading_free(struct loading *k)
{
	deploy_watch_done(&k->watch);
	buf_free(&k->text);
	free(k);
}

static void on_kept(int r, void *ctx)
{
	const struct regressions *g = ctx;

	if (r < 0)
		log_warning_r(r, "Cannot write what became slower into plop.db in %s",
			      g->config->state_dir);
}

/* What was read in a file is in plop.db. */
static void on_taken_over(int r, void *ctx)
{
	const struct regressions *g = ctx;

	on_kept(r, ctx);
	if (r == 0)
		state_file_remove(g->config->state_dir, FILE_NAME);
}

static void keep(struct regressions *g, windows_memo_fn done)
{
	char *text = json_dumps(g->stored, JSON_COMPACT);
	struct buf b = {};
	int r = -ENOMEM;

	if (text) {
		buf_append(&b, text, strlen(text));
		free(text);
		r = b.error ? b.error :
			      windows_save_memo(g->windows, MEMO_REGRESSIONS, &b, done, g);
		buf_free(&b);
	}
	if (r < 0)
		on_kept(r, g);
}

/* Puts a comparison in the place of an earlier one of the same version. Takes it over. */
static void store(struct regressions *g, json_t *comparison)
{
	uid_t uid = uid_of(comparison);
	size_t at, users = 0;

	if (find(g, uid, text_of(comparison, "service"), text_of(comparison, "version"), &at))
		json_array_remove(g->stored, at);
	json_array_insert_new(g->stored, 0, comparison);
	for (at = 0; at < json_array_size(g->stored);) {
		users += uid_of(json_array_get(g->stored, at)) == uid;
		if (at >= REGRESSIONS_MAX || (uid != 0 && users > REGRESSIONS_USER_MAX &&
					      uid_of(json_array_get(g->stored, at)) == uid))
			json_array_remove(g->stored, at);
		else
			at++;
	}
	keep(g, on_kept);
}

/* A comparison under way. */
struct comparison_job {
	struct regressions *of;
	struct question question;
	struct store_source source;
	uid_t uid;
	char *service, *version, *before; /* owned */
	json_t *answer;                   /* what GET /v1/diff would say; owned */
	uint32_t looked;                  /* windows that the version had */
	uint64_t cpu_ns;
};

static void job_free(struct comparison_job *j)
{
	question_clear(&j->question);
	free(j->service);
	free(j->version);
	free(j->before);
	json_decref(j->answer);
	free(j);
}

/* On the worker. */
static void job_run(void *ctx)
{
	struct comparison_job *j = ctx;
	struct question *k = &j->question;
	uint64_t began = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	question_read(k);
	if (k->r == 0 && question_write(k) == 0)
		j->answer = json_loadb(k->answer.data, k->answer.size, 0, NULL);
	buf_free(&k->answer);
	j->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - began;
}

/* A side, without the times that say nothing to a reader. */
static json_t *side_of(const json_t *answer, const char *key)
{
	const json_t *side = json_object_get(answer, key);
	json_t *o = json_object();

	json_object_set(o, "windows", json_object_get(side, "windows"));
	json_object_set(o, "samples", json_object_get(side, "samples"));
	return o;
}

/* The functions that are slower, those that changed most first. Owned by the caller. */
static json_t *slower_of(const json_t *answer)
{
	json_t *all = json_array(), *f;
	size_t i;

	json_array_foreach(json_object_get(answer, "functions"), i, f)
	{
		double rise = json_number_value(json_object_get(f, "rise"));

		if (streq(text_of(f, "verdict"), "slower") && rise >= DIFF_TOLD_LEAST &&
		    json_array_size(all) < DIFF_TOLD_FUNCTIONS)
			json_array_append(all, f);
	}
	return all;
}

static bool has_function(const json_t *comparison, const json_t *f)
{
	const json_t *other;
	size_t i;

	json_array_foreach(json_object_get(comparison, "regressions"), i, other)
	{
		if (streq(text_of(other, "name"), text_of(f, "name")) &&
		    streq(text_of(other, "file"), text_of(f, "file")))
			return true;
	}
	return false;
}

/* A line for each function that was not said before. */
static void tell(const json_t *comparison, const json_t *earlier)
{
	unsigned int n = 0;
	const json_t *f;
	size_t i;

	json_array_foreach(json_object_get(comparison, "regressions"), i, f)
	{
		if (has_function(earlier, f) || n++ >= REGRESSIONS_LOGGED)
			continue;
		log_warning("service %.64s: version %.64s is slower than %.64s: %.128s (%.128s) "
			    "costs %.1f %% more, which is %.2f %% of all its time",
			    text_of(comparison, "service"), text_of(comparison, "version"),
			    text_of(comparison, "before"), text_of(f, "name"), text_of(f, "file"),
			    100 * json_number_value(json_object_get(f, "relative")),
			    100 * json_number_value(json_object_get(f, "rise")));
	}
	if (n > REGRESSIONS_LOGGED)
		log_warning("service %.64s: %u more functions are slower in version %.64s; plopctl "
			    "regressions lists them",
			    text_of(comparison, "service"), n - REGRESSIONS_LOGGED,
			    text_of(comparison, "version"));
}

/* Owned by the caller; what there was no memory for is null, or not there. */
static json_t *comparison_of(const struct comparison_job *j)
{
	double now = (double)clock_ns(CLOCK_REALTIME) / 1e9;
	json_t *o = json_object();

	json_object_set_new(o, "uid",
			    j->uid == PROCESS_NO_UID ? json_null() : json_integer(j->uid));
	json_object_set_new(o, "service", json_string(j->service));
	json_object_set_new(o, "version", json_string(j->version));
	json_object_set_new(o, "before", json_string(j->before));
	json_object_set_new(o, "time", json_real(now));
	/* long ones are compared by ten minutes, which are fewer */
	json_object_set_new(o, "looked", json_integer(j->looked));
	json_object_set_new(o, "base", side_of(j->answer, "base"));
	json_object_set_new(o, "new", side_of(j->answer, "new"));
	json_object_set(o, "warnings", json_object_get(j->answer, "warnings"));
	json_object_set_new(o, "regressions", slower_of(j->answer));
	return o;
}

static void take(struct regressions *g, const struct comparison_job *j)
{
	json_t *comparison = comparison_of(j);
	size_t at;

	if (!json_object_get(comparison, "regressions")) {
		log_warning("Out of memory, a comparison of versions is not kept");
		json_decref(comparison);
		return;
	}
	tell(comparison, find(g, j->uid, j->service, j->version, &at));
	store(g, comparison);
}

static void job_done(void *ctx)
{
	struct comparison_job *j = ctx;
	struct regressions *g = j->of;

	g->busy = false;
	g->compared++;
	g->next_ns = clock_ns(CLOCK_MONOTONIC) + REGRESSIONS_PART * j->cpu_ns;
	if (j->answer)
		take(g, j);
	else
		log_debug("Versions %.64s and %.64s of %.64s cannot be compared: %s", j->before,
			  j->version, j->service,
			  j->question.error ? j->question.error : strerror(-j->question.r));
	job_free(j);
}

/* The time and the processes of one side. */
static int side_query(struct query *q, const struct watched *of, uint64_t from_ns)
{
	_cleanup_free_ char *service = NULL, *version = NULL;
	int r;

	*q = (struct query){ .from_ns = from_ns, .to_ns = of->last_ns + 1 };
	q->selectors.owned = of->uid != PROCESS_NO_UID;
	q->selectors.uid = of->uid;
	if (asprintf(&service, "service=%s", of->service) < 0)
		return -ENOMEM;
	if (asprintf(&version, "version=%s", of->version) < 0) {
		version = NULL;
		return -ENOMEM;
	}
	r = selectors_add(&q->selectors, service);
	return r < 0 ? r : selectors_add(&q->selectors, version);
}

static int job_fill(struct comparison_job *j, const struct watched *new,
		    const struct watched *before)
{
	_cleanup_query_ struct query base_query = {}, new_query = {};
	const struct regressions *g = j->of;
	/* neighbours in time, so that the load is much the same */
	uint64_t back = (2 * (uint64_t) new->windows + BASE_WINDOWS) * g->config->window_ns;
	uint64_t from = before->last_ns > back ? before->last_ns - back : 0;
	int r = side_query(&base_query, before, MAX(before->first_ns, from));

	if (r == 0)
		r = side_query(&new_query, new, new->first_ns);
	if (r < 0)
		return r;
	j->uid = new->uid;
	j->looked = new->looked;
	j->service = strdup(new->service);
	j->version = strdup(new->version);
	j->before = strdup(before->version);
	j->source = (struct store_source){ .source = { .read = store_source_read },
					   .state_dir = g->config->state_dir };
	question_init_diff(&j->question, &j->source.source, &base_query, &new_query);
	j->question.answer.limit = ANSWER_MAX;
	return j->service && j->version && j->before ? 0 : -ENOMEM;
}

/* Has the next comparison made, if one is due. */
static void look(struct regressions *g)
{
	const struct watched *new, *before;
	struct comparison_job *j;

	if (g->busy || clock_ns(CLOCK_MONOTONIC) < g->next_ns ||
	    !deploy_watch_next(&g->watch, &new, &before))
		return;
	j = calloc(1, sizeof(*j));
	if (!j)
		return;
	j->of = g;
	if (job_fill(j, new, before) < 0 ||
	    worker_submit(g->windows->query, job_run, job_done, j) < 0)
		job_free(j);
	else
		g->busy = true;
}

static void on_saved(const struct profile *window, void *ctx)
{
	struct regressions *g = ctx;

	if (!g->loaded)
		return;
	for (uint32_t i = 0; i < window->nprocesses; i++)
		if (deploy_watch_add(&g->watch, &window->processes[i], window->start_ns,
				     window->end_ns) < 0)
			return;
	look(g);
}

static int add_known(const struct profile_process *p, uint64_t start_ns, uint64_t end_ns, void *ctx)
{
	return deploy_watch_add(ctx, p, start_ns, end_ns);
}

/* On the worker. */
static void load_run(void *ctx)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	struct loading *k = ctx;
	const char *state_dir = k->of->config->state_dir;
	uint64_t from = k->now_ns > KNOWN_NS ? k->now_ns - KNOWN_NS : 0;

	k->r_text = state_file_read(state_dir, FILE_NAME, &k->text);
	k->from_file = k->r_text == 0;
	k->r = store_reader_open(state_dir, &reader, NULL);
	if (k->r == 0 && k->r_text == -ENOENT)
		k->r_text = store_read_memo(reader, MEMO_REGRESSIONS, &k->text);
	if (k->r == 0)
		k->r = store_each_process(reader, from, k->now_ns, NULL, false, add_known,
					  &k->watch);
}

/*
 * What was compared before is not compared again before it has twice as many windows. Before they
 * said that, comparisons had the number of windows that they were made of.
 */
static void take_looked(struct regressions *g)
{
	const json_t *one;
	size_t i;

	json_array_foreach(g->stored, i, one)
	{
		const json_t *looked = json_object_get(one, "looked");

		if (!looked)
			looked = json_object_get(json_object_get(one, "new"), "windows");
		deploy_watch_looked(&g->watch, uid_of(one), text_of(one, "service"),
				    text_of(one, "version"), (uint32_t)json_number_value(looked));
	}
}

static void load_done(void *ctx)
{
	struct loading *k = ctx;
	struct regressions *g = k->of;
	json_t *stored = k->r_text == 0 ? json_loadb(k->text.data ? k->text.data : "", k->text.size,
						     0, NULL) :
					  NULL;

	if (k->r_text == 0 && !json_is_array(stored))
		k->r_text = -EBADMSG;
	if (k->r_text < 0 && k->r_text != -ENOENT)
		log_warning_r(k->r_text, "Cannot read what became slower before, in %s",
			      g->config->state_dir);
	if (k->r_text == 0) {
		json_decref(g->stored);
		g->stored = json_incref(stored);
	}
	json_decref(stored);
	g->watch = k->watch;
	k->watch = (struct deploy_watch){};
	g->loaded = true;
	take_looked(g);
	if (k->r_text == 0 && k->from_file)
		keep(g, on_taken_over);
	loading_free(k);
}

int regressions_init(struct regressions *g, const struct config *config, struct windows *windows)
{
	struct loading *k = calloc(1, sizeof(*k));
	int r;

	*g = (struct regressions){ .config = config, .windows = windows, .stored = json_array() };
	if (!k || !g->stored) {
		free(k);
		return -ENOMEM;
	}
	k->of = g;
	k->now_ns = clock_ns(CLOCK_REALTIME);
	r = worker_submit(windows->query, load_run, load_done, k);
	if (r < 0) {
		loading_free(k);
		return r;
	}
	windows->saved = on_saved;
	windows->saved_ctx = g;
	return 0;
}

void regressions_stop(struct regressions *g)
{
	if (g->windows)
		g->windows->saved = NULL;
}

void regressions_done(struct regressions *g)
{
	deploy_watch_done(&g->watch);
	json_decref(g->stored);
	g->stored = NULL;
}

/* Whether a comparison is among what is asked for, and for the peer to see. */
static bool is_wanted(const struct query *q, const json_t *comparison)
{
	struct profile_process p = { .info = process_info_of(0) };

	p.info.uid = uid_of(comparison);
	p.info.service = (char *)(uintptr_t)text_of(comparison, "service");
	p.info.version = (char *)(uintptr_t)text_of(comparison, "version");
	return selectors_match_process(&q->selectors, &p) &&
	       (!q->has_from ||
		json_number_value(json_object_get(comparison, "time")) * 1e9 >= (double)q->from_ns);
}

/* Its functions, each with the versions that it is of, are put to the others. */
static void add_functions(const json_t *comparison, json_t *to)
{
	static const char *const keys[] = { "service", "version", "before", "time" };
	json_t *f;
	size_t i;

	json_array_foreach(json_object_get(comparison, "regressions"), i, f)
	{
		json_t *copy = json_copy(f);

		for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
			json_object_set(copy, keys[k], json_object_get(comparison, keys[k]));
		json_array_append_new(to, copy);
	}
}

void route_regressions(const struct api_request *q, void *ctx)
{
	json_t *functions, *comparisons, *answer, *one;
	const struct regressions *g = ctx;
	_cleanup_query_ struct query query = {};
	size_t i;

	if (api_query(q, &query) < 0)
		return;
	api_limit(&q->peer, &query.selectors);
	functions = json_array();
	comparisons = json_array();
	json_array_foreach(g->stored, i, one)
	{
		json_t *head;

		if (!is_wanted(&query, one))
			continue;
		add_functions(one, functions);
		head = json_copy(one);
		json_object_del(head, "uid");
		json_object_del(head, "looked");
		json_object_set_new(head, "regressions",
				    json_integer((json_int_t)json_array_size(
					    json_object_get(one, "regressions"))));
		json_array_append_new(comparisons, head);
	}
	answer = json_object();
	json_object_set_new(answer, "regressions", functions);
	json_object_set_new(answer, "comparisons", comparisons);
	api_reply_json(q->call, 200, answer);
}

/* A label's value, as Prometheus has it. */
static void put_label(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			buf_putc(b, '\\');
		buf_putc(b, *text);
	}
}

void regressions_metrics(const struct regressions *g, struct buf *b)
{
	const json_t *one;
	size_t i;

	buf_printf(b,
		   "# HELP plop_comparisons_total Comparisons of a new version with the one before."
		   "\n# TYPE plop_comparisons_total counter\nplop_comparisons_total %llu\n"
		   "# HELP plop_regressions Functions that are slower than in the version before.\n"
		   "# TYPE plop_regressions gauge\n",
		   (unsigned long long)g->compared);
	json_array_foreach(g->stored, i, one)
	{
		buf_printf(b, "plop_regressions{uid=\"%lld\",service=\"",
			   uid_of(one) == PROCESS_NO_UID ? -1LL : (long long)uid_of(one));
		put_label(b, text_of(one, "service"));
		buf_puts(b, "\",version=\"");
		put_label(b, text_of(one, "version"));
		buf_printf(b, "\"} %zu\n", json_array_size(json_object_get(one, "regressions")));
	}
}
