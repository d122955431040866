/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/source.h"
#include "proc/source.h"
#include "util/json.h"
#include "util/parse.h"

#define HOW_TO_ALLOW                                                                        \
	"in plop.conf, [source] paths = /FOLDER:/FOLDER names the folders of which source " \
	"may be read, as they are without links"

/* Why there is no text, by what the helper returned. */
static const struct source_fault {
	int r;
	unsigned int status;
	const char *error, *hint;
} faults[] = {
	{ -EPERM, 403, "source is not allowed to be read there", HOW_TO_ALLOW },
	{ -ENOENT, 404, "the file is not there any more", NULL },
	{ -ENOTDIR, 404, "the file is not there any more", NULL },
	{ -EACCES, 403, "the process itself may not read it, or it is no file", NULL },
	{ -ELOOP, 403, "a link below the folder leads there", HOW_TO_ALLOW },
	{ -EXDEV, 403, "something is mounted below the folder there", HOW_TO_ALLOW },
	{ -EFBIG, 413, "the file is larger than 1 MiB", NULL },
	{ -ESTALE, 409, "the file was changed since the process started",
	  "once the process has started anew, its text is that of what runs" },
	{ -EBADE, 409, "the file has something else on the lines of this function",
	  "once the process has started anew, its text is that of what runs" },
	{ -ECHILD, 409,
	  "whether the file was changed is not known, as who started the program has ended", NULL },
	{ -EREMOTE, 503, "the file lies in a file system that may never answer", NULL },
	{ -EAGAIN, 503, "the file cannot be read just now", "ask again in a moment" },
	{ -EOPNOTSUPP, 422, "the file says that it is neither in UTF-8 nor in Latin-1", NULL },
	{ -EILSEQ, 422, "the file is not in the encoding that it says, UTF-8 if it says none",
	  NULL },
};

static void source_refuse(const struct look *l, int r)
{
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		if (faults[i].r != r)
			continue;
		api_reply_error(l->call, faults[i].status, faults[i].hint, "%s", faults[i].error);
		return;
	}
	api_reply_error(l->call, 500, NULL, "cannot read the source of process %d: %s", (int)l->pid,
			strerror(-r));
}

static int refuse(const struct api_request *q, const char *what)
{
	api_reply_error(q->call, 400, NULL, "%s", what);
	return -EINVAL;
}

/* What is asked for; it is answered on failure. */
static int parse(const struct api_request *q, struct examined_file *ret)
{
	const char *first = api_parameter(q, "line"), *last = api_parameter(q, "last");
	uint64_t line = 0, end = 0;

	ret->path = api_parameter(q, "file");
	ret->function = api_parameter(q, "function");
	if (!ret->path || ret->path[0] != '/')
		return refuse(q, "source is of a file with an absolute path: file=/PATH");
	if (!ret->function || !first || parse_u64(first, 0, INT32_MAX, &line) < 0)
		return refuse(q, "the file is checked by a function of it and its first line: "
				 "function=NAME and line=N");
	if (last && parse_u64(last, 0, INT32_MAX, &end) < 0)
		return refuse(q, "last= is the number of a line");
	ret->first = (uint32_t)line;
	ret->last = (uint32_t)end;
	return 0;
}

static int source_head(struct buf *b, const struct target *k)
{
	struct json_writer w = json_writer_on(b);

	json_put_object(&w, NULL);
	json_put_int(&w, "pid", k->info.pid);
	json_put_end(&w);
	return json_writer_done(&w);
}

void route_source(const struct api_request *q, void *ctx)
{
	struct looks *looks = ctx;
	struct examined_file f = { .paths = looks->config->source_paths };
	struct buf request = {};
	struct target *k;
	struct look *l;

	if (parse(q, &f) < 0)
		return;
	l = look_begin(q, looks, "source", &k);
	if (!l)
		return;
	if (!*f.paths || source_head(&l->head, k) < 0) {
		bool allowed = *f.paths;

		look_end(l);
		api_reply_error(q->call, allowed ? 500 : 403, allowed ? NULL : HOW_TO_ALLOW,
				allowed ? "out of memory" : "no source is read on this host");
		return;
	}
	l->members = examined_members;
	l->refuse = source_refuse;
	f.owner = k->info.uid;
	f.start_ticks = k->info.start_ticks;
	examine_source(&request, &f);
	look_ask(q, l, EXAMINE_SOURCE, &request);
}
