/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

/* When plopd samples. */
enum config_mode {
	CONFIG_ALWAYS,
	CONFIG_ON_DEMAND, /* for recordings only */
	CONFIG_PERIODIC,  /* a window every so often */
	CONFIG_MODES,
};
const char *config_mode_name(enum config_mode mode); /* "on-demand"; static */

/* What the share of windows that are shipped is of. */
enum config_shared {
	CONFIG_WINDOWS,
	CONFIG_HOSTS, /* each for a day */
	CONFIG_SHARED,
};
/* What they may whom a proxy vouches for. */
enum config_users {
	CONFIG_USERS_READ,
	CONFIG_USERS_RECORD,
	CONFIG_USERS,
};
/* What stands before the URL in fleet_store. */
#define CONFIG_CLICKHOUSE "clickhouse="
enum config_store {
	CONFIG_STORE_NONE,
	CONFIG_STORE_CLICKHOUSE,
	CONFIG_STORE_PYROSCOPE,
	CONFIG_STORE_PARCA,
	CONFIG_STORE_COROOT,
	CONFIG_STORE_OTLP,
	CONFIG_STORES,
};
/* What KIND=URL names; *ret_url: behind its "=". NONE: it names none of them. */
enum config_store config_store_of(const char *store, const char **ret_url);

/*
 * /etc/plop/plop.conf, then /etc/plop/plop.conf.d/ (the *.conf in it by name), then the command
 * line: each overrides what came before. One table in config.c says what there is; plop.conf(5)
 * describes it.
 */
struct config {
	/* [plopd] */
	uint64_t hz;
	enum config_mode mode;
	uint64_t every_ns;
	uint64_t window_ns;
	char *state_dir; /* owned, as the other strings; also where plop-gateway reads plop.db */
	char *socket;    /* also where plop-gateway and plopctl find plopd */
	uint64_t retention_ns, retention_10m_ns, retention_6h_ns, retention_recordings_ns;
	uint64_t max_store; /* bytes */
	uint64_t max_depth;
	uint64_t budget;    /* millionths of a CPU that plopd may take; 0: as much as it needs */
	uint64_t user_rate; /* samples a second of all recordings of one user who is not trusted */
	/* [source]: folders, "PATH:PATH", of which source may be read; "": none is */
	char *source_paths;
	/* [gateway] */
	char *listen;                            /* ADDR:PORT */
	char *token;                             /* "": none */
	char *gateway_url;                       /* by which browsers find it; "": by listen */
	char *gateway_certificate, *gateway_key; /* files; "": there is no TLS */
	char *gateway_proxies;                   /* as nets_parse() has it; "": there is none */
	char *gateway_proxy_secret;              /* "": none */
	char *gateway_user_header;               /* "": proxies say of nobody who he is */
	enum config_users gateway_users;
	/* [notify]: of plop-gateway; "": none */
	char *notify_command, *notify_url;
	/* [fleet]: what plop-gateway ships, and where to; "": nowhere, or nothing is said of it */
	char *fleet_store; /* "clickhouse=URL" */
	char *fleet_user, *fleet_password_file, *fleet_ca_file, *fleet_region;
	char *fleet_token_file, *fleet_tenant;   /* where the store is no ClickHouse */
	uint64_t fleet_share, fleet_share_least; /* millionths */
	enum config_shared fleet_share_of;
	uint64_t fleet_target; /* samples an hour; 0: none */
	uint64_t fleet_deploy_windows, fleet_deploy_hosts;
	uint64_t fleet_rows, fleet_retention_ns, fleet_delay_ns;
	uint64_t fleet_poll_ns; /* 0: it asks for no requests */
	char *fleet_state_dir;  /* of what was shipped */
};

#define CONFIG_DEFAULT_FILE "/etc/plop/plop.conf"

/* Everything at its default. */
int config_new(struct config **ret);
void config_free(struct config *c);
DEFINE_FREEP(struct config, config_free)

/*
 * Reads file and file.d/ (the *.conf in it); file NULL: CONFIG_DEFAULT_FILE, which need not exist;
 * a named one must. skip_unreadable: files that the caller may not read are passed over (plopctl,
 * run by anybody). On failure *ret_error is one sentence, "FILE:LINE: what, what would do", owned
 * by the caller. Unknown keys are logged as warnings.
 */
int config_load(struct config *c, const char *file, bool skip_unreadable, char **ret_error);

/*
 * One option, as the command line gives it ("plopd", "hz", "200"). -ENOENT: there is no such
 * option.
 */
int config_set(struct config *c, const char *section, const char *key, const char *value,
	       char **ret_error);

/*
 * The table for --help and tests: one line for each option, "NAME (DEFAULT): HELP". NULL after the
 * last.
 */
const char *config_help(size_t i);
