/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "host/manager.h"
#include "host/routes.h"
#include "util/clock.h"
#include "util/log.h"

#define BEAT_USEC USEC_PER_SEC
/* Somebody who just started plopd waits for the first samples. */
#define BEAT_FIRST_USEC (30 * USEC_PER_MSEC)
#define BEAT_FIRST_NS   (3 * NSEC_PER_SEC)
/* From the swap to the first attempt to collect: longer than any tick takes. */
#define STEP_USEC       (2 * USEC_PER_MSEC)
#define STEP_AGAIN_USEC USEC_PER_MSEC

static int timer_set(sd_event_source *s, uint64_t usec)
{
	int r = sd_event_source_set_time_relative(s, usec);

	return r < 0 ? r : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static void manager_settled(const struct plop_stack *stack, const struct plop_frame *frames,
			    void *ctx)
{
	struct manager *m = ctx;
	struct target *k = targets_find(&m->targets, stack->tgid, stack->image);

	/* behind the pid of one that ended may be another's memory */
	if (k && k->codes && !k->dying && stack->depth <= PLOP_MAX_DEPTH)
		code_table_want(k->codes, (uint32_t)m->cycle, frames, stack->depth);
}

static void manager_confirm(void *ctx)
{
	struct manager *m = ctx;

	targets_confirm(&m->targets);
}

/* One collected stack: looked up once, then counted in every profile that wants it. */
static void manager_stack(const struct plop_stack *stack, const struct plop_frame *frames,
			  void *ctx)
{
	static struct code_object *codes[PLOP_MAX_DEPTH];
	static enum code_source sources[PLOP_MAX_DEPTH];
	struct manager *m = ctx;
	struct target *k = targets_find(&m->targets, stack->tgid, stack->image);
	struct symbol_counts *symbols = &m->targets.symbols;
	struct reader memory = process_memory_reader((pid_t)stack->tgid);
	uint64_t before = symbols->unresolved;

	if (!k || !k->codes || stack->depth > PLOP_MAX_DEPTH) {
		if (stack->set == PLOP_SET_ALWAYS)
			m->undelivered += stack->count;
		else if (stack->set != PLOP_SET_WALL)
			recordings_undelivered(&m->recordings, stack);
		return;
	}
	code_table_limit(k->codes, PLOP_MAX_CODE_BYTES);
	for (uint32_t i = 0; i < stack->depth; i++) {
		codes[i] = code_table_find(k->codes, &memory, &frames[i], &sources[i]);
		if (PLOP_MARK_IS(frames[i].code))
			continue;
		if (!codes[i])
			symbols->unresolved += stack->count;
		else if (sources[i] == CODE_CAPTURED)
			symbols->captured += stack->count;
		else
			symbols->resolved += stack->count;
	}
	struct symbolized_stack s = { .stack = stack,
				      .frames = frames,
				      .codes = codes,
				      .sources = sources,
				      .bytecode = k->python.layout.code_bytecode };
	if (stack->set == PLOP_SET_WALL) {
		recordings_wait_stack(&m->recordings, k, &s);
		return;
	}
	recordings_add(&m->recordings, k, &s);
	/* what ticks of one recording counted is its own alone */
	if (stack->set != PLOP_SET_ALWAYS)
		return;
	if (windows_add(&m->windows, k, &s) < 0) {
		m->undelivered += stack->count;
		return;
	}
	k->samples += stack->count;
	k->samples_cycle += stack->count;
	if (symbols->unresolved == before)
		k->symbolized += stack->count;
}

static void manager_code(const struct plop_record_code *r, void *ctx)
{
	struct manager *m = ctx;
	struct target *k = targets_find(&m->targets, r->head.tgid, r->head.image);
	struct reader memory = process_memory_reader((pid_t)r->head.tgid);

	if (!k || !k->codes)
		return;
	code_table_limit(k->codes, PLOP_MAX_CODE_BYTES);
	code_table_record(k->codes, &memory, r);
}

static void manager_task(const struct plop_record_task *r, void *ctx)
{
	struct manager *m = ctx;
	struct target *k = targets_find(&m->targets, r->head.tgid, r->head.image);

	if (!k || !k->codes)
		return;
	code_table_limit(k->codes, PLOP_MAX_CODE_BYTES);
	code_table_task(k->codes, r);
}

static void manager_retry(struct manager *m)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), next = targets_retry(&m->targets, now);

	if (next)
		timer_set(m->retry, next > now ? (next - now) / 1000 + 1 : 1);
}

