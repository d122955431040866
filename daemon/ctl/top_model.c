/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/top_model.h"

#include <math.h>

/* What uthash does when there is no memory: it sets failed, and nothing was added. */
#define HASH_NONFATAL_OOM            1
#define uthash_nonfatal_oom(element) failed = true
#include <uthash.h>

#include "ctl/ctl.h"
#include "ctl/select.h"

/*
 * For how long no tick at all is taken for one that was not collected yet; then the host is idle.
 */
#define STILL_S 2.5

struct count {
	double last;  /* in the last snapshot */
	double sum;   /* since the last publishing */
	double shown; /* of what was published */
};

struct function {
	char *key; /* name, kind, place and line in one */
	char *name, *file;
	int line;
	struct count self, total;
	bool seen; /* in the window that runs */
	UT_hash_handle hh;
};

struct process {
	int pid;
	double start_time, cpu;
	char *name, *comm, *python;
	struct count samples;
	bool seen, listed;
	UT_hash_handle hh;
};

struct top_model {
	struct top_target target;
	struct function *functions;
	struct process *processes;
	double start, end; /* of the last snapshot */
	double still;      /* the end of the last one in which nothing was new */
	struct count ticks, python, other, lost, samples;
	double pending;
	struct top_rates rates;
};

int top_model_new(const struct top_target *target, struct top_model **ret)
{
	struct top_model *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->target = *target;
	*ret = m;
	return 0;
}

static void function_free(struct function *f)
{
	free(f->key);
	free(f->name);
	free(f->file);
	free(f);
}

static void process_free(struct process *p)
{
	free(p->name);
	free(p->comm);
	free(p->python);
	free(p);
}

void top_model_free(struct top_model *m)
{
	struct function *f, *f2;
	struct process *p, *p2;

	if (!m)
		return;
	HASH_ITER(hh, m->functions, f, f2)
	{
		HASH_DEL(m->functions, f);
		function_free(f);
	}
	HASH_ITER(hh, m->processes, p, p2)
	{
		HASH_DEL(m->processes, p);
		process_free(p);
	}
	free(m);
}

static struct function *function_new(const char *key, const char *name, const char *file, int line)
{
	struct function *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->key = strdup(key);
	f->name = strdup(name);
	f->file = strdup(file);
	f->line = line;
	if (f->key && f->name && f->file)
		return f;
	function_free(f);
	return NULL;
}

static struct function *function_get(struct top_model *m, const json_t *node)
{
	const char *name = json_string_at(node, "function"), *file = json_place_at(node);
	const char *kind = json_string_at(node, "kind");
	int line = (int)json_number_at(node, "line");
	_cleanup_free_ char *key = NULL;
	struct function *f;
	bool failed = false;

	/* Neither has control characters: the encoder replaced them. */
	if (asprintf(&key, "%d\n%s\n%s\n%s", line, file, kind, name) < 0) {
		key = NULL;
		return NULL;
	}
	HASH_FIND_STR(m->functions, key, f);
	if (f)
		return f;
	f = function_new(key, name, file, line);
	if (!f)
		return NULL;
	HASH_ADD_KEYPTR(hh, m->functions, f->key, strlen(f->key), f);
	if (!failed)
		return f;
	function_free(f);
	return NULL;
}

static struct process *process_new(const json_t *o)
{
	const char *service = json_string_at(o, "service"), *comm = json_string_at(o, "comm");
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->pid = (int)json_number_at(o, "pid");
	p->start_time = json_number_at(o, "start_time");
	p->name = strdup(*service ? service : comm);
	p->comm = strdup(comm);
	p->python = strdup(json_string_at(o, "python"));
	if (p->name && p->comm && p->python)
		return p;
	process_free(p);
	return NULL;
}

static struct process *process_get(struct top_model *m, const json_t *o)
{
	int pid = (int)json_number_at(o, "pid");
	struct process *p;
	bool failed = false;

	HASH_FIND_INT(m->processes, &pid, p);
	/*
	 * The same process calls itself something else after an exec; another one begins at another
	 * time.
	 */
	if (p && fabs(p->start_time - json_number_at(o, "start_time")) < 0.005)
		return p;
	if (p) {
		HASH_DEL(m->processes, p);
		process_free(p);
	}
	p = process_new(o);
	if (!p)
		return NULL;
	HASH_ADD_INT(m->processes, pid, p);
	if (!failed)
		return p;
	process_free(p);
	return NULL;
}

static void count_feed(struct count *c, double now)
{
	if (now > c->last)
		c->sum += now - c->last;
	c->last = now;
}

static void count_publish(struct count *c)
{
	c->shown = c->sum;
	c->sum = 0;
}

/*
 * A window has ended and another begins: all of it counts from zero, and what the last one did not
 * have is forgotten.
 */
