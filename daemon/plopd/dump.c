/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/dump.h"
#include "util/json.h"

/* Why there is no dump. */
static void dump_refuse(const struct look *l, int r)
{
	int pid = (int)l->pid;

	if (r == -EFAULT)
		api_reply_error(l->call, 503, "ask again in a moment",
				"the interpreter of process %d is starting or ending", pid);
	else if (r == -EAGAIN)
		api_reply_error(l->call, 503,
				"ask again in a moment; plopctl status tells of shares",
				"process %d is not looked at just now: too much is asked at once, "
				"or its user's processes have cost plopd more than they may",
				pid);
	else
		api_reply_error(l->call, 500, NULL, "cannot read process %d: %s", pid,
				strerror(-r));
}

/* What the loop thread knows of the process. */
static int dump_head(struct buf *b, const struct target *k)
{
	struct json_writer w = json_writer_on(b);

	json_put_object(&w, NULL);
	json_put_int(&w, "pid", k->info.pid);
	json_put_string(&w, "python", k->python.version);
	json_put_string(&w, "exe", k->info.exe);
	json_put_bool(&w, "free_threaded", k->python.layout.free_threaded);
	json_put_end(&w);
	return json_writer_done(&w);
}

void route_dump(const struct api_request *q, void *ctx)
{
	struct buf request = {};
	struct target *k;
	struct look *l = look_begin(q, ctx, "a dump", &k);

	if (!l)
		return;
	if (dump_head(&l->head, k) < 0) {
		look_end(l);
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	l->members = examined_members;
	l->refuse = dump_refuse;
	/* room for what is known of the process, and for the threads without their frames */
	examine_dump(&request, &k->python.layout, k->python.runtime,
		     (uint32_t)(api_answer_max(q->call) / 2));
	look_ask(q, l, EXAMINE_DUMP, &request);
}
