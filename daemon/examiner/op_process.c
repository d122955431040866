/* SPDX-License-Identifier: BSD-2-Clause */
#include "examiner/private.h"
#include "python/initial.h"

/* The labels of a process that has written over what /proc would tell them by. */
static int relabel(struct served *s, pid_t pid, const struct python_process *p,
		   struct process_info *info)
{
	const struct reader memory = process_memory_reader(pid);
	_cleanup_buf_ struct buf environ_block = {}, arguments = {};
	int r = python_initial_read(&memory, &p->layout, p->runtime, &environ_block, &arguments);

	/* then it has those that are left */
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return process_info_relabel(info, environ_block.data, environ_block.size, arguments.data,
				    arguments.size, s->versions);
}

void examine_process(struct buf *request, const struct plop_layout *l, uint64_t runtime)
{
	pack_bytes(request, l, sizeof(*l));
	pack_bytes(request, &runtime, sizeof(runtime));
}

/* Whether the interpreter that is known already is up: then there is no need to look for one. */
static bool known_is_up(pid_t pid, struct unpack *request, struct python_process *ret)
{
	const struct reader memory = process_memory_reader(pid);
	struct python_process p = { .verdict = PYTHON_YES };

	if (request->size == 0)
		return false;
	unpack_bytes(request, &p.layout, sizeof(p.layout));
	unpack_bytes(request, &p.runtime, sizeof(p.runtime));
	if (request->error || layout_check(&p.layout) < 0 ||
	    !python_is_up(&memory, &p.layout, p.runtime))
		return false;
	*ret = p;
	return true;
}

int serve_process(struct served *s, pid_t pid, struct unpack *request, struct buf *answer)
{
	struct process_info info = {};
	char **strings[] = PROCESS_INFO_TEXTS(&info);
	struct python_process p = {};
	bool again = request->size > 0, known = known_is_up(pid, request, &p);
	int r = 0;

	if (!known)
		r = again ? python_discover_again(s->cache, pid, &p) :
			    python_discover(s->cache, pid, &p);
	if (r < 0)
		return r;
	if ((p.verdict == PYTHON_YES && !known) || p.verdict == PYTHON_UNSUPPORTED ||
	    p.verdict == PYTHON_PYPY) {
		r = process_info_read(pid, s->versions, &info);
		/* it is gone, or within execve(): the next look tells */
		if (r == -ESRCH)
			p.verdict = PYTHON_NOT_YET;
		else if (r < 0)
			return r;
		if (r == 0 && p.verdict == PYTHON_YES && info.overwritten)
			r = relabel(s, pid, &p, &info);
		if (r == -ENOMEM) {
			process_info_done(&info);
			return r;
		}
	}
	pack_bytes(answer, &p, sizeof(p));
	pack_bytes(answer, &info, sizeof(info));
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		pack_text(answer, *strings[i]);
	process_info_done(&info);
	return 0;
}

/* What lies in memory as a bool and is none may not even be looked at as one. */
static bool is_bool(const bool *b)
{
	return *(const unsigned char *)b <= 1;
}

static bool is_python(const struct python_process *p)
{
	return (unsigned int)p->verdict < PYTHON_SILENT && is_bool(&p->starting) &&
	       is_bool(&p->looked) && is_bool(&p->own) &&
	       memchr(p->version, '\0', sizeof(p->version)) &&
	       memchr(p->why, '\0', sizeof(p->why)) &&
	       (p->verdict != PYTHON_YES || layout_check(&p->layout) == 0);
}

/* All texts are there, or none. */
static bool is_info(struct process_info *info)
{
	char **strings[] = PROCESS_INFO_TEXTS(info);

	for (size_t i = 1; i < ARRAY_SIZE(strings); i++)
		if (!*strings[i] != !*strings[0])
			return false;
	return (unsigned int)info->made <= PROCESS_WORKER && is_bool(&info->says_service) &&
	       is_bool(&info->says_version) && is_bool(&info->overwritten);
}

int examined_process(struct unpack *body, struct python_process *ret_python,
		     struct process_info *ret_info)
{
	struct process_info info;
	char **strings[] = PROCESS_INFO_TEXTS(&info);
	struct python_process p;
	int r;

	unpack_bytes(body, &p, sizeof(p));
	unpack_bytes(body, &info, sizeof(info));
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		*strings[i] = unpack_text(body);
	r = body->error ? body->error : is_python(&p) && is_info(&info) ? 0 : -EBADMSG;
	if (r < 0) {
		process_info_done(&info);
		return r;
	}
	*ret_python = p;
	*ret_info = info;
	return 0;
}

int serve_title(struct served *s, pid_t pid, struct unpack *request, struct buf *answer)
{
	_cleanup_free_ char *comm = NULL, *cmdline = NULL;
	int r = process_title_read(pid, &comm, &cmdline);

	if (r < 0)
		return r;
	pack_text(answer, comm);
	pack_text(answer, cmdline);
	return 0;
}

int examined_title(struct unpack *body, char **ret_comm, char **ret_cmdline)
{
	_cleanup_free_ char *comm = unpack_text(body);
	char *cmdline = unpack_text(body);

	if (body->error || !comm || !cmdline) {
		free(cmdline);
		return body->error ? body->error : -EBADMSG;
	}
	*ret_comm = TAKE_PTR(comm);
	*ret_cmdline = cmdline;
	return 0;
}

void examine_async(struct buf *request, const struct plop_layout *l)
{
	pack_bytes(request, l, sizeof(*l));
}

int serve_async(struct served *s, pid_t pid, struct unpack *request, struct buf *answer)
{
	struct plop_async async;
	struct plop_layout l;
	int r;

	unpack_bytes(request, &l, sizeof(l));
	r = request->error ? request->error : python_async(s->cache, pid, &l, &async);
	if (r >= 0)
		pack_bytes(answer, &async, sizeof(async));
	return r;
}

int examined_async(struct unpack *body, struct plop_async *ret)
{
	struct plop_async async;

	unpack_bytes(body, &async, sizeof(async));
	if (body->error)
		return body->error;
	*ret = async;
	return 0;
}
