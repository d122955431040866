/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdarg.h>
#include <time.h>

#include "api/api.h"
#include "format/text.h"
#include "util/log.h"

/* Compact JSON and a newline, so that curl leaves the prompt on a line of its own. */
static int dump(const char *data, size_t size, void *ctx)
{
	struct buf *b = ctx;

	buf_append(b, data, size);
	return b->error ? -1 : 0;
}

int api_reply_json(struct api_call *c, unsigned int status, json_t *value)
{
	_cleanup_buf_ struct buf body = { .limit = api_answer_max(c) };

	if ((!value ||
	     json_dump_callback(value, dump, &body,
				JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) < 0) &&
	    !body.error)
		body.error = -ENOMEM;
	json_decref(value);
	buf_putc(&body, '\n');
	return api_reply(c, status, "application/json", &body, NULL);
}

int api_reply_writer(struct api_call *c, unsigned int status, struct json_writer *w)
{
	int r = json_writer_done(w);

	if (r == -EINVAL)
		log_error("Bug: an answer in JSON is not whole");
	buf_putc(w->out, '\n');
	return api_reply(c, status, "application/json", w->out, NULL);
}

int api_reply_error(struct api_call *c, unsigned int status, const char *hint, const char *format,
		    ...)
{
	_cleanup_buf_ struct buf body = {};
	struct json_writer w = json_writer_on(&body);
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	json_put_object(&w, NULL);
	json_put_string(&w, "error", text);
	json_put_string(&w, "hint", hint);
	json_put_end(&w);
	buf_putc(&body, '\n');
	/* without memory the status says it alone: api_reply() would answer by an error again */
	if (json_writer_done(&w) < 0)
		buf_clear(&body);
	return api_reply(c, status, "application/json", &body, NULL);
}

const char *api_body_string(const struct api_request *q, const char *key, json_t **ret_body)
{
	const char *value;

	*ret_body = json_loadb(q->body, q->body_size, JSON_REJECT_DUPLICATES, NULL);
	value = json_string_value(json_object_get(*ret_body, key));
	if (!value)
		api_reply_error(q->call, 400, NULL, "the body must be a JSON object with \"%s\"",
				key);
	return value;
}

int api_reply_encoded(struct api_call *c, const struct profile *p, const struct format *f,
		      struct buf *body)
{
	_cleanup_free_ char *ticks = NULL;
	_cleanup_buf_ struct buf b = {};
	char stamp[32], header[128], samples[64], lost[64], other[64];
	const char *headers[] = { samples, lost, other, NULL, NULL, NULL };
	time_t start = (time_t)(p->start_ns / NSEC_PER_SEC);
	struct tm tm;

	/* What plopctl tells at the end, whatever the format. */
	snprintf(samples, sizeof(samples), "Plop-Samples: %" PRIu64, p->samples_total);
	snprintf(lost, sizeof(lost), "Plop-Lost: %" PRIu64, tally_lost(&p->tally));
	snprintf(other, sizeof(other), "Plop-Other: %" PRIu64, profile_other(p));
	/*
	 * For formats that have no room for it, such as collapsed; without memory it is left out.
	 */
	buf_puts(&b, "Plop-Ticks: ");
	text_comment(&b, p);
	ticks = buf_string(&b);
	headers[3] = ticks;
	if (f->binary && gmtime_r(&start, &tm)) {
		strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
		snprintf(header, sizeof(header),
			 "Content-Disposition: attachment; filename=\"plop-%s.%s\"", stamp,
			 f->extension);
		headers[ticks ? 4 : 3] = header;
	}
	return api_reply(c, 200, f->content_type, body, headers);
}

int api_reply_written(struct api_call *c, const struct profile *p, const struct format *f, int r,
		      struct buf *body)
{
	if (r < 0 && r != -EFBIG)
		return api_reply_error(c, r == -E2BIG ? 413 : 500,
				       "ask for a shorter time, or for one process",
				       "failed to write the profile as %s: %s", f->name,
				       strerror(-r));
	/* An encoder may have found it out in a buffer of its own. */
	if (r < 0)
		body->error = r;
	return api_reply_encoded(c, p, f, body);
}

int api_reply_profile(struct api_call *c, const struct profile *p, const struct format *f)
{
	_cleanup_buf_ struct buf body = { .limit = api_answer_max(c) };
	int r = f->encode(p, &body);

	return api_reply_written(c, p, f, r, &body);
}
