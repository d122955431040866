/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/ctl.h"
#include "http/run.h"
#include "util/log.h"

/* Larger than any answer of a plopd that works. */
#define MAX_ANSWER (1u << 30)
/* ... of a plop-gateway, of which any may be at the other end. */
#define MAX_SERVER_ANSWER (64u << 20)
/* That a place on the socket may take. */
#define CONNECT_S 5

void ctl_answer_done(struct ctl_answer *a)
{
	buf_free(&a->body);
	free(a->error);
	free(a->hint);
	*a = (struct ctl_answer){};
}

static void on_header(struct http_exchange *e, const char *data, size_t size)
{
	struct ctl_answer *a = e->ctx;
	char line[128];

	if (size >= sizeof(line))
		return;
	memcpy(line, data, size);
	line[size] = '\0';
	if (strncasecmp(line, "Content-Type: application/json", 30) == 0)
		a->is_json = true;
	if (strncasecmp(line, "Plop-Samples: ", 14) == 0) {
		a->samples = strtoull(line + 14, NULL, 10);
		a->has_counts = true;
	} else if (strncasecmp(line, "Plop-Lost: ", 11) == 0) {
		a->lost = strtoull(line + 11, NULL, 10);
	} else if (strncasecmp(line, "Plop-Other: ", 12) == 0) {
		a->other = strtoull(line + 12, NULL, 10);
	}
}

static void read_error(struct ctl_answer *a)
{
	json_t *o = json_loadb(a->body.data, a->body.size, 0, NULL);
	const char *error = json_string_value(json_object_get(o, "error"));
	const char *hint = json_string_value(json_object_get(o, "hint"));

	a->error = error ? strdup(error) : NULL;
	a->hint = hint ? strdup(hint) : NULL;
	json_decref(o);
}

/* plopd has answered: its body with a NUL behind it, and what it says if it is an error. */
static int take_answer(struct http_exchange *e, struct ctl_answer *a)
{
	a->status = e->status;
	a->body = e->body;
	e->body = (struct buf){};
	a->body.limit = 0;
	buf_putc(&a->body, '\0');
	if (a->body.error)
		return a->body.error;
	a->body.size--;
	if (a->status >= 400)
		read_error(a);
	return 0;
}

/* A plop-gateway says of each answer that it is JSON, or how many samples a profile has. */
static int judge_server(const struct ctl_answer *a)
{
	bool profile = a->has_counts && a->status == 200;

	return profile || (a->is_json && (a->status < 300 || a->status >= 400)) ? 0 : -EPROTO;
}

/* Why a server has not answered, for ctl_complain(). */
static char *silence_of(const struct http_exchange *e, int r, unsigned int status)
{
	char *why = NULL;

	if (r == -EPROTO && asprintf(&why, "HTTP status %u", status) < 0)
		why = NULL;
	if (r == -EPROTO)
		return why;
	return strdup(*e->said && !e->error ? e->said : strerror(-r));
}

int ctl_exchange(const struct ctl *ctl, const char *method, const char *path, const char *body,
		 unsigned int timeout_s, struct ctl_answer *ret)
{
	const struct http_server *server = ctl->server.base ? &ctl->server : NULL;
	const struct http_request request = { .server = server,
					      .method = method,
					      .target = path,
					      .body = body,
					      .connect_s = CONNECT_S,
					      .timeout_ms = timeout_s * 1000,
					      .limit = server ? MAX_SERVER_ANSWER : MAX_ANSWER };
	_cleanup_answer_ struct ctl_answer a = {};
	struct http_exchange e = { .header = on_header, .ctx = &a };
	int r = http_exchange_begin(&e, &request);

	if (r >= 0)
		r = http_run(&e, server ? NULL : ctl->config->socket, CONNECT_S);
	/* what libcurl says of a header without an end: all else here is small */
	if (r == -ENOMEM && server)
		r = -EFBIG;
	if (r >= 0)
		r = take_answer(&e, &a);
	if (r >= 0 && server)
		r = judge_server(&a);
	if (r < 0 && server)
		ret->error = silence_of(&e, r, a.status);
	http_exchange_end(&e);
	if (r < 0)
		return r;
	*ret = a;
	a = (struct ctl_answer){};
	return 0;
}

static int exit_of(unsigned int status)
{
	switch (status) {
	case 400:
		return CTL_USAGE;
	case 404:
	case 422:
		return CTL_NO_TARGET;
	case 401:
	case 403:
		return CTL_NOT_ALLOWED;
	default:
		return CTL_FAILED;
	}
}

/* The server has not answered, or not as one does. */
static int complain_of_server(const struct ctl *ctl, const char *what, int r,
			      const struct ctl_answer *a)
{
	const char *url = ctl->server.base, *why = a && a->error ? a->error : strerror(-r);

	if (r == -EKEYREJECTED) {
		log_error("%s: the certificate of %s is not trusted: %s", what, url, why);
		log_error("try: --ca-file FILE, with the certificate of who has signed it");
	} else if (r == -EPROTO) {
		log_error("%s: what answers at %s is no plop-gateway (%s)", what, url, why);
		log_error("try: the address that plop-gateway serves, as http://HOST:7567");
	} else if (r == -EFBIG) {
		log_error("%s: %s answers with more than %u MiB, or than headers may be", what, url,
			  MAX_SERVER_ANSWER >> 20);
		log_error("try: a shorter time, or one service");
		return CTL_FAILED;
	} else {
		log_error("%s: cannot reach plop-gateway at %s: %s", what, url, why);
		log_error("try: the address of --server in a browser; on its host: systemctl "
			  "status plop-gateway");
	}
	return CTL_UNREACHABLE;
}

