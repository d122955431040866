/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "clickhouse/rows.h"
#include "clickhouse/schema.h"
#include "config/edit.h"
#include "ctl/fleet.h"
#include "util/clock.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/utf8.h"

/*
 * plopctl fleet join: one step after the other, each of which says what it found. Nothing is
 * written before the store is as it must be; what is written then is written whole.
 */

#define WHAT "fleet join"
/* A clock that is off by more is told; by more than half a window windows would be others. */
#define CLOCK_WARN_S 3.0
/* Bytes of a plop.conf. */
#define CONF_MAX (1u << 20)
/* Windows that may pass until one is in the store, and seconds; and they may wait for others. */
#define PATIENCE_WINDOWS 3
#define PATIENCE_S       60
/* What is wrong for so long is told: shipping was tried several times, or nobody starts it. */
#define ERROR_S  8
#define ABSENT_S 20

struct join {
	const struct fleet_options *o;
	const char *url;  /* as [fleet] store has it, "clickhouse=..." */
	const char *path; /* of plop.conf */
	struct clickhouse *store;
	uint64_t host_id; /* as plop-gateway says it */
};

static int told(const char *hint, const char *why)
{
	log_error(WHAT ": %s", why);
	log_error("try: %s", hint);
	return CTL_FAILED;
}

static void step(const char *name, const char *text)
{
	printf("%-13s %s\n", name, text);
	fflush(stdout);
}

/* Of a call to the store. An exit status. */
static int trouble(const struct clickhouse_trouble *why, int r, const char *hint)
{
	return told(hint, *why->sentence ? why->sentence : strerror(-r));
}

static int reach(struct join *j)
{
	const struct fleet_options *o = j->o;
	const struct clickhouse_options options = {
		.url = j->url + strlen(CONFIG_CLICKHOUSE),
		.user = o->user,
		.password_file = o->password_file,
		.ca_file = o->ctl->ca_file,
	};
	_cleanup_buf_ struct buf answer = { .limit = 4096 };
	struct clickhouse_trouble why = {};
	_cleanup_free_ char *error = NULL;
	char text[512];
	int r = clickhouse_new(&options, &j->store, &error);

	if (r == -EINVAL)
		return ctl_usage("fleet", "%s", error ? error : j->url);
	if (r < 0)
		return told("--password-file FILE, with the password in its first line",
			    error ? error : strerror(-r));
	r = clickhouse_ask(j->store, "SELECT 1 FORMAT TabSeparated", &answer, &why);
	if (r == -EACCES)
		return trouble(
			&why, r,
			"--user NAME, --password-file FILE and --ca-file FILE, as the store's "
			"owner gave them");
	if (r < 0)
		return trouble(&why, r,
			       "the address in full, as clickhouse=https://HOST:8443/plop");
	if (answer.size != 2 || memcmp(answer.data, "1\n", 2) != 0)
		return told("the address of its HTTP interface, port 8123 or 8443",
			    "what answers there is no ClickHouse");
	snprintf(text, sizeof(text), "%.200s answers, to user %.100s", clickhouse_place(j->store),
		 o->user ? o->user : "default");
	step("store", text);
	return CTL_DONE;
}

static int look_at_tables(struct join *j)
{
	struct clickhouse_trouble why = {};
	char text[256];
	uint64_t seed;
	int r = clickhouse_schema_check(j->store, &seed, &why);
	bool made = false;

	if (r == -ENOENT && !why.newer && j->o->init_store) {
		r = clickhouse_schema_make(j->store, &why);
		if (r < 0)
			return trouble(&why, r, "a user of the store that may make tables");
		made = true;
		r = clickhouse_schema_check(j->store, &seed, &why);
	}
	if (r == -ENOENT && why.newer)
		return trouble(&why, r,
			       "plopctl fleet join again, with a plop as new as the store's");
	if (r == -ENOENT)
		return trouble(&why, r,
			       "the same with --init-store, which makes plop's tables there");
	if (r < 0)
		return trouble(&why, r, "the store's own log");
	snprintf(text, sizeof(text), "of plop, version %d, in database %.100s%s",
		 CLICKHOUSE_SCHEMA_VERSION, clickhouse_database(j->store),
		 made ? ", made now" : "");
	step("tables", text);
	return CTL_DONE;
}

