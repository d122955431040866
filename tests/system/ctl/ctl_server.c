/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plopd without a kernel side: the real HTTP server, answers that are known in advance. For tests
 * of plopctl, plop-gateway and the server itself. ctl_server SOCKET [STATE_DIR]: also puts one
 * window into STATE_DIR/plop.db. Says READY on stdout; SIGTERM ends it.
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "api/api.h"
#include "query/query.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/log.h"

#include "said_of_recording.h"

struct recording {
	unsigned int duration_s;
	uint64_t begin_ns, end_ns; /* end: 0 while it runs */
	json_int_t pid;
	bool stopped, tasks;
	char name[32];         /* it is kept, by it, unless it is "full"; "": it has none */
	bool slow;             /* it does not end when it is to */
	unsigned int refusals; /* so often its result is not given */
};

struct fake {
	sd_event *loop;
	struct recording recordings[16]; /* the first is "r1" */
	unsigned int nrecordings;
	char gateway[256];
	unsigned int gone;    /* clients that left a deferred call or a stream */
	unsigned int waiting; /* deferred calls and streams */
	unsigned int fetches; /* of a recording's profile */
	unsigned int polls;   /* of a recording's state */
	bool revoked;         /* the token "good" */
	char *body;           /* of the last request for a recording, owned */
};

/* All of plopd's keys: tests/system/golden holds this to plopd. */
static const char status_text[] =
	"{\"version\":\"0.1.0\",\"hz\":100,\"window_s\":30,\"mode\":\"always\",\"uptime_s\":3723,"
	"\"processes\":2,\"samples\":{\"ticks\":20000,\"python\":12000,\"other\":7990,"
	"\"truncated\":1,\"lost\":{\"fault\":10,\"stacks_full\":0,\"frames_full\":0,"
	"\"unsupported\":0,\"corrupt\":0,\"drain\":0,\"threads\":0,\"rate\":0}},"
	"\"symbols\":{\"resolved\":100,\"captured\":2,\"unresolved\":0,\"dropped_records\":0},"
	"\"cost\":{\"bpf_ns_per_sample\":700,\"bpf_timed_samples\":1200,\"bpf_seconds\":0.0084,"
	"\"cpu_seconds\":7.5,\"users_cpu_seconds\":1.5,\"bpf_cpu_percent\":0.01,\"daemon_cpu_"
	"percent\":0.2,"
	"\"rss_bytes\":20971520,\"map_bytes\":8388608},\"memory\":{\"processes\":9999,"
	"\"names\":9999,\"line_tables\":99,\"windows\":99999,\"recordings\":0,\"store_cache\":9,"
	"\"helpers\":9,\"heap\":999999,\"heap_unused\":9},"
	"\"store\":{\"path\":\"/var/lib/plop/plop.db\",\"bytes\":123456,\"wal_bytes\":0,"
	"\"windows\":12,\"recordings\":1,\"recordings_bytes\":4096,\"unsaved\":0,\"dropped\":0,"
	"\"oldest\":1795359600,\"error\":null},"
	"\"recordings\":0,\"window\":{\"start\":1795359600,\"end\":1795359612,\"clock_set_s\":0,"
	"\"samples\":800},\"first_sample_s\":0.5,\"table_full\":0,\"shares\":{},\"notices\":[],"
	"\"loop\":{\"longest_ms\":1.5,\"longest_cpu_ms\":1.2,\"longest_cpu_of\":\"records\","
	"\"recent_ms\":0.5,\"recent_cpu_ms\":0.4,\"recent_cpu_of\":null,\"late\":0,\"events\":100},"
	"\"rate\":{\"max_hz\":100000,\"throttled_percent\":0,\"note\":null},"
	"\"budget\":{\"percent\":1,\"taken_percent\":0.2,\"sampling_percent\":0.1,"
	"\"sample_counts\":1,\"note\":null}}";