static void window_begin(struct top_model *m)
{
	struct count *const heads[] = { &m->ticks, &m->python, &m->other, &m->lost, &m->samples };
	struct function *f, *f2;
	struct process *p, *p2;

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		heads[i]->last = 0;
	HASH_ITER(hh, m->functions, f, f2)
	{
		f->self.last = f->total.last = 0;
		if (!f->seen && f->total.sum <= 0 && f->total.shown <= 0) {
			HASH_DEL(m->functions, f);
			function_free(f);
		} else {
			f->seen = false;
		}
	}
	HASH_ITER(hh, m->processes, p, p2)
	{
		p->samples.last = 0;
		if (!p->seen && !p->listed && p->samples.sum <= 0 && p->samples.shown <= 0) {
			HASH_DEL(m->processes, p);
			process_free(p);
		} else {
			p->seen = false;
		}
	}
}

/*
 * Nothing was collected since the last snapshot, which is plopd's once a second, too, and may fall
 * beside this one.
 */
static bool unchanged(const struct top_model *m, const json_t *snapshot, double start, double end)
{
	double ticks = json_number_at(snapshot, "ticks");

	return start <= m->start && start >= m->start && ticks <= m->ticks.last &&
	       ticks >= m->ticks.last && end - m->end < STILL_S;
}

static int feed_rows(struct top_model *m, const json_t *nodes, const json_t *processes)
{
	const json_t *o;
	size_t i;

	json_array_foreach(nodes, i, o)
	{
		struct function *f = function_get(m, o);

		if (!f)
			return -ENOMEM;
		f->seen = true;
		count_feed(&f->self, json_number_at(o, "self"));
		count_feed(&f->total, json_number_at(o, "total"));
	}
	json_array_foreach(processes, i, o)
	{
		struct process *p = process_get(m, o);

		if (!p)
			return -ENOMEM;
		p->seen = true;
		count_feed(&p->samples, json_number_at(o, "samples"));
	}
	return 0;
}

int top_model_feed(struct top_model *m, const json_t *snapshot)
{
	double start = json_number_at(snapshot, "start"), end = json_number_at(snapshot, "end");
	const json_t *nodes = json_object_get(snapshot, "nodes"),
		     *processes = json_object_get(snapshot, "processes");

	if (!json_is_array(nodes) || !json_is_array(processes) || start <= 0 || end < start)
		return -EBADMSG;
	if (unchanged(m, snapshot, start, end)) {
		m->still = end;
		return 0;
	}
	if (start < m->start || start > m->start) {
		/* of a whole window without a tick it is certain that none was missed */
		if (m->ticks.last <= 0)
			m->pending += fmax(0, m->still - m->end);
		window_begin(m);
		m->end = m->start = start;
	}
	m->pending += fmax(0, end - m->end);
	m->end = end;
	count_feed(&m->ticks, json_number_at(snapshot, "ticks"));
	count_feed(&m->python, json_number_at(snapshot, "python"));
	count_feed(&m->other, json_number_at(snapshot, "other"));
	count_feed(&m->lost, (double)text_lost_total(json_object_get(snapshot, "lost")));
	count_feed(&m->samples, json_number_at(snapshot, "samples"));
	return feed_rows(m, nodes, processes);
}