static int look_at_clock(struct join *j)
{
	_cleanup_buf_ struct buf answer = { .limit = 4096 };
	struct clickhouse_trouble why = {};
	uint64_t began = clock_ns(CLOCK_REALTIME), ended;
	double ahead, half = (double)j->o->ctl->config->window_ns / 2e9;
	struct rows_reader rows;
	char text[256];
	int r = clickhouse_ask(j->store, "SELECT toUInt32(now()) FORMAT RowBinary", &answer, &why);

	ended = clock_ns(CLOCK_REALTIME);
	if (r < 0)
		return trouble(&why, r, "the store's own log");
	rows = rows_of(&answer);
	/* it tells whole seconds */
	ahead = ((double)began + (double)ended) / 2e9 - (rows_u32(&rows) + 0.5);
	if (rows_bad(&rows))
		return told("the store's own log", "the store does not say what time it is");
	snprintf(text, sizeof(text), "of this host is %.0f s %s the store's",
		 ahead < 0 ? -ahead : ahead, ahead < 0 ? "behind" : "ahead of");
	if (ahead > half || -ahead > half) {
		log_error(WHAT ": the clock %s, more than half a window", text);
		log_error("try: timedatectl set-ntp true, on the host whose clock is wrong");
		return CTL_FAILED;
	}
	if (ahead > CLOCK_WARN_S || -ahead > CLOCK_WARN_S)
		log_warning(WHAT ": the clock %s: windows of hosts will not fit together", text);
	else
		step("clock", "of this host is that of the store");
	return CTL_DONE;
}

/* plop.conf as it is, "" where there is none; st.st_mode 0 then. An exit status. */
static int read_conf(const struct join *j, char **ret, struct stat *ret_stat)
{
	_cleanup_buf_ struct buf text = { .limit = CONF_MAX };
	int r = ctl_read_file(j->path, &text, NULL);

	*ret_stat = (struct stat){};
	if (r == 0 && stat(j->path, ret_stat) < 0)
		r = -errno;
	if (r == 0 && text.size && memchr(text.data, '\0', text.size))
		r = -EBADMSG;
	if (r == 0 || r == -ENOENT)
		*ret = buf_string(&text);
	if ((r == 0 || r == -ENOENT) && *ret)
		return CTL_DONE;
	log_error(WHAT ": cannot read %.200s: %s", j->path, strerror(r < 0 ? -r : ENOMEM));
	log_error("try: --config FILE, if plop-gateway has its configuration elsewhere");
	return CTL_FAILED;
}

/* Beside it, with who may read it as it was; then it takes its place. */
static int replace_conf(const struct join *j, const char *temporary, const struct buf *text,
			const struct stat *was)
{
	_cleanup_close_ int fd =
		open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	_cleanup_(config_freep) struct config *c = NULL;
	_cleanup_free_ char *error = NULL;
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text->data, text->size);
	if (r >= 0 && was->st_mode && fchown(fd, was->st_uid, was->st_gid) < 0)
		r = -errno;
	if (r >= 0 && fchmod(fd, was->st_mode ? was->st_mode & 07777 : 0644) < 0)
		r = -errno;
	if (r >= 0 && fsync(fd) < 0)
		r = -errno;
	/* what a program will read is what was meant, whatever other lines it has */
	if (r >= 0)
		r = config_new(&c);
	if (r >= 0 &&
	    (config_load(c, temporary, false, &error) < 0 || !streq(c->fleet_store, j->url)))
		r = -EBADMSG;
	if (r >= 0 && rename(temporary, j->path) < 0)
		r = -errno;
	return r;
}

