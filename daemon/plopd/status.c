/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/resource.h>

#include "plopd/status.h"
#include "plopd/access.h"
#include "plopd/manager.h"
#include "record/recording_json.h"
#include "target/silence.h"
#include "target/targets_starting.h"
#include "target/titles.h"

/* What plopd itself costs, since it started where nothing else is said. */
struct cost {
	double bpf_ns_per_sample;
	uint64_t bpf_timed; /* samples that bpf_ns_per_sample is the mean of */
	double bpf_seconds;
	double bpf_cpu_percent;    /* of one core */
	double daemon_cpu_percent; /* since sampling began */
	double cpu_seconds;
	uint64_t rss_bytes;
	uint64_t map_bytes;
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
	/* loading and verifying the programs is paid once, and would hide what running costs */
	ret->daemon_cpu_percent =
		sampling > 0 ? 100 * (ret->cpu_seconds - m->startup_cpu_s) / sampling : 0;
	ret->bpf_timed = m->collect.bpf_timed;
	/* only some ticks are timed: they stand for all that were walked */
	ret->bpf_ns_per_sample =
		m->collect.bpf_timed ? (double)m->collect.bpf_ns / (double)m->collect.bpf_timed : 0;
	ret->bpf_seconds = ret->bpf_ns_per_sample *
			   (double)(m->collect.tally.python + tally_lost(&m->collect.tally)) / 1e9;
	ret->bpf_cpu_percent = elapsed ? 100 * ret->bpf_seconds / ret->uptime_s : 0;
	ret->rss_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE) + helpers.resident_bytes;
	ret->map_bytes = sampler_map_bytes(m->sampler);
}

static json_t *tally_json(const struct tally *t)
{
	return json_pack("{s:I s:I s:I s:I s:o}", "ticks", (json_int_t)t->ticks, "python",
			 (json_int_t)t->python, "other", (json_int_t)t->other, "truncated",
			 (json_int_t)t->truncated, "lost", tally_lost_json(t));
}

static json_t *cost_json(const struct cost *c)
{
	return json_pack("{s:f s:I s:f s:f s:f s:f s:I s:I}", "bpf_ns_per_sample",
			 c->bpf_ns_per_sample, "bpf_timed_samples", (json_int_t)c->bpf_timed,
			 "bpf_seconds", c->bpf_seconds, "cpu_seconds", c->cpu_seconds,
			 "bpf_cpu_percent", c->bpf_cpu_percent, "daemon_cpu_percent",
			 c->daemon_cpu_percent, "rss_bytes", (json_int_t)c->rss_bytes, "map_bytes",
			 (json_int_t)c->map_bytes);
}

static json_t *loop_json(const struct loop_timing *l)
{
	struct loop_longest recent = loop_timing_recent(l);

	return json_pack("{s:f s:f s:f s:f s:I s:I}", "longest_ms",
			 (double)l->longest.wall_ns / 1e6, "longest_cpu_ms",
			 (double)l->longest.cpu_ns / 1e6, "recent_ms", (double)recent.wall_ns / 1e6,
			 "recent_cpu_ms", (double)recent.cpu_ns / 1e6, "late", (json_int_t)l->late,
			 "events", (json_int_t)l->events);
}

static unsigned int processes_profiled(const struct manager *m)
{
	const struct target *k;
	unsigned int n = 0;

	for (k = m->targets.all; k; k = k->hh.next)
		n += !k->dying && k->python.verdict == PYTHON_YES;
	return n;
}

static json_t *window_json(struct manager *m)
{
	const struct profile *p = windows_running(&m->windows);

	if (!p)
		return json_null();
	return json_pack("{s:f s:f s:f s:I}", "start", (double)p->start_ns / 1e9, "end",
			 (double)m->windows.end_ns / 1e9, "clock_set_s",
			 (double)p->stepped_ns / 1e9, "samples", (json_int_t)p->samples_total);
}

/* For somebody who may not know of all: what is the same for all, and what is the peer's own. */
static json_t *own_status_json(const struct api_peer *peer, const struct manager *m)
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
		const struct recording *r = m->recordings.items[i];

		recordings += r && r->state != RECORDING_DONE && access_recording(peer, r);
	}
	return json_pack("{s:s s:i s:f s:s s:I s:i s:o s:i s:o}", "version", PLOP_VERSION, "hz",
			 (int)m->config->hz, "window_s", (double)m->config->window_ns / 1e9, "mode",
			 m->config->mode, "only_uid", (json_int_t)peer->uid, "processes",
			 (int)processes, "samples", tally_json(&t), "recordings", (int)recordings,
			 "shares", shares_json(&m->shares, shares_user(&m->shares, peer->uid)));
}

