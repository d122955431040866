/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <ini.h>
#include <inttypes.h>

#include "config/config.h"
#include "plop/limits.h"
#include "util/buf.h"
#include "util/log.h"
#include "util/nets.h"
#include "util/parse.h"

enum option_type {
	OPTION_NUMBER,
	OPTION_DURATION,
	OPTION_SIZE,
	OPTION_PATH,    /* absolute */
	OPTION_ADDRESS, /* ADDR:PORT */
	OPTION_SECRET,  /* SECRET_LEAST characters at least, or none */
	OPTION_MODE,    /* when to sample */
	OPTION_SHARED,  /* what a share is of */
	OPTION_SHARE,   /* a fraction, kept in millionths */
	OPTION_STORE,   /* KIND=URL, or nothing */
	OPTION_FILE,    /* an absolute path, or nothing */
	OPTION_TEXT,    /* one line */
	OPTION_COMMAND, /* an absolute path and arguments, or nothing */
	OPTION_URL,     /* of HTTP, or nothing */
	OPTION_NETS,    /* addresses and networks */
	OPTION_USERS,   /* what users may */
	OPTION_FOLDERS, /* absolute paths, separated by colons, or nothing */
};

struct option_entry {
	const char *section, *key;
	enum option_type type;
	const char *initial;
	const char *min, *max; /* as text, for messages; NULL: no bound */
	size_t dest;           /* offset in struct config: a uint64_t, an enum, or a char * */
	const char *help;
};

/* Of hexadecimal digits 64 bits: half a million years of guesses, one each microsecond. */
#define SECRET_LEAST 16
/* What a session may be made from (SESSION_TEXT_MAX, gateway/session.h). */
#define SECRET_MOST 256
#define SECRET_FORM                                                                            \
	"empty, or at least 16 and at most 256 ASCII characters without blanks (openssl rand " \
	"-hex 32)"

#define DEST(member) offsetof(struct config, member)