static int write_conf(const struct join *j)
{
	const struct fleet_options *o = j->o;
	const struct config_value values[] = {
		{ "store", j->url },
		{ "user", o->user },
		{ "password_file", o->password_file },
		{ "ca_file", o->ctl->ca_file },
	};
	_cleanup_free_ char *old = NULL, *temporary = NULL;
	_cleanup_buf_ struct buf text = {};
	struct stat was;
	int r = read_conf(j, &old, &was);

	if (r != CTL_DONE)
		return r;
	config_edit(old, "fleet", values, ARRAY_SIZE(values), &text);
	if (text.size == strlen(old) && memcmp(text.data, old, text.size) == 0) {
		step("plop.conf", "has it already");
		return CTL_DONE;
	}
	if (asprintf(&temporary, "%s.new", j->path) < 0)
		temporary = NULL;
	r = !temporary || text.error ? -ENOMEM : replace_conf(j, temporary, &text, &was);
	if (r < 0) {
		if (temporary && r != -EEXIST)
			unlink(temporary);
		log_error(WHAT ": cannot write %.200s: %s", j->path,
			  r == -EBADMSG ? "what it says of [fleet] would not be what is wanted" :
					  strerror(-r));
		log_error(r == -EEXIST ? "try: remove %.200s.new, which another plopctl may have "
					 "left" :
					 "try: store = in [fleet] of %.200s by hand",
			  j->path);
		return CTL_FAILED;
	}
	step("plop.conf", j->path);
	return CTL_DONE;
}

/* An other store is in the place of this one only where that is said. */
static int check_conf(const struct join *j)
{
	const char *store = j->o->ctl->config->fleet_store;
	_cleanup_free_ char *old = NULL;
	struct stat st;
	int r;

	if (!*store || streq(store, j->url))
		return CTL_DONE;
	if (!j->o->replace) {
		log_error(WHAT ": this host ships to another store, %.200s", store);
		log_error("try: the same with --replace; all that plop.db has goes to the new one");
		return CTL_FAILED;
	}
	r = read_conf(j, &old, &st);
	if (r != CTL_DONE || strstr(old, store))
		return r;
	log_error(WHAT ": another file sets the store, and comes after %.200s", j->path);
	log_error("try: store = in [fleet] of the files in %.200s.d", j->path);
	return CTL_FAILED;
}

extern char **environ;

/* True: systemd was asked, and has done so. */
static bool restart(void)
{
	char *const argv[] = { (char *)"systemctl", (char *)"restart",
			       (char *)"plop-gateway.service", NULL };
	int status = -1;
	pid_t pid;

	if (access("/run/systemd/system", F_OK) < 0 ||
	    posix_spawnp(&pid, "systemctl", NULL, NULL, argv, environ) != 0)
		return false;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0;
}

/* What plop-gateway says of its shipping. NULL: nothing yet; *ret_why says why, or is NULL. */
static json_t *shipping(const struct join *j, char **ret_why, int *ret_exit)
{
	_cleanup_buf_ struct buf body = { .limit = 64u << 10 };
	int r;

	free(TAKE_PTR(*ret_why));
	r = fleet_ask_here(j->o, &body, ret_why, ret_exit);
	if (r == -ENOENT)
		*ret_why = strdup("plop-gateway is not running");
	return r == 0 ? json_loadb(body.data, body.size, 0, NULL) : NULL;
}

/* Whether it ships there, and something has arrived: then whose it is. */
static bool has_arrived(struct join *j, const json_t *facts)
{
	const char *id = json_string_at(facts, "host_id");

	return streq(json_string_at(facts, "store"), j->url) &&
	       json_number_at(facts, "windows") > 0 && sscanf(id, "%16" SCNx64, &j->host_id) == 1;
}