static void manager_process(const struct plop_record *r, void *ctx)
{
	struct manager *m = ctx;
	struct target *k;

	switch (r->type) {
	case PLOP_RECORD_EXEC:
		/* exec replaced whatever this pid was before */
		while ((k = targets_find_pid(&m->targets, (pid_t)r->tgid)) &&
		       k->key.image != r->image)
			targets_end(&m->targets, r->tgid, k->key.image);
		targets_examine(&m->targets, r->tgid, r->image, false);
		/* a program that nobody may dump has lost them (begin_new_exec(), fs/exec.c) */
		recordings_thread(&m->recordings, r->tgid, true);
		break;
	case PLOP_RECORD_THREAD:
		recordings_thread(&m->recordings, r->tgid, false);
		return;
	case PLOP_RECORD_CHECK:
		targets_examine(&m->targets, r->tgid, r->image, false);
		break;
	case PLOP_RECORD_EXIT:
		targets_end(&m->targets, r->tgid, r->image);
		break;
	default:
		return;
	}
	manager_retry(m);
}

static void manager_fork(const struct plop_record_fork *r, void *ctx)
{
	struct manager *m = ctx;

	targets_fork(&m->targets, r);
	manager_retry(m);
}

static void manager_wait(const struct plop_record_wait *r, void *ctx)
{
	struct manager *m = ctx;

	recordings_wait(&m->recordings, r);
}

static void manager_pressure(void *ctx)
{
	manager_cycle(ctx);
}

static void manager_swap(struct manager *m)
{
	sampler_swap(m->sampler);
	m->swapped_mono = clock_ns(CLOCK_MONOTONIC);
	m->swapped_ns = wall_at(&m->wall, m->swapped_mono);
	m->cycle++;
	m->in_cycle = true;
	m->again = false;
	m->counters = (struct sampler_counters){};
	m->undelivered = 0;
}

uint64_t manager_cycle(struct manager *m)
{
	if (m->in_cycle) {
		m->again = true;
	} else {
		manager_swap(m);
		timer_set(m->step, STEP_USEC);
		return m->cycle;
	}
	return m->cycle + 1;
}

/* The counters of one cycle as a tally; what found no home is lost, not python. */
static struct tally manager_tally(const struct manager *m)
{
	const uint64_t *c = m->counters.c;
	struct tally t = {
		.ticks = c[PLOP_C_TICKS],
		.python = c[PLOP_C_PYTHON] - MIN(m->undelivered, c[PLOP_C_PYTHON]),
		.other = c[PLOP_C_OTHER],
		.truncated = c[PLOP_C_TRUNCATED],
	};

	for (int i = 0; i < PLOP_LOST_CAUSES; i++)
		t.lost[i] = c[PLOP_C_LOST + i];
	t.lost[PLOP_LOST_DRAIN] += MIN(m->undelivered, c[PLOP_C_PYTHON]);
	return t;
}

/* Collects; 0 when the cycle is complete, -EAGAIN when a CPU is still at it. */
static int manager_collect(struct manager *m)
{
	struct tally t;
	int r = sampler_collect(m->sampler, &m->counters);

	if (r < 0)
		return r;
	t = manager_tally(m);
	tally_add(&m->tally, &t);
	if (t.python && !m->first_sample_ns)
		m->first_sample_ns = m->swapped_mono;
	m->bpf_ns += m->counters.c[PLOP_C_BPF_NS];
	m->bpf_timed += m->counters.c[PLOP_C_BPF_TIMED];
	m->codes_dropped += m->counters.c[PLOP_C_CODES_DROPPED];
	windows_cycle(&m->windows, m->cycle, &t);
	recordings_cycle(&m->recordings, m->cycle, &t, m->counters.sets);
	targets_cycle(&m->targets, m->completed_mono ? m->swapped_mono - m->completed_mono : 0,
		      (unsigned int)m->config->hz);
	m->completed_mono = m->swapped_mono;
	m->in_cycle = false;
	return 0;
}