/* The bounds of hz are the kernel side's; 1G is 1073741824 bytes. */
static const struct option_entry options[] = {
	{ "plopd", "hz", OPTION_NUMBER, "100", "1", "10000", DEST(hz),
	  "samples a second on each CPU" },
	{ "plopd", "mode", OPTION_MODE, "always", NULL, NULL, DEST(mode),
	  "when to sample: always, on-demand (for recordings only), or periodic (a window every so "
	  "often)" },
	{ "plopd", "every", OPTION_DURATION, "10m", "10s", "24h", DEST(every_ns),
	  "from window to window in mode periodic" },
	{ "plopd", "window", OPTION_DURATION, "30s", "1s", "1h", DEST(window_ns),
	  "length of a window" },
	{ "plopd", "state_dir", OPTION_PATH, "/var/lib/plop", NULL, NULL, DEST(state_dir),
	  "directory of plop.db" },
	{ "plopd", "socket", OPTION_PATH, "/run/plop/plopd.sock", NULL, NULL, DEST(socket),
	  "plopd's Unix socket" },
	{ "plopd", "retention", OPTION_DURATION, "48h", "1m", "3650d", DEST(retention_ns),
	  "how long windows are kept" },
	{ "plopd", "retention_10m", OPTION_DURATION, "14d", "1h", "3650d", DEST(retention_10m_ns),
	  "how long what windows of ten minutes add up to is kept" },
	{ "plopd", "retention_6h", OPTION_DURATION, "400d", "1d", "3650d", DEST(retention_6h_ns),
	  "how long what windows of six hours add up to is kept" },
	{ "plopd", "retention_recordings", OPTION_DURATION, "400d", "1h", "3650d",
	  DEST(retention_recordings_ns), "how long recordings that have a name are kept" },
	{ "plopd", "max_store", OPTION_SIZE, "1G", "16M", "1024T", DEST(max_store),
	  "size of plop.db at which the oldest windows go" },
	{ "plopd", "max_depth", OPTION_NUMBER, "1024", "1", "1024", DEST(max_depth),
	  "frames of one stack" },
	{ "plopd", "budget", OPTION_SHARE, "0.01", "0", "1", DEST(budget),
	  "part of one CPU beyond which plopd samples more seldom; 0: none" },
	{ "plopd", "user_rate", OPTION_NUMBER, "2000", "1", "1000000", DEST(user_rate),
	  "samples a second that the recordings of one user who is not trusted may make" },
	{ "source", "paths", OPTION_FOLDERS, "", NULL, NULL, DEST(source_paths),
	  "folders of which the viewer may show source, as PATH:PATH" },
	{ "gateway", "listen", OPTION_ADDRESS, "127.0.0.1:7567", NULL, NULL, DEST(listen),
	  "address of plop-gateway" },
	{ "gateway", "token", OPTION_SECRET, "", NULL, NULL, DEST(token),
	  "bearer token for scrapers; empty: none" },
	{ "gateway", "url", OPTION_URL, "", NULL, NULL, DEST(gateway_url),
	  "address by which browsers find plop-gateway behind a proxy; empty: by listen" },
	{ "gateway", "certificate", OPTION_FILE, "", NULL, NULL, DEST(gateway_certificate),
	  "certificate in PEM, and those that signed it; empty: there is no TLS" },
	{ "gateway", "key", OPTION_FILE, "", NULL, NULL, DEST(gateway_key), "its key, in PEM" },
	{ "gateway", "proxies", OPTION_NETS, "", NULL, NULL, DEST(gateway_proxies),
	  "addresses of proxies that are believed in what they say of clients" },
	{ "gateway", "proxy_secret", OPTION_SECRET, "", NULL, NULL, DEST(gateway_proxy_secret),
	  "what they send as Plop-Proxy-Secret; empty: nothing" },
	{ "gateway", "user_header", OPTION_TEXT, "", NULL, NULL, DEST(gateway_user_header),
	  "header in which they say who asks; empty: in none" },
	{ "gateway", "users", OPTION_USERS, "read", NULL, NULL, DEST(gateway_users),
	  "what who is named there may: read or record" },
	{ "notify", "command", OPTION_COMMAND, "", NULL, NULL, DEST(notify_command),
	  "what plop-gateway runs when a new version is slower" },
	{ "notify", "url", OPTION_URL, "", NULL, NULL, DEST(notify_url),
	  "where plop-gateway posts it when a new version is slower" },
	{ "fleet", "store", OPTION_STORE, "", NULL, NULL, DEST(fleet_store),
	  "where plop-gateway ships windows to: clickhouse=URL, or pyroscope=, parca=, coroot= or "
	  "otlp=URL; empty: nowhere" },
	{ "fleet", "user", OPTION_TEXT, "", NULL, NULL, DEST(fleet_user),
	  "as whom, at that store; empty: as its default user" },
	{ "fleet", "password_file", OPTION_FILE, "", NULL, NULL, DEST(fleet_password_file),
	  "file whose first line is that user's password" },
	{ "fleet", "token_file", OPTION_FILE, "", NULL, NULL, DEST(fleet_token_file),
	  "file whose first line is a token or key, for stores that ask for one" },
	{ "fleet", "tenant", OPTION_TEXT, "", NULL, NULL, DEST(fleet_tenant),
	  "whose windows they are, where a Pyroscope has several tenants" },
	{ "fleet", "ca_file", OPTION_FILE, "", NULL, NULL, DEST(fleet_ca_file),
	  "certificates that the store's is checked by; empty: the system's" },
	{ "fleet", "region", OPTION_TEXT, "", NULL, NULL, DEST(fleet_region),
	  "what this host's windows are labeled with as region" },
	{ "fleet", "share", OPTION_SHARE, "1", "0.000001", "1", DEST(fleet_share),
	  "share of windows that is shipped" },
	{ "fleet", "share_of", OPTION_SHARED, "windows", NULL, NULL, DEST(fleet_share_of),
	  "windows, or hosts, each for a day" },
	{ "fleet", "target", OPTION_NUMBER, "0", "0", "1000000000000", DEST(fleet_target),
	  "samples an hour that the store gets of a service at most; 0: as share brings" },
	{ "fleet", "share_least", OPTION_SHARE, "0.001", "0.000001", "1", DEST(fleet_share_least),
	  "what target may lower the share to" },
	{ "fleet", "deploy_windows", OPTION_NUMBER, "0", "0", "10000", DEST(fleet_deploy_windows),
	  "first windows of a new version that are shipped all" },
	{ "fleet", "deploy_hosts", OPTION_NUMBER, "20", "1", "1000000", DEST(fleet_deploy_hosts),
	  "... on so many hosts" },
	{ "fleet", "rows", OPTION_NUMBER, "2000", "100", "100000", DEST(fleet_rows),
	  "rows of a window at most: its lightest branches become [other]" },
	{ "fleet", "delay", OPTION_DURATION, "5m", "0s", "6h", DEST(fleet_delay_ns),
	  "how long a window waits for others to be shipped with, at most; 0s: for none" },
	{ "fleet", "retention", OPTION_DURATION, "400d", "1d", "3650d", DEST(fleet_retention_ns),
	  "how long plop-gateway --store keeps days in the store" },
	{ "fleet", "poll", OPTION_DURATION, "60s", "0", "60s", DEST(fleet_poll_ns),
	  "how often the store is asked whether somebody wants this host's windows; 0: never" },
	{ "fleet", "state_dir", OPTION_PATH, "/var/lib/plop-gateway", NULL, NULL,
	  DEST(fleet_state_dir), "directory in which plop-gateway keeps what was shipped" },
};