static void on_status(const struct api_request *q, void *ctx)
{
	struct fake *f = ctx;
	json_t *o = json_loads(status_text, 0, NULL);

	json_object_set_new(o, "pid", json_integer(getpid()));
	json_object_set_new(o, "gateway", f->gateway[0] ? json_string(f->gateway) : json_null());
	json_object_set_new(o, "test_gone", json_integer(f->gone));
	json_object_set_new(o, "test_waiting", json_integer(f->waiting));
	json_object_set_new(o, "test_polls", json_integer(f->polls));
	json_object_set_new(o, "test_fetches", json_integer(f->fetches));
	json_object_set_new(o, "test_recordings", json_integer(f->nrecordings));
	json_object_set_new(o, "test_body", json_string(f->body ? f->body : ""));
	api_reply_json(q->call, 200, o);
}

/* What stands in ps. */
struct fake_process {
	int pid;
	double start_time, cpu_percent;
	const char *python, *comm, *exe, *cmdline, *cgroup, *unit, *service, *version, *status;
	unsigned int threads, samples;
};

static void put_process(struct json_writer *w, const struct fake_process *p)
{
	json_put_object(w, NULL);
	json_put_int(w, "pid", p->pid);
	json_put_real(w, "start_time", p->start_time);
	json_put_string(w, "python", p->python);
	json_put_string(w, "comm", p->comm);
	json_put_string(w, "exe", p->exe ?: "");
	json_put_string(w, "cmdline", p->cmdline ?: "");
	json_put_string(w, "cgroup", p->cgroup ?: "");
	json_put_string(w, "unit", p->unit ?: "");
	json_put_string(w, "container", "");
	json_put_string(w, "service", p->service ?: "");
	json_put_string(w, "version", p->version ?: "");
	json_put_uint(w, "threads", p->threads);
	json_put_uint(w, "samples", p->samples);
	json_put_real(w, "cpu_percent", p->cpu_percent);
	json_put_real(w, "symbolized_percent", 100);
	json_put_string(w, "version_from", "environment");
	json_put_bool(w, "restless_title", false);
	json_put_string(w, "status", p->status);
	json_put_end(w);
}

static void on_processes(const struct api_request *q, void *ctx)
{
	static const struct fake_process processes[] = {
		{ .pid = 12, .python = "", .comm = "pypy3", .status = "PyPy is not supported" },
		{ .pid = 77,
		  .python = "3.9.2",
		  .comm = "worker",
		  .service = "shop",
		  .version = "7",
		  .cpu_percent = 5,
		  .samples = 70,
		  .status = "profiled" },
		{ .pid = 4711,
		  .start_time = 1795359000,
		  .python = "3.13.0",
		  .comm = "web\tx",
		  .exe = "/usr/bin/python3.13",
		  .cmdline = "python3 web.py --port 80",
		  .cgroup = "/system.slice/web.service",
		  .unit = "web.service",
		  .service = "web",
		  .version = "1.2",
		  .threads = 8,
		  .samples = 12000,
		  .cpu_percent = 93.5,
		  .status = "profiled" },
	};
	_cleanup_buf_ struct buf body = {};
	struct json_writer w = json_writer_on(&body);

	json_put_array(&w, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(processes); i++)
		put_process(&w, &processes[i]);
	json_put_end(&w);
	api_reply_writer(q->call, 200, &w);
}

static int make_profile(struct profile **ret)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct process_info info = process_info_of(4711);
	uint32_t function, frames[2], stack, process;
	uint64_t now = clock_ns(CLOCK_REALTIME);

	info.comm = (char *)"web";
	info.service = (char *)"web";
	info.version = (char *)"1.2";
	if (profile_new(now - 10 * NSEC_PER_SEC, 100, &p) < 0 ||
	    profile_process(p, &info, "3.13.0", &process) < 0 ||
	    dict_python(p->dict, "main", "/srv/web.py", 1, &function) < 0 ||
	    dict_frame(p->dict, function, 3, &frames[0]) < 0 ||
	    dict_python(p->dict, "handle", "/srv/web.py", 7, &function) < 0 ||
	    dict_frame(p->dict, function, 9, &frames[1]) < 0 ||
	    dict_stack(p->dict, frames, 2, &stack) < 0 ||
	    profile_add(p, process, 4711, stack, 90) < 0)
		return -ENOMEM;
	p->end_ns = now;
	p->tally.ticks = 200;
	p->tally.python = 90;
	p->tally.other = 108;
	p->tally.lost[PLOP_LOST_FAULT] = 2;
	*ret = TAKE_PTR(p);
	return 0;
}