void route_status(const struct api_request *q, void *ctx)
{
	struct manager *m = ctx;
	const struct store_facts *f = &m->windows.facts;
	const struct symbol_counts *y = &m->targets.symbols;
	_cleanup_free_ char *path = NULL;
	uint64_t table_full = m->targets.table_full + sampler_table_full(m->sampler);
	json_t *store, *o;
	struct cost c = {};

	if (!q->peer.trusted) {
		api_reply_json(q->call, 200, own_status_json(&q->peer, m));
		return;
	}
	if (asprintf(&path, "%s/plop.db", m->config->state_dir) < 0)
		path = NULL;
	cost_read(m, &c);
	store = json_pack("{s:s? s:I s:I s:I s:I s:I s:o s:s?}", "path", path, "bytes",
			  (json_int_t)f->bytes, "wal_bytes", (json_int_t)f->wal_bytes, "windows",
			  (json_int_t)f->windows, "unsaved", (json_int_t)m->windows.unsaved,
			  "dropped", (json_int_t)f->dropped, "oldest",
			  f->oldest_ns ? json_real((double)f->oldest_ns / 1e9) : json_null(),
			  "error", m->windows.error);
	o = json_pack(
		"{s:s s:i s:f s:s s:i s:f s:i s:o s:{s:I s:I s:I s:I} s:o s:o s:i s:o s:s? s:f "
		"s:I s:o s:o s:o}",
		"version", PLOP_VERSION, "hz", (int)m->config->hz, "window_s",
		(double)m->config->window_ns / 1e9, "mode", m->config->mode, "pid", (int)getpid(),
		"uptime_s", c.uptime_s, "processes", (int)processes_profiled(m), "samples",
		tally_json(&m->collect.tally), "symbols", "resolved", (json_int_t)y->resolved,
		"captured", (json_int_t)y->captured, "unresolved", (json_int_t)y->unresolved,
		"dropped_records", (json_int_t)m->collect.codes_dropped, "cost", cost_json(&c),
		"store", store, "recordings", (int)recordings_running(&m->recordings), "window",
		window_json(m), "gateway", viewer_address(&m->viewer), "first_sample_s",
		m->collect.first_sample_ns ?
			(double)(m->collect.first_sample_ns - m->collect.started_ns) / 1e9 :
			-1.0,
		"table_full", (json_int_t)table_full, "shares",
		shares_json(&m->shares, SHARES_NOBODY), "notices", notices_json(&m->windows),
		"loop", loop_json(&m->timing));
	api_reply_json(q->call, 200, o);
}

/* What ps says of one that does not let itself be read. */
#define SILENT                                                                       \
	"its memory or files are not answered for, as by a file system that hangs: " \
	"not profiled; tried again now and then"
#define SILENT_NOW                                                                   \
	"profiled; its memory is not answered for, as by a file system that hangs: " \
	"functions may have no names"

static const char *target_status(const struct targets *t, const struct target *k, char *buffer,
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
		return target_is_silent(t, k) ? SILENT_NOW : "profiled";
	case PYTHON_SILENT:
		return SILENT;
	case PYTHON_PYPY:
		return "PyPy is not supported: plop walks CPython's frames";
	default:
		return k->python.why[0] ? k->python.why : "this CPython is not known to this plop";
	}
}

static json_t *target_json(const struct manager *m, const struct target *k)
{
	const struct process_info *i = &k->info;
	char status[128];
	unsigned int threads = process_threads(i->pid);
	uint64_t image;
	double named = k->samples ? 100.0 * (double)k->symbolized / (double)k->samples : 100.0;

	/* by now another process may have the pid */
	if (sampler_process_image(m->sampler, k->key.tgid, &image) < 0 || image != k->key.image)
		threads = 0;
	return json_pack("{s:i s:f s:s s:s s:s s:s s:s s:s s:s s:s s:s s:i s:I s:f s:f s:b s:s}",
			 "pid", (int)i->pid, "start_time", i->start_time, "python",
			 k->python.version, "comm", i->comm, "exe", i->exe, "cmdline", i->cmdline,
			 "cgroup", i->cgroup, "unit", i->unit, "container", i->container, "service",
			 i->service, "version", i->version, "threads", (int)threads, "samples",
			 (json_int_t)k->samples, "cpu_percent", k->cpu_percent,
			 "symbolized_percent", named, "restless_title", title_is_restless(k),
			 "status", target_status(&m->targets, k, status, sizeof(status)));
}

void route_processes(const struct api_request *q, void *ctx)
{
	struct manager *m = ctx;
	json_t *a = json_array();
	const struct target *k;

	for (k = m->targets.all; k; k = k->hh.next) {
		if (!k->dying && access_process(&q->peer, k))
			json_array_append_new(a, target_json(m, k));
	}
	api_reply_json(q->call, 200, a);
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
	metric(&b, "plop_bpf_seconds_total", "counter",
	       "CPU time of the sampling program on Python ticks.", c.bpf_seconds);
	metric(&b, "plop_daemon_cpu_seconds_total", "counter", "CPU time of plopd.", c.cpu_seconds);
	metric(&b, "plop_resident_bytes", "gauge", "Resident memory of plopd.",
	       (double)c.rss_bytes);
	metric(&b, "plop_map_bytes", "gauge", "Memory of the BPF maps.", (double)c.map_bytes);
	metric(&b, "plop_loop_longest_seconds", "gauge",
	       "Longest time of the loop's thread at one event, of late.",
	       (double)loop_timing_recent(&m->timing).wall_ns / 1e9);
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
	api_reply(q->call, 200, "text/plain; version=0.0.4; charset=utf-8", &b, NULL);
}