_Static_assert(PLOP_MAX_DEPTH == 1024, "the maximum of max_depth");

_Static_assert(sizeof(enum config_mode) == sizeof(int) &&
		       sizeof(enum config_shared) == sizeof(int) &&
		       sizeof(enum config_users) == sizeof(int),
	       "a choice is written as an int");

static int parse_number(enum option_type type, const char *s, uint64_t *ret)
{
	switch (type) {
	case OPTION_NUMBER:
		return parse_u64(s, 0, UINT64_MAX, ret);
	case OPTION_DURATION:
		return parse_duration(s, ret);
	case OPTION_SHARE:
		return parse_millionths(s, ret);
	default:
		return parse_size(s, ret);
	}
}

/* What would have been right, for the end of an error message. */
static const char *form(enum option_type type)
{
	static const char *const forms[] = {
		[OPTION_NUMBER] = "a number",
		[OPTION_DURATION] = "a duration like 30s, 10m, 1h or 7d",
		[OPTION_SIZE] = "a size like 512M or 1G",
		[OPTION_PATH] = "an absolute path",
		[OPTION_ADDRESS] = "an address and port like 127.0.0.1:7567",
		[OPTION_SECRET] = SECRET_FORM,
		[OPTION_MODE] = "always, on-demand or periodic",
		[OPTION_COMMAND] = "empty, or an absolute path with its arguments",
		[OPTION_URL] = "empty, or a URL like https://host/path",
		[OPTION_SHARED] = "windows or hosts",
		[OPTION_SHARE] = "a fraction like 0.1",
		[OPTION_STORE] = "empty, or a kind of store and its URL, as "
				 "clickhouse=https://host:8443/plop or pyroscope=http://host:4040 "
				 "(or parca=, coroot=, otlp=)",
		[OPTION_FILE] = "empty, or an absolute path",
		[OPTION_NETS] = "empty, or addresses and networks like 127.0.0.1, 10.0.0.0/8",
		[OPTION_USERS] = "read or record",
		[OPTION_TEXT] = "one line of at most 64 bytes",
		[OPTION_FOLDERS] = "empty, or absolute paths without \"..\", as /srv/app:/opt/shop",
	};

	return forms[type];
}

static int complain(const struct option_entry *o, const char *value, char **ret_error)
{
	if (!ret_error)
		return -EINVAL;
	/* a secret does not go into a log */
	if (o->type == OPTION_SECRET || o->type == OPTION_URL)
		value = "...";
	if (o->min)
		return asprintf(ret_error, "%s = %.64s: must be %s from %s to %s", o->key, value,
				form(o->type), o->min, o->max) < 0 ?
			       -ENOMEM :
			       -EINVAL;
	return asprintf(ret_error, "%s = %.64s: must be %s", o->key, value, form(o->type)) < 0 ?
		       -ENOMEM :
		       -EINVAL;
}

static bool secret_is_good(const char *value)
{
	size_t n = strlen(value);

	for (size_t i = 0; i < n; i++)
		if (value[i] <= ' ' || value[i] >= 0x7f)
			return false;
	return n == 0 || (n >= SECRET_LEAST && n <= SECRET_MOST);
}

/* Each begins with "/", and none goes up again. */
static bool folders_are_good(const char *value)
{
	for (const char *p = value; *p;) {
		if (*p != '/')
			return false;
		p += strcspn(p, ":");
		if (*p == ':' && !*++p)
			return false;
	}
	for (const char *p = value; (p = strstr(p, "/..")); p += 3) {
		/* which finds the end, too */
		if (strchr("/:", p[3]))
			return false;
	}
	return true;
}

static bool url_is_good(const char *value)
{
	return !strchr(value, ' ') &&
	       (strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0);
}

enum config_store config_store_of(const char *store, const char **ret_url)
{
	static const char *const names[] = {
		[CONFIG_STORE_CLICKHOUSE] = CONFIG_CLICKHOUSE,
		[CONFIG_STORE_PYROSCOPE] = "pyroscope=",
		[CONFIG_STORE_PARCA] = "parca=",
		[CONFIG_STORE_COROOT] = "coroot=",
		[CONFIG_STORE_OTLP] = "otlp=",
	};

