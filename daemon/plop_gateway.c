/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "clickhouse/schema.h"
#include "gateway/confine.h"
#include "gateway/gateway.h"
#include "http/exchange.h"
#include "plop/version.h"
#include "util/heap.h"
#include "util/log.h"
#include "util/parse.h"

/*
 * plop-gateway: the program with the network and without privileges. Here: options, the listening
 * socket, the loop.
 */

struct options {
	char *config_file, *listen, *socket, *state_dir, *store; /* argv's */
	bool verbose, init_store;
};

/* These have no letter. */
#define KEY_INIT_STORE 256
#define KEY_STORE      257

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'C':
		o->config_file = value;
		return 0;
	case 'L':
		o->listen = value;
		return 0;
	case 'S':
		o->socket = value;
		return 0;
	case 'D':
		o->state_dir = value;
		return 0;
	case 'v':
		o->verbose = true;
		return 0;
	case KEY_STORE:
		o->store = value;
		return 0;
	case KEY_INIT_STORE:
		o->init_store = true;
		return 0;
	case 'V':
		puts("plop-gateway " PLOP_VERSION);
		exit(EXIT_SUCCESS);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int load_config(const struct options *o, struct config **ret)
{
	const struct {
		const char *section, *key, *value;
	} overrides[] = {
		{ "gateway", "listen", o->listen },
		{ "plopd", "socket", o->socket },
		{ "plopd", "state_dir", o->state_dir },
		{ "fleet", "store", o->store },
	};
	_cleanup_(config_freep) struct config *c = NULL;
	_cleanup_free_ char *error = NULL;
	int r;

	r = config_new(&c);
	if (r >= 0)
		r = config_load(c, o->config_file, false, &error);
	for (size_t i = 0; i < ARRAY_SIZE(overrides) && r >= 0; i++)
		if (overrides[i].value)
			r = config_set(c, overrides[i].section, overrides[i].key,
				       overrides[i].value, &error);
	if (r < 0) {
		log_error("configuration: %s", error ? error : strerror(-r));
		return r;
	}
	*ret = TAKE_PTR(c);
	return 0;
}

