/* SPDX-License-Identifier: BSD-2-Clause */
#include "examiner/private.h"
#include "proc/source.h"
#include "python/source_text.h"
#include "util/json.h"

void examine_source(struct buf *request, const struct examined_file *f)
{
	pack_bytes(request, &f->owner, sizeof(f->owner));
	pack_bytes(request, &f->start_ticks, sizeof(f->start_ticks));
	pack_u32(request, f->first);
	pack_u32(request, f->last);
	pack_text(request, f->paths);
	pack_text(request, f->path);
	pack_text(request, f->function);
}

/* Reads the file, and tells it if it can be what the process has loaded. */
static int answer_source(const struct process_info *p, const struct examined_file *f,
			 struct buf *answer)
{
	_cleanup_buf_ struct buf bytes = {}, text = {}, b = {};
	struct json_writer w = json_writer_on(&b);
	int r = process_source_read(p, f->paths, f->path, &bytes);

	if (r == 0)
		r = source_decode(bytes.data, bytes.size, &text);
	if (r < 0)
		return r;
	if (!source_agrees(text.data, text.size, f->function, f->first, f->last))
		return -EBADE;
	json_put_object(&w, NULL);
	json_put_string(&w, "file", f->path);
	json_put_uint(&w, "lines", source_lines(text.data, text.size));
	json_put_text(&w, "text", text.data ? text.data : "", text.size);
	json_put_end(&w);
	r = json_writer_done(&w);
	if (r == 0)
		buf_append(answer, b.data + 1, b.size - 2);
	return r;
}

int serve_source(struct served *s, pid_t pid, struct unpack *request, struct buf *answer)
{
	struct process_info p = process_info_of(pid);
	_cleanup_free_ char *paths = NULL, *path = NULL, *function = NULL;
	struct examined_file f = {};

	unpack_bytes(request, &f.owner, sizeof(f.owner));
	unpack_bytes(request, &f.start_ticks, sizeof(f.start_ticks));
	f.first = unpack_u32(request);
	f.last = unpack_u32(request);
	f.paths = paths = unpack_text(request);
	f.path = path = unpack_text(request);
	f.function = function = unpack_text(request);
	if (request->error || !paths || !path || !function)
		return request->error ? request->error : -EBADMSG;
	p.uid = f.owner;
	p.start_ticks = f.start_ticks;
	return answer_source(&p, &f, answer);
}