static void reply_profile(const struct api_request *q, const struct format *format)
{
	_cleanup_(profile_freep) struct profile *p = NULL;

	if (make_profile(&p) < 0)
		api_reply_error(q->call, 500, NULL, "out of memory");
	else
		api_reply_profile(q->call, p, format);
}

static void on_profile(const struct api_request *q, void *ctx)
{
	_cleanup_query_ struct query query = {};

	if (api_query(q, &query) == 0)
		reply_profile(q, query.format);
}

static void on_windows(const struct api_request *q, void *ctx)
{
	_cleanup_buf_ struct buf body = {}, windows = {};
	struct json_writer w = json_writer_on(&body);
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_query_ struct query query = {};

	if (api_query(q, &query) < 0)
		return;
	if (make_profile(&p) < 0 || store_window_put(p, NULL, &windows) < 0)
		abort();
	json_put_object(&w, NULL);
	json_put_elements(&w, "windows", &windows);
	json_put_end(&w);
	api_reply_writer(q->call, 200, &w);
}

static struct recording *find(struct fake *f, const struct api_request *q)
{
	unsigned long id = strtoul(q->path + strlen("/v1/recordings/r"), NULL, 10);

	if (id < 1 || id > f->nrecordings) {
		api_reply_error(q->call, 404, NULL, "no such recording");
		return NULL;
	}
	return &f->recordings[id - 1];
}

/* skipped: NULL, or what it is without. */
static void reply_recording(struct fake *f, const struct api_request *q, unsigned int status,
			    struct recording *r, const struct buf *skipped)
{
	const struct tally tally = { .ticks = 200, .lost[PLOP_LOST_FAULT] = 2 };
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	_cleanup_buf_ struct buf body = {};
	struct json_writer w = json_writer_on(&body);
	char id[16];

	if (!r->end_ns && now >= r->begin_ns + r->duration_s * NSEC_PER_SEC)
		r->end_ns = r->begin_ns + r->duration_s * NSEC_PER_SEC;
	if (r->end_ns)
		now = r->end_ns;
	snprintf(id, sizeof(id), "r%u", (unsigned int)(r - f->recordings) + 1);
	json_put_object(&w, NULL);
	json_put_string(&w, "id", id);
	put_identity(&w, r->name, r->end_ns != 0);
	json_put_string(&w, "state", r->end_ns ? "done" : "running");
	json_put_seconds(&w, "elapsed_s", (int64_t)(now - r->begin_ns));
	json_put_real(&w, "duration_s", r->duration_s);
	json_put_int(&w, "samples", 90);
	json_put_uint(&w, "ticks", tally.ticks);
	tally_put_lost(&w, "lost", &tally);
	json_put_uint(&w, "lost_total", tally_lost(&tally));
	json_put_int(&w, "hz", 100);
	json_put_null(&w, "rate_note");
	json_put_string(&w, "reason", !r->end_ns ? NULL : r->stopped ? "stopped" : "elapsed");
	json_put_bool(&w, "wall", false);
	if (r->end_ns)
		put_states(&w, r->pid);
	else
		json_put_null(&w, "states");
	json_put_bool(&w, "async", r->tasks);
	/* process 310 is one whose version has no tasks */
	json_put_bool(&w, "async_possible", r->tasks && r->pid != 310);
	if (skipped && skipped->size)
		json_put_elements(&w, "skipped", skipped);
	json_put_end(&w);
	api_reply_writer(q->call, status, &w);
}