static int manager_step(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct manager *m = ctx;
	int r = manager_collect(m);

	if (r == -EAGAIN)
		return timer_set(m->step, STEP_AGAIN_USEC);
	if (r < 0)
		return log_error_r(r, "Cannot collect samples");
	if (m->again)
		manager_cycle(m);
	return 0;
}

static int manager_beat(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct manager *m = ctx;
	bool first = !m->first_sample_ns &&
		     clock_ns(CLOCK_MONOTONIC) - m->started_ns < BEAT_FIRST_NS;
	int r;

	if (!m->in_cycle)
		manager_cycle(m);
	if (first)
		return timer_set(m->beat, BEAT_FIRST_USEC);
	r = sampler_follow_cpus(m->sampler);
	if (r < 0)
		log_debug_r(r, "Cannot follow the CPUs that are online, ignoring");
	return timer_set(m->beat, BEAT_USEC);
}

static int manager_records(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct manager *m = ctx;

	return sampler_dispatch(m->sampler);
}

static int manager_jitter(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct manager *m = ctx;

	sampler_jitter(m->sampler);
	return 0;
}

static void manager_spread(uint32_t set, void *ctx)
{
	struct manager *m = ctx;

	recordings_spread(&m->recordings, set);
}

static int manager_retry_due(sd_event_source *s, uint64_t usec, void *ctx)
{
	manager_retry(ctx);
	return 0;
}

static int manager_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *ctx)
{
	struct manager *m = ctx;

	return sd_event_exit(m->loop, 0);
}

static int manager_sources(struct manager *m)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* a file size limit is a full disk, and no reason to end */
	signal(SIGXFSZ, SIG_IGN);
	r = sd_event_add_signal(m->loop, &m->sigterm, SIGTERM, manager_signal, m);
	if (r >= 0)
		r = sd_event_add_signal(m->loop, &m->sigint, SIGINT, manager_signal, m);
	if (r >= 0)
		r = sd_event_add_io(m->loop, &m->records, sampler_fd(m->sampler), EPOLLIN,
				    manager_records, m);
	if (r >= 0)
		r = sd_event_add_io(m->loop, &m->jitter, sampler_timer_fd(m->sampler), EPOLLIN,
				    manager_jitter, m);
	if (r >= 0)
		r = sd_event_add_time_relative(m->loop, &m->beat, CLOCK_MONOTONIC, BEAT_FIRST_USEC,
					       50000, manager_beat, m);
	/* 1: as exact as can be */
	if (r >= 0)
		r = sd_event_add_time_relative(m->loop, &m->step, CLOCK_MONOTONIC, 0, 1,
					       manager_step, m);
	if (r >= 0)
		r = sd_event_add_time_relative(m->loop, &m->retry, CLOCK_MONOTONIC, 0, 1,
					       manager_retry_due, m);
	if (r < 0)
		return r;
	sd_event_source_set_enabled(m->step, SD_EVENT_OFF);
	sd_event_source_set_enabled(m->retry, SD_EVENT_OFF);
	return 0;
}