static int bind_one(const struct addrinfo *a)
{
	_cleanup_close_ int fd = -EBADF;
	int one = 1;

	fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* Where a socket listens. */
static int address_of(int fd, struct parsed_address *ret)
{
	struct sockaddr_storage a = {};
	socklen_t size = sizeof(a);
	char port[8];
	uint64_t number;

	if (getsockname(fd, (struct sockaddr *)&a, &size) < 0)
		return -errno;
	if (getnameinfo((struct sockaddr *)&a, size, ret->host, sizeof(ret->host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0 ||
	    parse_u64(port, 0, UINT16_MAX, &number) < 0)
		return -EINVAL;
	ret->port = (uint16_t)number;
	return 0;
}

/*
 * The socket that systemd has bound, of plop-gateway.socket. -ENOENT: there is none; others: it has
 * complained.
 */
static int take_socket(const char *text, struct parsed_address *address)
{
	const struct parsed_address wanted = *address;
	int n = sd_listen_fds(1);

	if (n <= 0)
		return -ENOENT;
	if (n > 1 || sd_is_socket_inet(SD_LISTEN_FDS_START, AF_UNSPEC, SOCK_STREAM, 1, 0) <= 0 ||
	    address_of(SD_LISTEN_FDS_START, address) < 0) {
		log_error("systemd has handed over what is not one listening TCP socket: see "
			  "systemctl cat plop-gateway.socket");
		return -EINVAL;
	}
	if (address->port != wanted.port || !streq(address->host, wanted.host))
		log_warning("systemd listens on %s port %u, and listen = %s of plop.conf is not "
			    "heeded: ListenStream= of plop-gateway.socket says where",
			    address->host, address->port, text);
	return SD_LISTEN_FDS_START;
}

/* The listening socket, or a negative errno; it has complained. */
static int open_socket(const char *text, struct parsed_address *address)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
					.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	char port[8];
	int r, fd;

	fd = take_socket(text, address);
	if (fd != -ENOENT)
		return fd;
	snprintf(port, sizeof(port), "%u", address->port);
	r = getaddrinfo(address->host, port, &hints, &found);
	if (r != 0) {
		log_error("cannot listen on %s: %s; see --listen and listen in plop.conf", text,
			  gai_strerror(r));
		return -EADDRNOTAVAIL;
	}
	fd = bind_one(found);
	freeaddrinfo(found);
	if (fd == -EADDRINUSE)
		log_error(
			"cannot listen on %s: the port is in use; --listen ADDR:PORT takes another",
			text);
	else if (fd < 0)
		log_error("cannot listen on %s: %s; see --listen and listen in plop.conf", text,
			  strerror(-fd));
	return fd;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *ctx)
{
	sd_notify(0, "STOPPING=1");
	log_info("stopping");
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

/* Before there are threads. What it needs of others it asks for afterwards. */
static void confine(const struct config *config, bool of_fleet, char said[CONFINEMENT_TEXT])
{
	bool asks = of_fleet || ship_wanted(config) || *config->notify_url;
	struct gateway_confinement confinement;

	gateway_confine(config, asks, &confinement);
	gateway_confinement_say(&confinement, said);
	if (confinement.calls < 0)
		log_warning("%s", said);
	else
		log_info("%s", said);
}

static int serve(const struct config *config, bool of_fleet)
{
	_cleanup_(command_freep) struct command *command = NULL;
	_cleanup_(sd_event_unrefp) sd_event *loop = NULL;
	_cleanup_(gateway_freep) struct gateway *g = NULL;
	_cleanup_close_ int fd = -EBADF;
	struct parsed_address address;
	char said[CONFINEMENT_TEXT];
	sigset_t signals;
	int r = 0;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);

	if (*config->notify_command && !of_fleet)
		r = command_new(config->notify_command, &command);
	if (r < 0)
		return log_error_r(r, "cannot start");
	r = parse_address(config->listen, &address);
	if (r < 0)
		return log_error_r(r, "cannot listen on %s", config->listen);
	fd = open_socket(config->listen, &address);
	if (fd < 0)
		return fd;
	confine(config, of_fleet, said);
	r = sd_event_default(&loop);
	if (r >= 0)
		r = sd_event_add_signal(loop, NULL, SIGTERM, on_signal, NULL);
	if (r >= 0)
		r = sd_event_add_signal(loop, NULL, SIGINT, on_signal, NULL);
	if (r >= 0)
		r = sd_event_set_watchdog(loop, true);
	if (r >= 0)
		r = gateway_new(loop, config, &address, fd, of_fleet, command, &g);
	if (r < 0)
		return log_error_r(r, "cannot start");
	TAKE_FD(fd); /* the server's */
	sd_notifyf(0, "READY=1\nSTATUS=Serving %s; %s", g->url, said);
	log_info("serving %s", g->url);
	r = sd_event_loop(loop);
	return r < 0 ? log_error_r(r, "the event loop failed") : 0;
}

/* Makes the tables of the fleet's store. It has complained. */
static int init_store(const struct config *config)
{
	const struct clickhouse_options o = {
		.url = config->fleet_store + strlen(CONFIG_CLICKHOUSE),
		.user = config->fleet_user,
		.password_file = config->fleet_password_file,
		.ca_file = config->fleet_ca_file,
	};
	_cleanup_(clickhouse_freep) struct clickhouse *c = NULL;
	struct clickhouse_trouble why = {};
	_cleanup_free_ char *error = NULL;
	const char *url;
	int r;

	if (config_store_of(config->fleet_store, &url) != CONFIG_STORE_CLICKHOUSE) {
		log_error("there is no store that takes tables: set store = clickhouse=URL in "
			  "[fleet] of plop.conf");
		return -EINVAL;
	}
	r = clickhouse_new(&o, &c, &error);
	if (r == 0)
		r = clickhouse_schema_make(c, &why);
	if (r < 0) {
		log_error("cannot make the tables: %s", error         ? error :
							*why.sentence ? why.sentence :
									strerror(-r));
		return r;
	}
	printf("The store at %s has plop's tables, in database %s.\n", clickhouse_place(c),
	       clickhouse_database(c));
	return 0;
}

int main(int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "config", 'C', "FILE", 0, "Configuration, default " CONFIG_DEFAULT_FILE, 0 },
		{ "listen", 'L', "ADDR:PORT", 0, "Where to listen, default 127.0.0.1:7567", 0 },
		{ "socket", 'S', "PATH", 0, "plopd's socket, default /run/plop/plopd.sock", 0 },
		{ "state-dir", 'D', "DIR", 0, "Directory of plop.db, default /var/lib/plop", 0 },
		{ "store", KEY_STORE, "clickhouse=URL", 0,
		  "Serve what all hosts have shipped to this store, in place of this host's", 0 },
		{ "init-store", KEY_INIT_STORE, NULL, 0,
		  "Make plop's tables in the store of [fleet], and end", 0 },
		{ "verbose", 'v', NULL, 0, "Log in detail", 1 },
		{ "version", 'V', NULL, 0, "Print the version", -1 },
		{}
	};
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.doc = "Serve plop's viewer and HTTP API on a TCP port.\v"
		       "It needs no privilege but to read plop.db and to use plopd's socket (group "
		       "plop). Who asks needs a token: "
		       "plopctl open prints an address with one. See plop-gateway(8).",
	};
	_cleanup_(config_freep) struct config *config = NULL;
	struct options o = {};
	int r;

	log_init("plop-gateway", LOG_LEVEL_INFO);
	heap_init();
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.verbose)
		log_set_max_level(LOG_LEVEL_DEBUG);
	if (http_init() < 0) {
		log_error("cannot set libcurl up");
		return EXIT_FAILURE;
	}
	r = load_config(&o, &config);
	if (r >= 0)
		r = o.init_store ? init_store(config) : serve(config, o.store);
	http_end();
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
