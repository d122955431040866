/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "config/config.h"
#include "format/format.h"
#include "http/server.h"
#include "util/buf.h"

/* plopctl's commands. A command returns the exit status of the program. */
enum ctl_exit {
	CTL_DONE = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_NO_TARGET = 3,
	CTL_NOT_ALLOWED = 4,
	CTL_UNREACHABLE = 5,
};

struct ctl_command;
struct ctl {
	const struct ctl_command *command; /* the one that runs */
	struct config *config;
	char *config_file; /* --config, owned; NULL: the default one */
	char *socket;      /* --socket, owned; NULL: the configured one */
	/* --server, --token-file and --ca-file, owned, or NULL */
	char *url, *token_file, *ca_file;
	struct http_server server; /* by ctl_configure(); base NULL: plopd is asked */
};

struct ctl_command {
	const char *name;
	int (*run)(struct ctl *ctl, int argc, char *argv[]);
	const char
		*instead; /* it is of the host itself: what to try with --server; NULL: it is not */
};
int ctl_status(struct ctl *ctl, int argc, char *argv[]);
int ctl_ps(struct ctl *ctl, int argc, char *argv[]);
int ctl_recordings(struct ctl *ctl, int argc, char *argv[]);
int ctl_record(struct ctl *ctl, int argc, char *argv[]);
int ctl_export(struct ctl *ctl, int argc, char *argv[]);
int ctl_deploys(struct ctl *ctl, int argc, char *argv[]);
int ctl_diff(struct ctl *ctl, int argc, char *argv[]);
int ctl_regressions(struct ctl *ctl, int argc, char *argv[]);
int ctl_mark(struct ctl *ctl, int argc, char *argv[]);
int ctl_labels(struct ctl *ctl, int argc, char *argv[]);
int ctl_lines(struct ctl *ctl, int argc, char *argv[]);
int ctl_series(struct ctl *ctl, int argc, char *argv[]);
int ctl_dump(struct ctl *ctl, int argc, char *argv[]);
int ctl_top(struct ctl *ctl, int argc, char *argv[]);
int ctl_backup(struct ctl *ctl, int argc, char *argv[]);
int ctl_fsck(struct ctl *ctl, int argc, char *argv[]);
int ctl_fleet(struct ctl *ctl, int argc, char *argv[]);
int ctl_token(struct ctl *ctl, int argc, char *argv[]);
int ctl_open(struct ctl *ctl, int argc, char *argv[]);

/*
 * --socket, --server and the like, as each command takes them, too: an argp child whose input is
 * the struct ctl.
 */
struct argp;
extern const struct argp ctl_globals;
#define CTL_KEY_SERVER \
	256 /* of --server, which has no letter; the keys that follow are the rest's */
/*
 * Reads the configuration, and what --server needs, once all options are known. An exit status; it
 * has complained.
 */
int ctl_configure(struct ctl *ctl);
void ctl_done(struct ctl *ctl);

/* One exchange with plopd, or with the server. Free with ctl_answer_done(). */
struct ctl_answer {
	unsigned int status; /* of HTTP; 0: plopd was not reached or hung up */
	struct buf body;     /* a NUL follows it */
	/* of an answer that is an error, or why a server has not answered; owned, may be NULL */
	char *error, *hint;
	bool is_json;                  /* by its content type */
	bool has_counts;               /* the answer is a profile and says: */
	uint64_t samples, lost, other; /* other: without a stack, as [other] */
};
void ctl_answer_done(struct ctl_answer *a);
#define _cleanup_answer_ _cleanup_(ctl_answer_done)

/*
 * body: JSON or NULL. 0 when plopd answered, whatever its status; else a negative errno why it was
 * not reached, of a server also -EKEYREJECTED, its certificate; -EFBIG, it says too much; -EPROTO,
 * it is no plop-gateway. Prints nothing.
 */
int ctl_exchange(const struct ctl *ctl, const char *method, const char *path, const char *body,
		 unsigned int timeout_s, struct ctl_answer *ret);
/* The same, complaining of anything but success ("what: why", what to try). An exit status. */
int ctl_request(const struct ctl *ctl, const char *what, const char *method, const char *path,
		const char *body, unsigned int timeout_s, struct ctl_answer *ret);