/* Process 422 is not Python. */
static void leave_out(json_t *pids, struct buf *skipped)
{
	struct json_writer w = json_elements_on(skipped);

	for (size_t i = json_array_size(pids); i > 0; i--) {
		if (json_integer_value(json_array_get(pids, i - 1)) != 422 ||
		    json_array_size(pids) == 1)
			continue;
		json_put_object(&w, NULL);
		json_put_int(&w, "pid", 422);
		json_put_string(&w, "error", "process 422 is not Python (it is bash)");
		json_put_null(&w, "hint");
		json_put_end(&w);
		json_array_remove(pids, i - 1);
	}
}

static void on_record(const struct api_request *q, void *ctx)
{
	struct fake *f = ctx;
	json_t *body = json_loadb(q->body, q->body_size, 0, NULL);
	json_t *pids = json_object_get(body, "pid");
	_cleanup_buf_ struct buf skipped = {};
	json_int_t pid;
	struct recording *r = &f->recordings[f->nrecordings];

	free(f->body);
	f->body = strdup(q->body);
	if (json_is_true(json_object_get(body, "partial")))
		leave_out(pids, &skipped);
	pid = json_integer_value(json_array_get(pids, 0));
	if (!body)
		api_reply_error(q->call, 400, NULL, "the body is no JSON");
	else if (json_object_get(body, "hz"))
		api_reply_error(q->call, 422, "leave -F out", "plopd samples at 100 Hz");
	else if (pid == 404)
		api_reply_error(q->call, 404, NULL, "there is no process 404");
	else if (pid == 422)
		api_reply_error(q->call, 422, NULL, "process 422 is not Python");
	else if (pid == 403)
		api_reply_error(q->call, 403, NULL, "process 403 is another user's");
	else if (f->nrecordings == ARRAY_SIZE(f->recordings))
		api_reply_error(q->call, 429, NULL, "too many recordings");
	else {
		*r = (struct recording){ .duration_s = (unsigned int)json_number_value(
						 json_object_get(body, "duration_s")),
					 .begin_ns = clock_ns(CLOCK_MONOTONIC),
					 .pid = pid,
					 .tasks = json_is_true(json_object_get(body, "async")) };
		snprintf(r->name, sizeof(r->name), "%s",
			 json_is_string(json_object_get(body, "name")) ?
				 json_string_value(json_object_get(body, "name")) :
				 "");
		r->slow = pid == 555;
		r->refusals = pid == 503 ? 2 : 0;
		f->nrecordings++;
		reply_recording(f, q, 201, r, &skipped);
	}
	json_decref(body);
}

static void on_recording(const struct api_request *q, void *ctx)
{
	struct fake *f = ctx;
	struct recording *r = find(f, q);
	_cleanup_query_ struct query query = {};

	if (!r || api_query(q, &query) < 0)
		return;
	if (streq(q->method, "DELETE") && !r->end_ns && !r->slow) {
		r->stopped = true;
		r->end_ns = clock_ns(CLOCK_MONOTONIC);
	}
	if (api_parameter(q, "format") && r->refusals && r->refusals--) {
		api_reply_error(q->call, 503, "try again", "too many profiles are being written");
	} else if (api_parameter(q, "format")) {
		f->fetches++;
		reply_profile(q, query.format);
	} else {
		f->polls++;
		reply_recording(f, q, 200, r, NULL);
	}
}

struct later {
	struct fake *fake;
	struct api_call *call;
	sd_event_source *timer;
	unsigned int left; /* events, for a stream */
	bool forever;
};

static void later_free(struct later *l)
{
	sd_event_source_disable_unref(l->timer);
	l->fake->waiting--;
	free(l);
}

static void on_gone(void *ctx)
{
	struct later *l = ctx;

	l->fake->gone++;
	later_free(l);
}