/* A listening socket at path; a dead one is replaced, a live one is left alone (-EADDRINUSE). */
static int socket_listen(const char *path, int *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -EBADF;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	/* nonblocking, for one that is stuck does not accept: EAGAIN is its full queue */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	if (errno == ECONNREFUSED)
		unlink(path);
	close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	/* anybody may connect: who is answered is decided by SO_PEERCRED */
	if (chmod(path, 0666) < 0 || listen(fd, 64) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

static int manager_listen(struct manager *m, char **ret_error)
{
	struct api_options options = {
		.routes = manager_routes,
		.nroutes = manager_nroutes,
		.ctx = m,
		.max_connections = 128,
	};
	_cleanup_close_ int fd = -EBADF;
	int r;

	r = socket_listen(m->config->socket, &fd);
	if (r >= 0)
		r = api_server_new(m->loop, fd, &options, &m->server);
	if (r >= 0)
		(void)TAKE_FD(fd);
	if (r == -EADDRINUSE) {
		if (asprintf(ret_error,
			     "another plopd answers on %s; stop it, or choose another --socket",
			     m->config->socket) < 0)
			*ret_error = NULL;
	} else if (r < 0) {
		if (asprintf(ret_error,
			     "cannot listen on %s: %s; make its folder, or choose another --socket",
			     m->config->socket, strerror(-r)) < 0)
			*ret_error = NULL;
	}
	return r;
}

int manager_new(struct config *config, struct manager **ret, char **ret_error)
{
	_cleanup_(manager_freep) struct manager *m = calloc(1, sizeof(*m));
	struct sampler_handlers handlers = {
		.settled = manager_settled,
		.confirm = manager_confirm,
		.stack = manager_stack,
		.code = manager_code,
		.task = manager_task,
		.process = manager_process,
		.fork = manager_fork,
		.pressure = manager_pressure,
		.wait = manager_wait,
		.spread = manager_spread,
	};
	struct sampler_options options = { .hz = (unsigned int)config->hz,
					   .max_depth = (unsigned int)config->max_depth };
	int r;

	if (!m)
		return -ENOMEM;
	m->config = config;
	m->started_ns = clock_ns(CLOCK_MONOTONIC);
	m->wall = (struct wall){ clock_ns(CLOCK_REALTIME), m->started_ns };
	r = sd_event_default(&m->loop);
	if (r < 0)
		return r;
	/* the store's lock comes first: a second plopd must not get further */
	r = windows_init(&m->windows, m, ret_error);
	if (r < 0)
		return r;
	handlers.ctx = m;
	r = sampler_new(&options, &handlers, &m->sampler, ret_error);
	if (r < 0)
		return r;
	r = targets_init(&m->targets, m->sampler);
	if (r < 0)
		return r;
	recordings_init(&m->recordings, m);
	r = manager_sources(m);
	if (r >= 0)
		r = mode_init(&m->mode, m);
	if (r < 0)
		return r;
	r = manager_listen(m, ret_error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(m);
	return 0;
}

int manager_start(struct manager *m, char **ret_error)
{
	int r = targets_scan(&m->targets);

	if (r < 0)
		return log_error_r(r, "Cannot read /proc");
	manager_retry(m);
	r = sampler_check(ret_error);
	if (r >= 0)
		r = mode_start(&m->mode, ret_error);
	if (r < 0)
		return r;
	m->sampling_ns = clock_ns(CLOCK_MONOTONIC);
	m->startup_cpu_s = manager_cpu_seconds();
	sd_event_set_watchdog(m->loop, true);
	sd_notify(false, "READY=1\nSTATUS=Sampling.");
	return 0;
}

int manager_run(struct manager *m)
{
	int r = sd_event_loop(m->loop), tries = 1000;

	sd_notify(false, "STOPPING=1");
	if (!m->in_cycle)
		manager_swap(m);
	/* a tick takes microseconds: a CPU that is still at it after a second will not come back */
	do {
		usleep(STEP_AGAIN_USEC);
	} while (manager_collect(m) == -EAGAIN && --tries > 0);
	windows_end(&m->windows);
	return r;
}

void manager_free(struct manager *m)
{
	if (!m)
		return;
	if (m->server)
		unlink(m->config->socket);
	/* first: clients that still wait own recordings and streams */
	api_server_free(m->server);
	recordings_done(&m->recordings);
	windows_done(&m->windows);
	if (m->targets.cache)
		targets_done(&m->targets);
	mode_done(&m->mode);
	sd_event_source_disable_unref(m->records);
	sd_event_source_disable_unref(m->jitter);
	sd_event_source_disable_unref(m->beat);
	sd_event_source_disable_unref(m->step);
	sd_event_source_disable_unref(m->retry);
	sd_event_source_disable_unref(m->sigterm);
	sd_event_source_disable_unref(m->sigint);
	sampler_free(m->sampler);
	sd_event_unref(m->loop);
	free(m->gateway);
	free(m);
}