/* Complains of an exchange that failed with r or was answered by an error. An exit status. */
int ctl_complain(const struct ctl *ctl, const char *what, int r, const struct ctl_answer *a);
/*
 * Says that there is no Python process, of the caller's if he sees no others, and who may ask for
 * more.
 */
void ctl_tell_none(const struct ctl *ctl, const char *what);
/* The same if that is so; whether it is. */
bool ctl_tell_if_none(const struct ctl *ctl, const char *what);
/* The answer's JSON, NULL if it is none (has complained). */
json_t *ctl_answer_json(const struct ctl_answer *a, const char *what);
/* On stdout, for programs; what a terminal must not get is escaped. An exit status. */
int ctl_print_json(const json_t *o, const char *what);
/* Asks GET path, and has the answer printed: as JSON, or by print(). Returns the exit status. */
int ctl_show(struct ctl *ctl, const char *what, const char *path, bool json,
	     void (*print)(const json_t *answer));

/* Where a profile goes: a file that appears whole or not at all, or stdout. */
struct ctl_output {
	char *path;      /* owned; NULL: stdout */
	char *temporary; /* owned; NULL: written in place (a device, a pipe) */
	int fd;
	bool json; /* its format */
};
/*
 * Checks that it can be written, before any work. "-" is stdout; of a link, what it names. An exit
 * status.
 */
int ctl_output_open(const char *path, const struct format *f, struct ctl_output *ret);
/* On a terminal by text_for_terminal(), else as it is. */
int ctl_output_write(struct ctl_output *o, const void *data, size_t size);
/* Removes what was not finished. */
void ctl_output_done(struct ctl_output *o);
#define _cleanup_output_ _cleanup_(ctl_output_done)
const char *ctl_output_name(const struct ctl_output *o);
/* On a terminal, of a file: what shows it. */
void ctl_output_hint(const struct ctl_output *o, const struct format *f);

/*
 * Adds a file to to. ret_changed_ns, which may be NULL: CLOCK_REALTIME of its last change. 0, or a
 * negative errno; also of what is larger than to's limit, and of what is no file to read from.
 */
int ctl_read_file(const char *path, struct buf *to, uint64_t *ret_changed_ns);

/* Text for people, in text.c. All return buffer. */
const char *text_number(uint64_t n, char *buffer, size_t size); /* 1,234,567 */
const char *text_time(double unix_seconds, char *buffer, size_t size);
/*
 * s in exactly columns of a terminal: cut or filled with spaces; what is not visible
 * (utf8_is_visible()) becomes "?".
 */
const char *text_cell(const char *s, unsigned int columns, bool fill, char *buffer, size_t size);
/*
 * What may go to a terminal of a text of lines: what is not visible becomes U+FFFD, or its escape
 * if the text is JSON, which then means the same.
 */
void text_for_terminal(const char *data, size_t size, bool json, struct buf *out);
unsigned int text_columns(int fd); /* of the terminal; 0: not a terminal */
/* "10 (fault 8, drain 2)" of a lost object. */
const char *text_lost(const json_t *lost, char *buffer, size_t size);
uint64_t text_lost_total(const json_t *lost);

/*
 * The number at a path of keys ("samples.ticks"), 0 if there is none; the string, "" if there is
 * none.
 */
double json_number_at(const json_t *o, const char *path);
const char *json_string_at(const json_t *o, const char *path);
/*
 * Where a function of an answer lies: its file, or its module; "": it has neither, as synthetic
 * ones.
 */
const char *json_place_at(const json_t *function);
/* For --help, as ctl_format() does. */
#define CTL_FORMAT_RULE                                                                            \
	"Without -f the file's ending tells the format: .pb.gz or .pprof, .collapsed, .folded "    \
	"or .txt, .speedscope.json, .tree.json, .json, .plop, .svg, .html, .top.txt. Else a file " \
	"is "                                                                                      \
	"pprof, and stdout collapsed."
/*
 * A format by name; without one (NULL) that which the file's ending tells; else pprof for a file,
 * also one that has no name yet (path NULL), and collapsed for stdout. NULL: it is unknown or not
 * there yet, of which it has complained.
 */
const struct format *ctl_format(const char *command, const char *name, const char *path);
/* CTL_DONE, or complains that these are no keys to group by. */
int ctl_group_by(const char *command, const char *keys);
/* Complains and returns CTL_USAGE. */
int ctl_usage(const char *command, const char *format, ...) _printf_(2, 3);