static int complain_of_plopd(const struct ctl *ctl, const char *what, int r)
{
	const char *socket = ctl->config->socket;

	if (r == -EACCES || r == -EPERM) {
		log_error("%s: not allowed to use %s", what, socket);
		log_error("try: run it as root, or as a member of group plop");
		return CTL_NOT_ALLOWED;
	}
	log_error("%s: cannot reach plopd at %s: %s", what, socket, strerror(-r));
	log_error("try: systemctl status plopd; or --socket PATH, if plopd listens elsewhere");
	return CTL_UNREACHABLE;
}

int ctl_complain(const struct ctl *ctl, const char *what, int r, const struct ctl_answer *a)
{
	const char *hint;

	if (r == -ENOMEM) {
		log_error("%s: %s", what, strerror(-r));
		return CTL_FAILED;
	}
	if (r < 0)
		return ctl->server.base ? complain_of_server(ctl, what, r, a) :
					  complain_of_plopd(ctl, what, r);
	if (a->error)
		log_error("%s: %s", what, a->error);
	else
		log_error("%s: %s answered with HTTP status %u", what,
			  ctl->server.base ? ctl->server.base : "plopd", a->status);
	/* its hint is for who has a browser on that host */
	hint = a->hint;
	if (ctl->server.base && a->status == 401)
		hint = "--token-file FILE, with the token that plop.conf there has in [gateway]";
	if (hint)
		log_error("try: %s", hint);
	return exit_of(a->status);
}

int ctl_request(const struct ctl *ctl, const char *what, const char *method, const char *path,
		const char *body, unsigned int timeout_s, struct ctl_answer *ret)
{
	_cleanup_answer_ struct ctl_answer a = {};
	int r = ctl_exchange(ctl, method, path, body, timeout_s, &a);

	if (r < 0 || a.status >= 400 || a.status < 200)
		return ctl_complain(ctl, what, r, &a);
	*ret = a;
	a = (struct ctl_answer){};
	return CTL_DONE;
}

void ctl_tell_none(const struct ctl *ctl, const char *what)
{
	_cleanup_answer_ struct ctl_answer a = {};
	json_t *status = NULL;

	if (ctl_exchange(ctl, "GET", "/v1/status", NULL, 30, &a) == 0 && a.status == 200)
		status = json_loadb(a.body.data, a.body.size, 0, NULL);
	if (json_is_integer(json_object_get(status, "only_uid")))
		log_warning("%s: no Python process of yours runs; root and members of group plop "
			    "may ask for those of others",
			    what);
	else
		log_warning("%s: no Python process runs that plopd profiles", what);
	json_decref(status);
}

bool ctl_tell_if_none(const struct ctl *ctl, const char *what)
{
	_cleanup_answer_ struct ctl_answer a = {};
	json_t *processes = NULL;
	bool none;

	if (ctl_exchange(ctl, "GET", "/v1/processes", NULL, 30, &a) == 0 && a.status == 200)
		processes = json_loadb(a.body.data, a.body.size, 0, NULL);
	none = processes && json_array_size(processes) == 0;
	if (none)
		ctl_tell_none(ctl, what);
	json_decref(processes);
	return none;
}

json_t *ctl_answer_json(const struct ctl_answer *a, const char *what)
{
	json_t *o = json_loadb(a->body.data, a->body.size, 0, NULL);

	if (!o)
		log_error("%s: the answer is not JSON; does what answers have the same version as "
			  "plopctl?",
			  what);
	return o;
}

int ctl_print_json(const json_t *o, const char *what)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_buf_ struct buf b = {};
	int r;

	text = json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	if (!text) {
		log_error("%s: %s", what, strerror(ENOMEM));
		return CTL_FAILED;
	}
	if (isatty(STDOUT_FILENO))
		text_for_terminal(text, strlen(text), true, &b);
	else
		buf_puts(&b, text);
	buf_putc(&b, '\n');
	r = b.error || fwrite(b.data, 1, b.size, stdout) != b.size ? -1 : 0;
	if (r < 0 || fflush(stdout) != 0) {
		log_error("%s: cannot write to stdout: %s", what, strerror(errno));
		return CTL_FAILED;
	}
	return CTL_DONE;
}

int ctl_show(struct ctl *ctl, const char *what, const char *path, bool json,
	     void (*print)(const json_t *answer))
{
	_cleanup_answer_ struct ctl_answer a = {};
	json_t *answer;
	int r;

	r = ctl_configure(ctl);
	if (r == CTL_DONE)
		r = ctl_request(ctl, what, "GET", path, NULL, 30, &a);
	if (r != CTL_DONE)
		return r;
	answer = ctl_answer_json(&a, what);
	if (!answer)
		return CTL_FAILED;
	if (json)
		r = ctl_print_json(answer, what);
	else
		print(answer);
	json_decref(answer);
	return r;
}
