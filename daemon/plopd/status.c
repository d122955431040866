/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/resource.h>

#include "plopd/status.h"
#include "plop/version.h"
#include "plopd/access.h"
#include "plopd/manager.h"
#include "query/question.h"
#include "record/recording_shares.h"
#include "target/silence.h"
#include "target/targets_starting.h"
#include "target/titles.h"
#include "util/heap.h"

/* What plopd itself costs, since it started where nothing else is said. */
struct cost {
	double bpf_ns_per_sample;
	uint64_t bpf_timed; /* samples that bpf_ns_per_sample is the mean of */
	double bpf_seconds;
	double bpf_cpu_percent;    /* of one core */
	double daemon_cpu_percent; /* since sampling began */
	double cpu_seconds;
	double users_cpu_seconds; /* ... of these, on processes of users who are not trusted */
	uint64_t rss_bytes;
	uint64_t map_bytes;
	uint64_t helper_bytes;
	double uptime_s;
};

double status_cpu_seconds(void)
{
	struct rusage u = {};

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void cost_read(const struct manager *m, struct cost *ret)
{
	struct examiner_facts helpers;

	_cleanup_fclose_ FILE *f = fopen("/proc/self/statm", "re");
	uint64_t elapsed = cycle_mono_ns(&m->cycle) - m->collect.started_ns;
	double sampling = (double)(cycle_mono_ns(&m->cycle) - m->sampling_ns) / 1e9;
	unsigned long long size, resident = 0;

	if (f && fscanf(f, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	examiner_facts(m->examiner, &helpers);
	ret->uptime_s = (double)elapsed / 1e9;
	ret->cpu_seconds = status_cpu_seconds() + helpers.cpu_seconds;
	ret->users_cpu_seconds = (double)m->shares.spent_ns / 1e9;
	/* loading and verifying the programs is paid once, and would hide what running costs */
	ret->daemon_cpu_percent =
		sampling > 0 ? 100 * (ret->cpu_seconds - m->startup_cpu_s) / sampling : 0;
	ret->bpf_timed = m->collect.bpf_timed;
	ret->bpf_ns_per_sample =
		m->collect.bpf_timed ? (double)m->collect.bpf_ns / (double)m->collect.bpf_timed : 0;
	ret->bpf_seconds = (double)collect_bpf_ns(&m->collect) / 1e9;
	ret->bpf_cpu_percent = elapsed ? 100 * ret->bpf_seconds / ret->uptime_s : 0;
	ret->rss_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE) + helpers.private_bytes;
	ret->helper_bytes = helpers.private_bytes;
	ret->map_bytes = sampler_map_bytes(m->sampler);
}

static void put_cost(struct json_writer *w, const struct cost *c)
{
	json_put_object(w, "cost");
	json_put_real(w, "bpf_ns_per_sample", c->bpf_ns_per_sample);
	json_put_uint(w, "bpf_timed_samples", c->bpf_timed);
	json_put_real(w, "bpf_seconds", c->bpf_seconds);
	json_put_real(w, "cpu_seconds", c->cpu_seconds);
	json_put_real(w, "users_cpu_seconds", c->users_cpu_seconds);
	json_put_real(w, "bpf_cpu_percent", c->bpf_cpu_percent);
	json_put_real(w, "daemon_cpu_percent", c->daemon_cpu_percent);
	json_put_uint(w, "rss_bytes", c->rss_bytes);
	json_put_uint(w, "map_bytes", c->map_bytes);
	json_put_end(w);
}

/* What the resident memory is of, as far as it is known; the rest is programs and libraries. */
static void put_memory(struct json_writer *w, const struct manager *m, const struct cost *c)
{
	struct targets_memory t;
	struct heap_facts heap;

	targets_memory(&m->targets, &t);
	heap_facts(&heap);
	json_put_object(w, "memory");
	json_put_uint(w, "processes", t.processes);
	json_put_uint(w, "names", t.names);
	json_put_uint(w, "line_tables", t.line_tables);
	json_put_uint(w, "windows", windows_bytes(&m->windows));
	json_put_uint(w, "recordings", recordings_all_bytes(&m->recordings));
	json_put_uint(w, "store_cache", store_cache_bytes());
	json_put_uint(w, "helpers", c->helper_bytes);
	json_put_uint(w, "heap", heap.used);
	json_put_uint(w, "heap_unused", heap.unused);
	json_put_end(w);
}

static void put_loop(struct json_writer *w, const struct loop_timing *l)
{
	struct loop_longest recent = loop_timing_recent(l);

	json_put_object(w, "loop");
	json_put_real(w, "longest_ms", (double)l->longest.elapsed_ns / 1e6);
	json_put_real(w, "longest_cpu_ms", (double)l->longest.cpu_ns / 1e6);
	json_put_string(w, "longest_cpu_of", l->longest.what);
	json_put_real(w, "recent_ms", (double)recent.elapsed_ns / 1e6);
	json_put_real(w, "recent_cpu_ms", (double)recent.cpu_ns / 1e6);
	json_put_string(w, "recent_cpu_of", recent.what);
	json_put_uint(w, "late", l->late);
	json_put_uint(w, "events", l->events);
	json_put_end(w);
}

static unsigned int processes_profiled(const struct manager *m)
{
	const struct target *k;
	unsigned int n = 0;

	for (k = m->targets.all; k; k = k->hh.next)
		n += !k->dying && k->python.verdict == PYTHON_YES;
	return n;
}

static void put_window(struct json_writer *w, struct manager *m)
{
	const struct profile *p = windows_running(&m->windows);

	if (!p) {
		json_put_null(w, "window");
		return;
	}
	json_put_object(w, "window");
	json_put_seconds(w, "start", (int64_t)p->start_ns);
	json_put_seconds(w, "end", (int64_t)m->windows.end_ns);
	json_put_seconds(w, "clock_set_s", p->stepped_ns);
	json_put_uint(w, "samples", p->samples_total);
	json_put_end(w);
}

/* What is the same for all. */
static void put_head(struct json_writer *w, const struct config *c)
{
	json_put_string(w, "version", PLOP_VERSION);
	json_put_int(w, "hz", (int64_t)c->hz);
	json_put_seconds(w, "window_s", (int64_t)c->window_ns);
	json_put_string(w, "mode", config_mode_name(c->mode));
}

/* Of which processes alone it tells. */
static void put_only(struct json_writer *w, const struct api_peer *peer)
{
	if (peer->trusted)
		json_put_string(w, "only_service", peer->scope.service);
	else
		json_put_uint(w, "only_uid", peer->uid);
}

/* For somebody who may not know of all: what is the same for all, and what is the peer's own. */
static void put_own_status(struct json_writer *w, const struct api_peer *peer,
			   const struct manager *m)
{
	unsigned int processes = 0, recordings = 0;
	struct tally t = {};

	for (const struct target *k = m->targets.all; k; k = k->hh.next) {
		if (k->dying || !access_process(peer, k))
			continue;
		processes += k->python.verdict == PYTHON_YES;
		t.ticks += k->samples;
		t.python += k->samples;
	}
	for (size_t i = 0; i < ARRAY_SIZE(m->recordings.items); i++) {
		const struct recording *recording = m->recordings.items[i];

		recordings += recording && recording->state != RECORDING_DONE &&
			      access_recording(peer, recording);
	}
	json_put_object(w, NULL);
	put_head(w, m->config);
	put_only(w, peer);
	json_put_uint(w, "processes", processes);
	tally_put(w, "samples", &t);
	json_put_uint(w, "recordings", recordings);
	if (!peer->trusted)
		shares_put(w, "shares", &m->shares, shares_user(&m->shares, peer->uid));
	json_put_end(w);
}

static void put_symbols(struct json_writer *w, const struct symbol_counts *s, uint64_t dropped)
{
	json_put_object(w, "symbols");
	json_put_uint(w, "resolved", s->resolved);
	json_put_uint(w, "captured", s->captured);
	json_put_uint(w, "unresolved", s->unresolved);
	json_put_uint(w, "dropped_records", dropped);
	json_put_end(w);
}

static void put_status(struct json_writer *w, struct manager *m)
{
	const struct collect *counted = &m->collect;
	const struct store_status store = {
		.state_dir = m->config->state_dir,
		.facts = &m->windows.facts,
		.live = true,
		.unsaved = m->windows.unsaved,
		.error = m->windows.error,
	};
	struct cost c = {};

	cost_read(m, &c);
	json_put_object(w, NULL);
	put_head(w, m->config);
	json_put_int(w, "pid", getpid());
	json_put_real(w, "uptime_s", c.uptime_s);
	json_put_uint(w, "processes", processes_profiled(m));
	tally_put(w, "samples", &counted->tally);
	put_symbols(w, &m->targets.symbols, counted->codes_dropped);
	put_cost(w, &c);
	put_memory(w, m, &c);
	store_status_put(w, "store", &store);
	json_put_uint(w, "recordings", recordings_running(&m->recordings));
	put_window(w, m);
	json_put_string(w, "gateway", viewer_address(&m->viewer));
	json_put_seconds(w, "first_sample_s",
			 counted->first_sample_ns ?
				 (int64_t)(counted->first_sample_ns - counted->started_ns) :
				 -(int64_t)NSEC_PER_SEC);
	json_put_uint(w, "table_full", m->targets.table_full + sampler_table_full(m->sampler));
	shares_put(w, "shares", &m->shares, SHARES_NOBODY);
	notices_put(w, "notices", &m->windows);
	put_loop(w, &m->timing);
	rate_watch_put(w, "rate", &m->rate);
	budget_put(w, "budget", &m->budget);
	json_put_end(w);
}

void route_status(const struct api_request *q, void *ctx)
{
	_cleanup_buf_ struct buf body = {};
	struct json_writer w = json_writer_on(&body);

	if (api_sees_all(&q->peer))
		put_status(&w, ctx);
	else
		put_own_status(&w, &q->peer, ctx);
	api_reply_writer(q->call, 200, &w);
}

/* What ps says of one that does not let itself be read. */
#define SILENT                                                                       \
	"its memory or files are not answered for, as by a file system that hangs: " \
	"not profiled; tried again now and then"
#define SILENT_NOW                                                                   \
	"profiled; its memory is not answered for, as by a file system that hangs: " \
	"functions may have no names"

/* ... of one whose user has no credit left. */
#define BEYOND                                                                           \
	"profiled; its user's processes have cost plopd more than they may: it is read " \
	"more seldom, functions may have no names"

static const char *target_status(struct targets *t, const struct target *k, char *buffer,
				 size_t size)
{
	unsigned int minutes = target_minutes_starting(t, k);

	switch (k->python.verdict) {
	case PYTHON_YES:
		if (minutes > 0 && !target_is_silent(t, k)) {
			snprintf(buffer, size,
				 "profiled; its interpreter has not been up for %u min: not "
				 "initialised, or ended",
				 minutes);
			return buffer;
		}
		if (target_is_silent(t, k))
			return SILENT_NOW;
		return effort_is_left(&t->effort, k->user) ? "profiled" : BEYOND;
	case PYTHON_SILENT:
		return SILENT;
	case PYTHON_PYPY:
		return "PyPy is not supported: plop walks CPython's frames";
	default:
		return k->python.why[0] ? k->python.why : "this CPython is not known to this plop";
	}
}

/* What says the version of a target; "": none is known. */
static const char *version_source(const struct target *k)
{
	if (k->own_version)
		return "mark";
	if (!*k->info.version)
		return "";
	return k->info.says_version                     ? "environment" :
	       strncmp(k->info.version, "git-", 4) == 0 ? "git" :
							  "mtime";
}

static void put_target(struct json_writer *w, struct manager *m, const struct target *k)
{
	const struct process_info *i = &k->info;
	char status[128];
	unsigned int threads = process_threads(i->pid);
	uint64_t image;
	double named = k->samples ? 100.0 * (double)k->symbolized / (double)k->samples : 100.0;

	/* by now another process may have the pid */
	if (sampler_process_image(m->sampler, k->key.tgid, &image) < 0 || image != k->key.image)
		threads = 0;
	json_put_object(w, NULL);
	json_put_int(w, "pid", i->pid);
	json_put_real(w, "start_time", i->start_time);
	json_put_string(w, "python", k->python.version);
	json_put_string(w, "comm", i->comm);
	json_put_string(w, "exe", i->exe);
	json_put_string(w, "cmdline", i->cmdline);
	json_put_string(w, "cgroup", i->cgroup);
	json_put_string(w, "unit", i->unit);
	json_put_string(w, "container", i->container);
	json_put_string(w, "service", i->service);
	json_put_string(w, "version", i->version);
	json_put_string(w, "version_from", version_source(k));
	json_put_uint(w, "threads", threads);
	json_put_uint(w, "samples", k->samples);
	json_put_real(w, "cpu_percent", k->cpu_percent);
	json_put_real(w, "symbolized_percent", named);
	json_put_bool(w, "restless_title", title_is_restless(k));
	json_put_string(w, "status", target_status(&m->targets, k, status, sizeof(status)));
	json_put_end(w);
}

void route_processes(const struct api_request *q, void *ctx)
{
	_cleanup_buf_ struct buf body = { .limit = api_answer_max(q->call) };
	struct json_writer w = json_writer_on(&body);
	struct manager *m = ctx;

	json_put_array(&w, NULL);
	for (const struct target *k = m->targets.all; k; k = k->hh.next) {
		if (!k->dying && access_process(&q->peer, k))
			put_target(&w, m, k);
	}
	json_put_end(&w);
	api_reply_writer(q->call, 200, &w);
}

static void metric(struct buf *b, const char *name, const char *type, const char *help,
		   double value)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name,
		   value);
}