static bool path_has(const char *top, const char *path)
{
	size_t n = strlen(top);

	if (streq(top, "/"))
		return *path == '/';
	return strncmp(top, path, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

bool top_target_has(const struct top_target *t, const json_t *p)
{
	char pid[32];

	if (t->selectors && !ctl_selected(t->selectors, p))
		return false;
	if (!t->key)
		return true;
	if (streq(t->key, "pid")) {
		snprintf(pid, sizeof(pid), "%.0f", json_number_at(p, "pid"));
		return streq(pid, t->value);
	}
	if (streq(t->key, "cgroup"))
		return path_has(t->value, json_string_at(p, "cgroup"));
	return streq(json_string_at(p, "unit"), t->value);
}

size_t top_slice_path(const char *cgroup, const char *slice)
{
	size_t n = strlen(slice);

	for (const char *p = strchr(cgroup, '/'); p; p = strchr(p + 1, '/')) {
		if (strncmp(p + 1, slice, n) == 0 && (p[n + 1] == '/' || p[n + 1] == '\0'))
			return (size_t)(p + 1 + n - cgroup);
	}
	return 0;
}

int top_model_processes(struct top_model *m, const json_t *array)
{
	struct process *p;
	const json_t *o;
	size_t i;

	if (!json_is_array(array))
		return -EBADMSG;
	for (p = m->processes; p; p = p->hh.next)
		p->listed = false;
	json_array_foreach(array, i, o)
	{
		if (!streq(json_string_at(o, "status"), "profiled") ||
		    !top_target_has(&m->target, o))
			continue;
		p = process_get(m, o);
		if (!p)
			return -ENOMEM;
		p->listed = true;
		p->cpu = json_number_at(o, "cpu_percent");
	}
	return 0;
}

double top_model_pending(const struct top_model *m)
{
	return m->pending;
}

void top_model_publish(struct top_model *m)
{
	struct count *const heads[] = { &m->ticks, &m->python, &m->other, &m->lost, &m->samples };
	double *const rates[] = { &m->rates.ticks, &m->rates.python, &m->rates.other,
				  &m->rates.lost, &m->rates.samples };

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		count_publish(heads[i]);
		*rates[i] = m->pending > 0 ? heads[i]->shown / m->pending : 0;
	}
	for (struct function *f = m->functions; f; f = f->hh.next) {
		count_publish(&f->self);
		count_publish(&f->total);
	}
	for (struct process *p = m->processes; p; p = p->hh.next)
		count_publish(&p->samples);
	m->rates.seconds = m->pending;
	m->pending = 0;
}

void top_model_forget(struct top_model *m)
{
	struct count *const heads[] = { &m->ticks, &m->python, &m->other, &m->lost, &m->samples };

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		heads[i]->sum = 0;
	for (struct function *f = m->functions; f; f = f->hh.next)
		f->self.sum = f->total.sum = 0;
	for (struct process *p = m->processes; p; p = p->hh.next)
		p->samples.sum = 0;
	m->pending = 0;
}

const struct top_rates *top_model_rates(const struct top_model *m)
{
	return &m->rates;
}

size_t top_model_listed(const struct top_model *m)
{
	size_t n = 0;

	for (const struct process *p = m->processes; p; p = p->hh.next)
		n += p->listed;
	return n;
}

static int by_self(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	if (x->self < y->self || x->self > y->self)
		return x->self < y->self ? 1 : -1;
	if (x->total < y->total || x->total > y->total)
		return x->total < y->total ? 1 : -1;
	return x->pid != y->pid ? (x->pid > y->pid) - (x->pid < y->pid) : strcmp(x->name, y->name);
}

static int by_total(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	if (x->total < y->total || x->total > y->total)
		return x->total < y->total ? 1 : -1;
	return by_self(a, b);
}

static bool row_passes(const struct top_row *r, const char *filter)
{
	char pid[16];

	if (!filter || !*filter)
		return true;
	snprintf(pid, sizeof(pid), "%d", r->pid);
	return strcasestr(r->name, filter) || strcasestr(r->place, filter) ||
	       (r->pid && strstr(pid, filter));
}

static double rate_of(const struct top_model *m, double n)
{
	return m->rates.seconds > 0 ? n / m->rates.seconds : 0;
}

static double percent_of(const struct top_model *m, double n)
{
	return m->samples.shown > 0 ? 100 * n / m->samples.shown : 0;
}

static size_t function_rows(const struct top_model *m, const char *filter, struct top_row *rows)
{
	size_t n = 0;

	for (const struct function *f = m->functions; f; f = f->hh.next) {
		struct top_row row = {
			.name = f->name,
			.place = f->file,
			.python = "",
			.line = f->line,
			.self = percent_of(m, f->self.shown),
			.total = percent_of(m, f->total.shown),
			.rate = rate_of(m, f->self.shown),
		};

		if (f->total.shown > 0 && row_passes(&row, filter))
			rows[n++] = row;
	}
	return n;
}

static size_t process_rows(const struct top_model *m, const char *filter, struct top_row *rows)
{
	size_t n = 0;

	for (const struct process *p = m->processes; p; p = p->hh.next) {
		struct top_row row = {
			.name = p->name,
			.place = p->comm,
			.python = p->python,
			.pid = p->pid,
			.self = percent_of(m, p->samples.shown),
			.total = p->cpu,
			.rate = rate_of(m, p->samples.shown),
		};

		if ((p->listed || p->samples.shown > 0) && row_passes(&row, filter))
			rows[n++] = row;
	}
	return n;
}

int top_model_rows(const struct top_model *m, enum top_kind kind, enum top_sort sort,
		   const char *filter, struct top_row **ret, size_t *ret_n)
{
	size_t max = kind == TOP_FUNCTIONS ? HASH_COUNT(m->functions) : HASH_COUNT(m->processes);
	struct top_row *rows = calloc(max + 1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	*ret_n = kind == TOP_FUNCTIONS ? function_rows(m, filter, rows) :
					 process_rows(m, filter, rows);
	qsort(rows, *ret_n, sizeof(*rows), sort == TOP_SELF ? by_self : by_total);
	*ret = rows;
	return 0;
}
