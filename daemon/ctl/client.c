/* SPDX-License-Identifier: BSD-2-Clause */
#include <curl/curl.h>
#include <limits.h>

#include "ctl/ctl.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/socket.h"

/* Larger than any answer of a plopd that works. */
#define MAX_ANSWER (1u << 30)
/* While others fill the socket's queue, it is asked again and again for a place. */
#define CONNECT_S 5
#define AGAIN_NS  (10 * NSEC_PER_MSEC)

void ctl_answer_done(struct ctl_answer *a)
{
	buf_free(&a->body);
	free(a->error);
	free(a->hint);
	*a = (struct ctl_answer){};
}

static size_t on_data(char *data, size_t one, size_t size, void *ctx)
{
	struct ctl_answer *a = ctx;

	if (size > MAX_ANSWER - a->body.size)
		return 0;
	buf_append(&a->body, data, size);
	return a->body.error ? 0 : size;
}

static size_t on_header(char *data, size_t one, size_t size, void *ctx)
{
	struct ctl_answer *a = ctx;
	char line[128];

	if (size >= sizeof(line))
		return size;
	memcpy(line, data, size);
	line[size] = '\0';
	if (strncasecmp(line, "Plop-Samples: ", 14) == 0) {
		a->samples = strtoull(line + 14, NULL, 10);
		a->has_counts = true;
	} else if (strncasecmp(line, "Plop-Lost: ", 11) == 0) {
		a->lost = strtoull(line + 11, NULL, 10);
	} else if (strncasecmp(line, "Plop-Other: ", 12) == 0) {
		a->other = strtoull(line + 12, NULL, 10);
	}
	return size;
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

static int perform(CURL *curl, struct ctl_answer *a)
{
	long status = 0, os_error = 0;
	CURLcode code = curl_easy_perform(curl);

	if (code == CURLE_OK) {
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		a->status = (unsigned int)status;
		buf_putc(&a->body, '\0');
		if (a->body.error)
			return a->body.error;
		a->body.size--;
		if (a->status >= 400)
			read_error(a);
		return 0;
	}
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
	/*
	 * Without an error of the system: a Unix socket's queue is full, which libcurl takes for a connection under way
	 * that came to nothing (7.88), or finds out when it sends.
	 */
	if (code == CURLE_COULDNT_CONNECT)
		return os_error > 0 ? -(int)os_error : -EAGAIN;
	if (code == CURLE_SEND_ERROR && os_error == ENOTCONN)
		return -EAGAIN;
	if (code == CURLE_OPERATION_TIMEDOUT)
		return -ETIMEDOUT;
	if (code == CURLE_OUT_OF_MEMORY)
		return -ENOMEM;
	return -ECONNRESET;
}

/* The trusted socket if there is one for us and somebody listens there, else the public one; either may have a queue. */
static int perform_somewhere(const struct ctl *ctl, CURL *curl, struct ctl_answer *a)
{
	const struct timespec pause = { .tv_nsec = AGAIN_NS };
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + CONNECT_S * NSEC_PER_SEC;
	char trusted[PATH_MAX];
	const char *path = socket_choose(ctl->config->socket, trusted, sizeof(trusted));
	int r;

	for (;;) {
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path);
		r = perform(curl, a);
		if ((r == -ECONNREFUSED || r == -ENOENT) && path == trusted)
			path = ctl->config->socket;
		else if (r != -EAGAIN)
			return r;
		else if (clock_ns(CLOCK_MONOTONIC) > until)
			return -ETIMEDOUT;
		else
			nanosleep(&pause, NULL);
	}
}

int ctl_exchange(const struct ctl *ctl, const char *method, const char *path, const char *body,
		 unsigned int timeout_s, struct ctl_answer *ret)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *url = NULL;
	struct curl_slist *headers;
	CURL *curl;
	int r;

	if (asprintf(&url, "http://plopd%s", path) < 0)
		return -ENOMEM;
	curl = curl_easy_init();
	headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (curl && headers) {
		curl_easy_setopt(curl, CURLOPT_URL, url);
		curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
		curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)timeout_s);
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, &a);
		curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
		curl_easy_setopt(curl, CURLOPT_HEADERDATA, &a);
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
		if (body) {
			curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
			curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		}
		r = perform_somewhere(ctl, curl, &a);
	} else {
		r = -ENOMEM;
	}
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
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

int ctl_complain(const struct ctl *ctl, const char *what, int r, const struct ctl_answer *a)
{
	const char *socket = ctl->config->socket;

	if (r == -EACCES || r == -EPERM) {
		log_error("%s: not allowed to use %s", what, socket);
		log_error("try: run it as root, or as a member of group plop");
		return CTL_NOT_ALLOWED;
	}
	if (r == -ENOMEM) {
		log_error("%s: %s", what, strerror(-r));
		return CTL_FAILED;
	}
	if (r < 0) {
		log_error("%s: cannot reach plopd at %s: %s", what, socket, strerror(-r));
		log_error("try: systemctl status plopd; or --socket PATH, if plopd listens "
			  "elsewhere");
		return CTL_UNREACHABLE;
	}
	if (a->error)
		log_error("%s: %s", what, a->error);
	else
		log_error("%s: plopd answered with HTTP status %u", what, a->status);
	if (a->hint)
		log_error("try: %s", a->hint);
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
		log_error("%s: plopd's answer is not JSON; do plopd and plopctl have the same "
			  "version?",
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
