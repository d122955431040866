/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>

#include "ctl/ctl.h"
#include "ctl/select.h"
#include "ctl/suggest.h"

struct dump_options {
	struct ctl *ctl;
	const char *pid;
	bool json;
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct dump_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o->ctl;
		return 0;
	case 'p':
	case ARGP_KEY_ARG:
		if (o->pid)
			argp_error(state, "one process at a time");
		o->pid = value;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Nothing of a target's names may steer the terminal. */
static const char *clean(const char *s, char *buffer, size_t size)
{
	return text_cell(s, (unsigned int)size, false, buffer, size);
}

static void print_gil(const json_t *dump)
{
	const char *gil = json_string_at(dump, "gil");
	const json_t *t;
	unsigned int n = 0;
	size_t i;

	if (streq(gil, "none")) {
		puts("Free-threaded: there is no GIL");
	} else if (streq(gil, "free")) {
		puts("GIL: free");
	} else if (streq(gil, "changing")) {
		puts("GIL: changing hands while it was looked at");
	} else if (streq(gil, "held")) {
		fputs("GIL: held by thread", stdout);
		json_array_foreach(json_object_get(dump, "threads"), i, t)
		{
			if (!streq(json_string_at(t, "gil"), "held"))
				continue;
			if (json_is_integer(json_object_get(t, "tid")))
				printf("%s %.0f", n++ ? "," : "", json_number_at(t, "tid"));
			else
				printf("%s %s", n++ ? "," : "", "?");
		}
		puts(n ? "" : " that has ended");
	} else {
		puts("GIL: plop does not know who holds it in this version");
	}
}

static void print_frames(const json_t *t)
{
	const json_t *frames = json_object_get(t, "frames"), *f;
	char name[4 * 4200], file[4 * 4200];
	size_t i;

	if (json_is_true(json_object_get(t, "changing")))
		puts("    [frames that come and go faster than they can be read]");
	json_array_foreach(frames, i, f)
	{
		clean(json_string_at(f, "function"), name, sizeof(name));
		clean(json_place_at(f), file, sizeof(file));
		if (!*file)
			printf("    %s\n", name);
		else if (json_is_true(json_object_get(f, "compiled")))
			printf("    %s (%s:compiled)\n", name, file);
		else if (json_number_at(f, "line") > 0)
			printf("    %s (%s:%.0f)\n", name, file, json_number_at(f, "line"));
		else
			printf("    %s (%s)\n", name, file);
	}
	if (json_is_true(json_object_get(t, "truncated")))
		puts("    [more frames, which are not shown]");
	else if (json_is_false(json_object_get(t, "readable")))
		puts("    [not readable]");
	else if (json_array_size(frames) == 0 && !json_is_true(json_object_get(t, "changing")))
		puts("    [no Python frame]");
}

static void print_thread(const json_t *t, bool several)
{
	const char *state = json_string_at(t, "state"), *call = json_string_at(t, "syscall");
	const char *gil = json_string_at(t, "gil");
	bool python = json_is_true(json_object_get(t, "python"));
	char name[256], doing[256], in[256];

	state = clean(state, doing, sizeof(doing));
	call = clean(call, in, sizeof(in));

	if (json_is_integer(json_object_get(t, "tid")))
		printf("%s %.0f \"%s\": ",
		       python                                     ? "Thread" :
		       json_is_true(json_object_get(t, "kernel")) ? "[kernel worker]" :
								    "Native thread",
		       json_number_at(t, "tid"),
		       clean(json_string_at(t, "name"), name, sizeof(name)));
	else
		fputs("Thread of unknown id: ", stdout);
	if (streq(gil, "waiting"))
		fputs("waiting for the GIL", stdout);
	else if (*call)
		printf("%s in %s", state, call);
	else
		printf("%s", streq(state, "unknown") ? "state not known" : state);
	if (streq(gil, "held"))
		fputs(", holds the GIL", stdout);
	if (several && python)
		printf(", interpreter %.0f", json_number_at(t, "interpreter"));
	puts("");
	if (python)
		print_frames(t);
}

static void print_dump(const json_t *dump)
{
	const json_t *threads = json_object_get(dump, "threads"), *t;
	char text[4 * 1024];
	size_t i;

	printf("Process %.0f: %s\n", json_number_at(dump, "pid"),
	       clean(json_string_at(dump, "cmdline"), text, sizeof(text)));
	printf("Python %s", clean(json_string_at(dump, "python"), text, sizeof(text)));
	printf(" (%s)\n", clean(json_string_at(dump, "exe"), text, sizeof(text)));
	print_gil(dump);
	if (json_number_at(dump, "interpreters") == 0)
		puts("No interpreter: it is not up yet, or has ended");
	if (json_is_true(json_object_get(dump, "changing")))
		puts("Threads came and went all the time: the list may lack some");
	json_array_foreach(threads, i, t)
	{
		puts("");
		print_thread(t, json_number_at(dump, "interpreters") > 1);
	}
	if (json_number_at(dump, "left_out") > 0)
		printf("\n%.0f more threads are left out: plop looks at no more than those above\n",
		       json_number_at(dump, "left_out"));
	else if (json_is_true(json_object_get(dump, "truncated")))
		puts("\nThere is more than fits: frames of some threads are missing");
}

int ctl_dump(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "pid", 'p', "PID", 0, "This process; its number alone does as well", 0 },
		{ "json", 'j', NULL, 0, "Print JSON, for programs", 0 },
		{}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.args_doc = "PID",
		.doc = "The stack of every thread of a Python process, now; also of those that "
		       "wait.\v"
		       "The process is neither stopped nor changed. Frames are listed innermost "
		       "first, as function (file:line). For each thread: its id, its name as the "
		       "kernel has it, what it does (running also stands for waiting for a CPU), "
		       "and whether it holds the GIL. Threads that Python does not know "
		       "are listed at the end.\n\n"
		       "Examples:\n"
		       "  plopctl dump 4711\n"
		       "  plopctl dump -p 4711 --json | jq '.threads[] | {tid, state, "
		       "frame: .frames[0].function}'",
	};
	struct dump_options o = { .ctl = ctl };
	char path[64];
	pid_t pid;
	int r;

	ctl_parse("dump", &argp, 0, argc, argv, &o);
	if (!o.pid)
		return ctl_usage("dump", "a process is missing: plopctl dump PID");
	r = ctl_pid("dump", o.pid, &pid);
	if (r != CTL_DONE)
		return r;
	snprintf(path, sizeof(path), "/v1/dump?pid=%d", (int)pid);
	return ctl_show(ctl, "dump", path, o.json, print_dump);
}