static int on_later(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct later *l = ctx;
	_cleanup_buf_ struct buf body = {};
	char event[64];

	if (l->left) {
		snprintf(event, sizeof(event), "{\"n\":%u}", l->left);
		api_stream_event(l->call, "window", event, strlen(event));
		if (l->forever || --l->left) {
			sd_event_source_set_time_relative(source, 20 * USEC_PER_MSEC);
			sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
			return 0;
		}
		api_stream_end(l->call);
	} else {
		buf_puts(&body, "later\n");
		api_reply(l->call, 200, "text/plain", &body, NULL);
	}
	later_free(l);
	return 0;
}

static struct later *defer(const struct api_request *q, struct fake *f, uint64_t usec)
{
	struct later *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	l->fake = f;
	f->waiting++;
	l->call = api_defer(q, on_gone, l);
	if (sd_event_add_time_relative(f->loop, &l->timer, CLOCK_MONOTONIC, usec, 1, on_later, l) <
	    0)
		abort();
	return l;
}

static void on_stream(const struct api_request *q, void *ctx)
{
	struct later *l = defer(q, ctx, 0);

	l->left = 5;
	l->forever = api_parameter(q, "thread") != NULL;
	api_stream_begin(l->call);
}

/*
 * /debug/pprof/profile answers late; with thread=1 so late that only a client that leaves sees its
 * end.
 */
static void on_pprof(const struct api_request *q, void *ctx)
{
	defer(q, ctx, api_parameter(q, "thread") ? 3600 * USEC_PER_SEC : 50 * USEC_PER_MSEC);
}

static void on_forgetful(const struct api_request *q, void *ctx)
{
}

static void on_echo(const struct api_request *q, void *ctx)
{
	api_reply_json(q->call, 200,
		       json_pack("{s:s#, s:i, s:b}", "body", q->body, (int)q->body_size, "uid",
				 (int)q->peer.uid, "trusted", q->peer.trusted));
}

static void on_token(const struct api_request *q, void *ctx)
{
	struct fake *f = ctx;
	char url[512];

	snprintf(url, sizeof(url), "%s/?token=good", f->gateway);
	api_reply_json(q->call, 200,
		       json_pack("{s:s, s:i, s:s?}", "token", "good", "expires_s", 3600, "url",
				 f->gateway[0] ? url : NULL));
}

static void on_token_check(const struct api_request *q, void *ctx)
{
	json_t *body = json_loadb(q->body, q->body_size, 0, NULL);
	const char *token = json_string_value(json_object_get(body, "token"));

	if (token && streq(token, "good") && !((struct fake *)ctx)->revoked)
		api_reply_json(q->call, 200, json_pack("{s:i}", "expires_s", 3600));
	else
		api_reply_error(q->call, 403, NULL, "this token is not known");
	json_decref(body);
}

static void on_token_revoke(const struct api_request *q, void *ctx)
{
	struct fake *f = ctx;
	json_t *body = json_loadb(q->body, q->body_size, 0, NULL);
	const char *token = json_string_value(json_object_get(body, "token"));

	f->revoked |= token && streq(token, "good");
	api_reply_json(q->call, 200, json_object());
	json_decref(body);
}

static void on_gateway(const struct api_request *q, void *ctx)
{
	struct fake *f = ctx;
	json_t *body = json_loadb(q->body, q->body_size, 0, NULL);
	const char *url = json_string_value(json_object_get(body, "url"));

	snprintf(f->gateway, sizeof(f->gateway), "%s", url ? url : "");
	/* what a plopd says that knows scopes */
	api_reply_json(q->call, 200,
		       getenv("PLOP_TEST_OLD") ? json_object() : json_pack("{s:i}", "tokens", 1));
	json_decref(body);
}

static void on_metrics(const struct api_request *q, void *ctx)
{
	_cleanup_buf_ struct buf body = {};

	buf_puts(&body, "plop_up 1\n");
	api_reply(q->call, 200, "text/plain; version=0.0.4", &body, NULL);
}