void route_metrics(const struct api_request *q, void *ctx)
{
	struct manager *m = ctx;
	_cleanup_buf_ struct buf b = {};
	struct cost c = {};

	cost_read(m, &c);
	buf_printf(&b,
		   "# HELP plop_build_info The version of plopd.\n# TYPE plop_build_info gauge\n"
		   "plop_build_info{version=\"%s\"} 1\n",
		   PLOP_VERSION);
	metric(&b, "plop_hz", "gauge", "Ticks a second on each CPU.", (double)m->config->hz);
	metric(&b, "plop_processes", "gauge", "Python processes that are profiled.",
	       processes_profiled(m));
	metric(&b, "plop_ticks_total", "counter", "Ticks: python + other + lost.",
	       (double)m->collect.tally.ticks);
	metric(&b, "plop_python_ticks_total", "counter", "Ticks counted in a Python stack.",
	       (double)m->collect.tally.python);
	metric(&b, "plop_other_ticks_total", "counter", "Ticks outside of Python processes.",
	       (double)m->collect.tally.other);
	metric(&b, "plop_truncated_ticks_total", "counter",
	       "Python ticks whose stack lacks its root.", (double)m->collect.tally.truncated);
	buf_puts(&b, "# HELP plop_lost_ticks_total Ticks in Python processes without a stack, by "
		     "cause.\n"
		     "# TYPE plop_lost_ticks_total counter\n");
	for (unsigned int i = 0; i < PLOP_LOST_CAUSES; i++)
		buf_printf(&b, "plop_lost_ticks_total{cause=\"%s\"} %llu\n", tally_lost_name(i),
			   (unsigned long long)m->collect.tally.lost[i]);
	metric(&b, "plop_frames_resolved_total", "counter",
	       "Frames named from the target's memory.", (double)m->targets.symbols.resolved);
	metric(&b, "plop_frames_captured_total", "counter",
	       "Frames named from the kernel's record.", (double)m->targets.symbols.captured);
	metric(&b, "plop_frames_unresolved_total", "counter", "Frames without a name.",
	       (double)m->targets.symbols.unresolved);
	metric(&b, "plop_sample_weight", "gauge",
	       "What a tick counts for: more than 1 where plopd samples more seldom, see budget.",
	       m->budget.weight);
	metric(&b, "plop_bpf_seconds_total", "counter",
	       "CPU time of the sampling program on Python ticks.", c.bpf_seconds);
	metric(&b, "plop_daemon_cpu_seconds_total", "counter", "CPU time of plopd.", c.cpu_seconds);
	metric(&b, "plop_resident_bytes", "gauge", "Resident memory of plopd.",
	       (double)c.rss_bytes);
	metric(&b, "plop_map_bytes", "gauge", "Memory of the BPF maps.", (double)c.map_bytes);
	metric(&b, "plop_loop_longest_seconds", "gauge",
	       "Longest time of the loop's thread at one event, of late.",
	       (double)loop_timing_recent(&m->timing).elapsed_ns / 1e9);
	metric(&b, "plop_loop_late_total", "counter",
	       "Events that the loop's thread was at for more than 20 ms.", (double)m->timing.late);
	metric(&b, "plop_store_bytes", "gauge", "Size of plop.db.", (double)m->windows.facts.bytes);
	metric(&b, "plop_store_wal_bytes", "gauge", "Size of its WAL, a part of that.",
	       (double)m->windows.facts.wal_bytes);
	metric(&b, "plop_windows_dropped_total", "counter",
	       "Windows that went before their time, as max_store was reached.",
	       (double)m->windows.facts.dropped);
	metric(&b, "plop_store_windows", "gauge", "Windows in plop.db.",
	       (double)m->windows.facts.windows);
	metric(&b, "plop_windows_unsaved_total", "counter", "Windows that could not be saved.",
	       (double)m->windows.unsaved);
	metric(&b, "plop_recordings", "gauge", "Recordings under way.",
	       recordings_running(&m->recordings));
	regressions_metrics(&m->regressions, &b);
	api_reply(q->call, 200, "text/plain; version=0.0.4; charset=utf-8", &b, NULL);
}