	for (enum config_store kind = CONFIG_STORE_CLICKHOUSE; kind < CONFIG_STORES; kind++)
		if (strncmp(store, names[kind], strlen(names[kind])) == 0) {
			*ret_url = store + strlen(names[kind]);
			return kind;
		}
	return CONFIG_STORE_NONE;
}

static bool text_is_good(enum option_type type, const char *value)
{
	struct parsed_address address;
	struct nets nets;
	const char *url;

	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	if (type == OPTION_SECRET)
		return secret_is_good(value);
	if (type == OPTION_PATH)
		return value[0] == '/';
	if (type == OPTION_COMMAND || type == OPTION_FILE)
		return !*value || value[0] == '/';
	if (type == OPTION_URL)
		return !*value || url_is_good(value);
	if (type == OPTION_STORE)
		return !*value ||
		       (config_store_of(value, &url) != CONFIG_STORE_NONE && url_is_good(url));
	if (type == OPTION_TEXT)
		return strlen(value) <= 64;
	if (type == OPTION_NETS)
		return nets_parse(value, &nets) == 0;
	if (type == OPTION_FOLDERS)
		return folders_are_good(value);
	if (type == OPTION_ADDRESS)
		return parse_address(value, &address) == 0;
	return true;
}

const char *config_mode_name(enum config_mode mode)
{
	static const char *const names[CONFIG_MODES] = {
		[CONFIG_ALWAYS] = "always",
		[CONFIG_ON_DEMAND] = "on-demand",
		[CONFIG_PERIODIC] = "periodic",
	};

	return names[mode];
}

static const char *shared_name(enum config_shared shared)
{
	return shared == CONFIG_HOSTS ? "hosts" : "windows";
}

static const char *users_name(enum config_users users)
{
	return users == CONFIG_USERS_RECORD ? "record" : "read";
}

/* The name of a choice, by its number. */
static const char *choice_name(enum option_type type, int i)
{
	return type == OPTION_MODE   ? config_mode_name((enum config_mode)i) :
	       type == OPTION_SHARED ? shared_name((enum config_shared)i) :
				       users_name((enum config_users)i);
}

static bool is_choice(enum option_type type)
{
	return type == OPTION_MODE || type == OPTION_SHARED || type == OPTION_USERS;
}

/* What an option's name of several is, by its number; -EINVAL. */
static int choice_of(enum option_type type, const char *name)
{
	int n = type == OPTION_MODE   ? CONFIG_MODES :
		type == OPTION_SHARED ? CONFIG_SHARED :
					CONFIG_USERS;

	for (int i = 0; i < n; i++)
		if (streq(choice_name(type, i), name))
			return i;
	return -EINVAL;
}

static bool is_number(enum option_type type)
{
	return type == OPTION_NUMBER || type == OPTION_DURATION || type == OPTION_SIZE ||
	       type == OPTION_SHARE;
}

static int set(struct config *c, const struct option_entry *o, const char *value, char **ret_error)
{
	char *dest = (char *)c + o->dest;
	uint64_t v, bound;

	if (is_number(o->type)) {
		if (parse_number(o->type, value, &v) < 0 ||
		    (o->min && parse_number(o->type, o->min, &bound) == 0 && v < bound) ||
		    (o->max && parse_number(o->type, o->max, &bound) == 0 && v > bound))
			return complain(o, value, ret_error);
		memcpy(dest, &v, sizeof(v));
	} else if (is_choice(o->type)) {
		int choice = choice_of(o->type, value);

		if (choice < 0)
			return complain(o, value, ret_error);
		memcpy(dest, &choice, sizeof(choice));
	} else {
		char **text = (char **)(void *)dest;
		char *copy;

		if (!text_is_good(o->type, value))
			return complain(o, value, ret_error);
		copy = strdup(value);
		if (!copy)
			return -ENOMEM;
		free(*text);
		*text = copy;
	}
	return 0;
}

static const struct option_entry *find(const char *section, const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (streq(options[i].section, section) && streq(options[i].key, key))
			return &options[i];
	return NULL;
}

int config_set(struct config *c, const char *section, const char *key, const char *value,
	       char **ret_error)
{
	const struct option_entry *o = find(section, key);

	return o ? set(c, o, value, ret_error) : -ENOENT;
}

int config_new(struct config **ret)
{
	_cleanup_(config_freep) struct config *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		r = set(c, &options[i], options[i].initial, NULL);
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(c);
	return 0;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (!is_number(options[i].type) && !is_choice(options[i].type))
			free(*(char **)(void *)((char *)c + options[i].dest));
	free(c);
}