/* GET /large: thread=N bytes, by api_reply() or, with cgroup=1, as what jansson writes. */
static void on_large(const struct api_request *q, void *ctx)
{
	const char *size = api_parameter(q, "thread");
	size_t n = size ? strtoull(size, NULL, 10) : 0;
	_cleanup_buf_ struct buf body = {};
	char *room = buf_reserve(&body, n + 1);

	if (!room)
		abort();
	memset(room, 'x', n);
	room[n] = '\0';
	body.size = n;
	if (api_parameter(q, "cgroup"))
		api_reply_json(q->call, 200, json_string(room));
	else
		api_reply(q->call, 200, "text/plain", &body, NULL);
}

static const struct api_route routes[] = {
	{ "GET", "/v1/status", true, NEEDS_READ, on_status },
	{ "GET", "/v1/processes", true, NEEDS_READ, on_processes },
	{ "GET", "/v1/windows", true, NEEDS_READ, on_windows },
	{ "GET", "/v1/profile", true, NEEDS_READ, on_profile },
	{ "GET", "/v1/stream", true, NEEDS_READ, on_stream },
	{ "POST", "/v1/recordings", true, NEEDS_RECORD, on_record },
	{ "GET", "/v1/recordings/*", true, NEEDS_READ, on_recording },
	{ "DELETE", "/v1/recordings/*", true, NEEDS_RECORD, on_recording },
	{ "GET", "/debug/pprof/profile", true, NEEDS_READ, on_pprof },
	{ "GET", "/metrics", true, NEEDS_READ_ALL, on_metrics },
	{ "POST", "/v1/tokens", false, NEEDS_ALL, on_token },
	{ "POST", "/v1/tokens/check", false, NEEDS_ALL, on_token_check },
	{ "POST", "/v1/tokens/revoke", false, NEEDS_ALL, on_token_revoke },
	{ "POST", "/v1/gateway", false, NEEDS_ALL, on_gateway },
	{ "POST", "/echo", true, NEEDS_READ, on_echo },
	{ "GET", "/forgetful", true, NEEDS_READ, on_forgetful },
	{ "GET", "/large", true, NEEDS_READ, on_large },
	{ "GET", "/trusted", false, NEEDS_READ, on_metrics },
};

static int save_window(const char *state_dir)
{
	_cleanup_(store_closep) struct store *store = NULL;
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_free_ char *error = NULL;
	int r = store_open(state_dir, &store, &error);

	if (r >= 0)
		r = make_profile(&p);
	if (r >= 0)
		r = store_save(store, p);
	return r;
}

int main(int argc, char *argv[])
{
	_cleanup_(api_server_freep) struct api_server *server = NULL;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct fake f = {};
	struct api_options options = {
		.routes = routes,
		.nroutes = ARRAY_SIZE(routes),
		.ctx = &f,
		.max_connections = 20,
		.trusted_connections = 5,
		.stream = "/v1/stream",
	};
	sigset_t signals;
	int fd, r;

	if (argc < 2 || argc > 3 || strlen(argv[1]) >= sizeof(address.sun_path))
		return EXIT_FAILURE;
	log_init("ctl_server", LOG_LEVEL_DEBUG);
	if (argc == 3 && save_window(argv[2]) < 0)
		return EXIT_FAILURE;
	strcpy(address.sun_path, argv[1]);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 64) < 0 || sd_event_new(&f.loop) < 0 ||
	    sd_event_add_signal(f.loop, NULL, SIGTERM, NULL, NULL) < 0)
		return EXIT_FAILURE;
	r = api_server_new(f.loop, fd, &options, &server);
	if (r < 0)
		return log_error_r(r, "Failed to serve"), EXIT_FAILURE;
	puts("READY");
	fflush(stdout);
	r = sd_event_loop(f.loop);
	api_server_free(TAKE_PTR(server));
	sd_event_unref(f.loop);
	free(f.body);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