static int wait_for_window(struct join *j)
{
	uint64_t window_ns = j->o->ctl->config->window_ns, now = clock_ns(CLOCK_MONOTONIC);
	uint64_t until = now + PATIENCE_WINDOWS * window_ns + PATIENCE_S * NSEC_PER_SEC +
			 j->o->ctl->config->fleet_delay_ns;
	uint64_t wrong = 0, patience;
	const struct timespec pause = { .tv_nsec = 500 * NSEC_PER_MSEC };
	_cleanup_free_ char *why = NULL;
	int exit_status = CTL_DONE;

	for (;;) {
		json_t *facts = shipping(j, &why, &exit_status);
		const char *error = json_string_at(facts, "error");
		bool here = has_arrived(j, facts),
		     ours = streq(json_string_at(facts, "store"), j->url);

		now = clock_ns(CLOCK_MONOTONIC);
		wrong = facts && (!*error || !ours) ? 0 : wrong ? wrong : now;
		patience = facts ? ERROR_S : ABSENT_S;
		if (facts && !here) {
			free(why);
			why = strdup(*error && ours ? error :
				     ours           ? "no window has ended yet that it ships" :
						      "plop-gateway does not ship there yet");
		}
		json_decref(facts);
		if (here || exit_status != CTL_DONE)
			return exit_status;
		if (now > until || (wrong && now - wrong > patience * NSEC_PER_SEC))
			break;
		nanosleep(&pause, NULL);
	}
	log_error(WHAT ": no window has arrived in the store: %s", why ? why : "out of memory");
	log_error("try: systemctl restart plop-gateway, and plopctl fleet status; its unit reaches "
		  "other hosts by a drop-in with IPAddressAllow=");
	return CTL_FAILED;
}

/* A window as the store has it. */
struct arrived {
	uint64_t start_ns, end_ns, window;
};

static int newest(struct join *j, struct arrived *ret)
{
	_cleanup_buf_ struct buf sql = {}, answer = { .limit = 4096 };
	struct clickhouse_trouble why = {};
	_cleanup_free_ char *text = NULL;
	struct rows_reader rows;
	int r;

	buf_printf(&sql,
		   "SELECT start_ns, end_ns, window FROM %s.windows WHERE host_id = %" PRIu64
		   " ORDER BY start DESC LIMIT 1 FORMAT RowBinary",
		   clickhouse_database(j->store), j->host_id);
	text = buf_string(&sql);
	r = text ? clickhouse_ask(j->store, text, &answer, &why) : -ENOMEM;
	if (r < 0)
		return trouble(&why, r, "the store's own log");
	rows = rows_of(&answer);
	ret->start_ns = rows_u64(&rows);
	ret->end_ns = rows_u64(&rows);
	ret->window = rows_u64(&rows);
	if (!rows_bad(&rows))
		return CTL_DONE;
	return told("plopctl fleet status",
		    "plop-gateway has sent a window, and the store has none of this host");
}

/* What plop.db has of a service in that window; -1: nothing. */
static double of_plopd(const json_t *window, const char *service)
{
	const json_t *p;
	double samples = -1;
	size_t i;

	json_array_foreach(json_object_get(window, "processes"), i, p)
	{
		if (streq(json_string_at(p, "service"), service))
			samples = (samples < 0 ? 0 : samples) + json_number_at(p, "samples");
	}
	return samples;
}

/* Where versions of a service may have other shares, some of it may be what is shipped. */
static bool is_same(const struct join *j, double stored, double had)
{
	const struct config *c = j->o->ctl->config;

	return stored == had || ((c->fleet_target || c->fleet_deploy_windows) && stored < had);
}

/* The one that begins then: those before and behind it touch it. */
static const json_t *window_of(const json_t *answer, uint64_t start_ns)
{
	const json_t *w;
	size_t i;

	json_array_foreach(json_object_get(answer, "windows"), i, w)
	{
		double off = json_number_at(w, "start") - (double)start_ns / 1e9;

		if (off > -0.001 && off < 0.001)
			return w;
	}
	return NULL;
}

static int compare(const struct join *j, const struct buf *answer, const json_t *window)
{
	struct rows_reader rows = rows_of(answer);
	char number[32], text[128];
	uint64_t all = 0;

	while (rows_more(&rows)) {
		_cleanup_free_ char *service = rows_string(&rows);
		uint64_t samples = rows_u64(&rows);
		double had;

		if (rows_bad(&rows))
			break;
		all += samples;
		had = of_plopd(window, service);
		if (is_same(j, (double)samples, had))
			continue;
		log_error(WHAT ": of service %.64s the store has %" PRIu64
			       " samples in a window, and plop.db %.0f",
			  service, samples, MAX(had, 0.0));
		log_error(
			"try: plopctl fsck; whether state_dir in [fleet] of plop.conf is a copy of "
			"another host's");
		return CTL_FAILED;
	}
	if (rows_bad(&rows))
		return told("the store's own log",
			    "the store's answer is not what it was asked for");
	snprintf(text, sizeof(text), "of this host is in the store: %s samples, as in plop.db",
		 text_number(all, number, sizeof(number)));
	step("window", text);
	return CTL_DONE;
}