const char *config_help(size_t i)
{
	static char line[256];

	if (i >= ARRAY_SIZE(options))
		return NULL;
	snprintf(line, sizeof(line), "[%s] %s (%s): %s", options[i].section, options[i].key,
		 options[i].initial, options[i].help);
	return line;
}

/* One file while libinih reads it. */
struct loading {
	struct config *config;
	const char *path;
	FILE *file;
	unsigned int line; /* the one handed to libinih last */
	int error;
	char *message; /* owned; of the first error */
};

static void fail(struct loading *l, int error, const char *what)
{
	if (l->error)
		return;
	l->error = error;
	if (asprintf(&l->message, "%s:%u: %s", l->path, l->line, what) < 0)
		l->message = NULL;
}

/*
 * libinih's reader: counts lines, which libinih does not tell its handler. A longer line would
 * reach it in pieces.
 */
static char *next_line(char *buffer, int size, void *ctx)
{
	struct loading *l = ctx;

	if (l->error || !fgets(buffer, size, l->file))
		return NULL;
	l->line++;
	if (strlen(buffer) == (size_t)size - 1 && buffer[size - 2] != '\n') {
		fail(l, -EINVAL, "the line is too long, 198 bytes at most");
		return NULL;
	}
	return buffer;
}

static int on_option(void *ctx, const char *section, const char *key, const char *value)
{
	struct loading *l = ctx;
	const struct option_entry *o = find(section, key);
	_cleanup_free_ char *what = NULL;
	int r;

	if (l->error)
		return 0;
	if (!o) {
		log_warning("%s:%u: unknown option \"%s\" in section [%s], ignoring", l->path,
			    l->line, key, section);
		return 1;
	}
	r = set(l->config, o, value, &what);
	if (r < 0)
		fail(l, r, what ? what : strerror(-r));
	return r >= 0;
}

static int load_file(struct config *c, const char *path, char **ret_error)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	struct loading l = { .config = c, .path = path, .file = file };
	int r;

	if (!file) {
		r = -errno;
		if (asprintf(ret_error, "%s: %s", path, strerror(-r)) < 0)
			*ret_error = NULL;
		return r;
	}
	r = ini_parse_stream(next_line, &l, on_option, &l);
	if (r > 0)
		l.line = (unsigned int)r; /* the first line without "=" or "]" */
	if (r != 0)
		fail(&l, -EINVAL,
		     "the file has a line that is no [section], no key = value and no # comment");
	if (ferror(file))
		fail(&l, -EIO, "cannot be read");
	if (l.error)
		*ret_error = l.message;
	return l.error;
}

static int is_conf(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && streq(d->d_name + n - 5, ".conf");
}

static bool passed_over(int r, bool skip_unreadable)
{
	return skip_unreadable && (r == -EACCES || r == -EPERM);
}

static int load_directory(struct config *c, const char *file, bool skip_unreadable,
			  char **ret_error)
{
	_cleanup_free_ char *directory = NULL;
	struct dirent **entries = NULL;
	int n, r = 0;

	if (asprintf(&directory, "%s.d", file) < 0)
		return -ENOMEM;
	n = scandir(directory, &entries, is_conf, alphasort);
	if (n < 0) {
		r = -errno;
		if (r == -ENOENT || r == -ENOTDIR || passed_over(r, skip_unreadable))
			return 0;
		if (asprintf(ret_error, "%s: %s", directory, strerror(-r)) < 0)
			*ret_error = NULL;
		return r;
	}
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = NULL;

		if (r >= 0) {
			r = asprintf(&path, "%s/%s", directory, entries[i]->d_name) < 0 ?
				    -ENOMEM :
				    load_file(c, path, ret_error);
			if (passed_over(r, skip_unreadable)) {
				free(*ret_error);
				*ret_error = NULL;
				r = 0;
			}
		}
		free(entries[i]);
	}
	free(entries);
	return r;
}

int config_load(struct config *c, const char *file, bool skip_unreadable, char **ret_error)
{
	char *error = NULL;
	int r;

	r = load_file(c, file ? file : CONFIG_DEFAULT_FILE, &error);
	if ((r == -ENOENT && !file) || passed_over(r, skip_unreadable)) {
		free(error);
		error = NULL;
		r = 0;
	}
	if (r >= 0)
		r = load_directory(c, file ? file : CONFIG_DEFAULT_FILE, skip_unreadable, &error);
	if (r < 0)
		*ret_error = error;
	return r;
}