static int read_back(struct join *j)
{
	_cleanup_buf_ struct buf sql = {}, answer = { .limit = 1u << 20 };
	_cleanup_answer_ struct ctl_answer a = {};
	struct clickhouse_trouble why = {};
	_cleanup_free_ char *text = NULL;
	struct arrived w = {};
	char path[128];
	json_t *windows;
	int r = newest(j, &w);

	if (r != CTL_DONE)
		return r;
	buf_printf(&sql,
		   "SELECT toString(service), sum(samples) FROM %s.samples FINAL "
		   "WHERE start = toDateTime(%" PRIu64 ") AND host_id = %" PRIu64
		   " AND window = %" PRIu64 " GROUP BY service FORMAT RowBinary",
		   clickhouse_database(j->store), w.start_ns / NSEC_PER_SEC, j->host_id, w.window);
	text = buf_string(&sql);
	r = text ? clickhouse_ask(j->store, text, &answer, &why) : -ENOMEM;
	if (r < 0)
		return trouble(&why, r, "the store's own log");
	snprintf(path, sizeof(path),
		 "/v1/windows?from=%" PRIu64 ".%09" PRIu64 "&to=%" PRIu64 ".%09" PRIu64,
		 w.start_ns / NSEC_PER_SEC, w.start_ns % NSEC_PER_SEC, w.end_ns / NSEC_PER_SEC,
		 w.end_ns % NSEC_PER_SEC);
	r = ctl_request(j->o->ctl, WHAT, "GET", path, NULL, 60, &a);
	if (r != CTL_DONE)
		return r;
	windows = ctl_answer_json(&a, WHAT);
	r = windows ? compare(j, &answer, window_of(windows, w.start_ns)) : CTL_FAILED;
	json_decref(windows);
	return r;
}

static int run(struct join *j)
{
	static int (*const steps[])(struct join * j) = { reach, look_at_tables, look_at_clock };
	int r = check_conf(j);

	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == CTL_DONE; i++)
		r = steps[i](j);
	if (r == CTL_DONE)
		r = write_conf(j);
	if (r != CTL_DONE)
		return r;
	if (restart())
		step("plop-gateway", "restarted");
	else
		step("plop-gateway", "is to be restarted now: systemctl restart plop-gateway");
	r = wait_for_window(j);
	return r == CTL_DONE ? read_back(j) : r;
}

int fleet_join(const struct fleet_options *o)
{
	_cleanup_free_ char *url = NULL, *path = NULL;
	struct join j = { .o = o };
	bool whole;
	int r;

	if (o->nwords != 2)
		return ctl_usage("fleet", "say where: plopctl fleet join URL");
	if (o->ctl->url)
		return ctl_usage("fleet", "join is of the host itself, and of no --server");
	whole = strncmp(o->words[1], CONFIG_CLICKHOUSE, strlen(CONFIG_CLICKHOUSE)) == 0;
	if (asprintf(&url, "%s%s", whole ? "" : CONFIG_CLICKHOUSE, o->words[1]) < 0)
		url = NULL;
	if (geteuid() != 0) {
		log_error(WHAT ": it changes plop.conf, and that is root's");
		log_error("try: run it as root");
		return CTL_NOT_ALLOWED;
	}
	r = ctl_configure(o->ctl);
	if (r != CTL_DONE)
		return r;
	path = realpath(o->ctl->config_file ? o->ctl->config_file : CONFIG_DEFAULT_FILE, NULL);
	j.url = url ? url : "";
	j.path = path ? path : o->ctl->config_file ? o->ctl->config_file : CONFIG_DEFAULT_FILE;
	r = run(&j);
	if (j.store)
		clickhouse_free(j.store);
	return r;
}
