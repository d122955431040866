/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <math.h>

#include "ctl/ctl.h"
#include "ctl/suggest.h"
#include "util/parse.h"

struct status_options {
	struct ctl *ctl;
	bool json;
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct status_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o->ctl;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* "12,000 (60.0 %)" */
static const char *share(double part, double whole, char *buffer, size_t size)
{
	char number[32];

	snprintf(buffer, size, "%s (%.1f %%)", text_number((uint64_t)part, number, sizeof(number)),
		 whole > 0 ? 100 * part / whole : 0.0);
	return buffer;
}

static void print_samples(const json_t *o)
{
	double ticks = json_number_at(o, "samples.ticks");
	char n1[64], n2[64], lost[256];

	printf("  ticks       %s: python %s,", text_number((uint64_t)ticks, n1, sizeof(n1)),
	       share(json_number_at(o, "samples.python"), ticks, n2, sizeof(n2)));
	printf(" other %s\n", share(json_number_at(o, "samples.other"), ticks, n1, sizeof(n1)));
	printf("  lost        %s\n",
	       text_lost(json_object_get(json_object_get(o, "samples"), "lost"), lost,
			 sizeof(lost)));
	printf("  truncated   %s\n",
	       text_number((uint64_t)json_number_at(o, "samples.truncated"), n1, sizeof(n1)));
	printf("  symbols     %s read,",
	       text_number((uint64_t)json_number_at(o, "symbols.resolved"), n1, sizeof(n1)));
	printf(" %s from the kernel's record,",
	       text_number((uint64_t)json_number_at(o, "symbols.captured"), n1, sizeof(n1)));
	printf(" %s without a name\n",
	       text_number((uint64_t)json_number_at(o, "symbols.unresolved"), n1, sizeof(n1)));
}

static void print_cost(const json_t *o)
{
	char rss[32], maps[32];

	printf("  cost        %.2f us a sample; of one core: kernel %.2f %%, plopd %.2f %%\n",
	       json_number_at(o, "cost.bpf_ns_per_sample") / 1000,
	       json_number_at(o, "cost.bpf_cpu_percent"),
	       json_number_at(o, "cost.daemon_cpu_percent"));
	printf("  memory      %s resident, %s in BPF maps\n",
	       format_bytes((uint64_t)json_number_at(o, "cost.rss_bytes"), rss, sizeof(rss)),
	       format_bytes((uint64_t)json_number_at(o, "cost.map_bytes"), maps, sizeof(maps)));
}

static void print_memory(const json_t *o)
{
	static const struct {
		const char *part, *words;
	} parts[] = { { "processes", "processes" },     { "names", "names" },
		      { "line_tables", "line tables" }, { "windows", "windows" },
		      { "recordings", "recordings" },   { "store_cache", "store cache" },
		      { "helpers", "helpers" } };
	char path[64], bytes[32];

	if (!json_object_get(o, "memory"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		/* three a line, for a terminal of 80 columns */
		const char *before = i == 0 ? "" : i % 3 ? ", " : ",\n";

		snprintf(path, sizeof(path), "memory.%s", parts[i].part);
		printf("%s%s%s %s", before, i % 3 ? "" : "              ", parts[i].words,
		       format_bytes((uint64_t)json_number_at(o, path), bytes, sizeof(bytes)));
	}
	puts("");
}

/* How long whoever asks plopd for something has to wait at most until it looks. */
static void print_loop(const json_t *o)
{
	const char *what = json_string_at(o, "loop.longest_cpu_of");
	char late[32], text[128];

	if (!json_object_get(o, "loop"))
		return;
	printf("  loop        busy for at most %.1f ms at one event (%.1f ms of late)\n"
	       "              for more than 20 ms: %s times\n",
	       json_number_at(o, "loop.longest_ms"), json_number_at(o, "loop.recent_ms"),
	       text_number((uint64_t)json_number_at(o, "loop.late"), late, sizeof(late)));
	if (*what)
		printf("              most CPU time at one: %.1f ms, of which most for %s\n",
		       json_number_at(o, "loop.longest_cpu_ms"),
		       text_cell(what, 100, false, text, sizeof(text)));
}

/* That the kernel stops ticks, or would, or that plopd samples more seldom. */
static void print_rate(const json_t *o)
{
	static const char *const notes[] = { "rate.note", "budget.note" };
	const char *note;
	char text[512];

	for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
		note = json_string_at(o, notes[i]);
		if (*note)
			printf("  RATE        %s\n",
			       text_cell(note, 400, false, text, sizeof(text)));
	}
}

static void print_store(const json_t *o)
{
	double oldest = json_number_at(o, "store.oldest"),
	       windows = json_number_at(o, "store.windows");
	const char *error = json_string_at(o, "store.error");
	char text[512], bytes[32], time[64];

	printf("  store       %s\n",
	       text_cell(json_string_at(o, "store.path"), 200, false, text, sizeof(text)));
	printf("              %s window%s", text_number((uint64_t)windows, text, sizeof(text)),
	       windows == 1 ? "" : "s");
	/* a fleet's says nothing of it */
	if (json_number_at(o, "store.bytes") > 0)
		printf(", %s", format_bytes((uint64_t)json_number_at(o, "store.bytes"), bytes,
					    sizeof(bytes)));
	if (oldest > 0)
		printf(", since %s", text_time(oldest, time, sizeof(time)));
	puts("");
	if (json_number_at(o, "store.dropped") > 0)
		printf("              %s windows went before their time, as max_store was "
		       "reached\n",
		       text_number((uint64_t)json_number_at(o, "store.dropped"), text,
				   sizeof(text)));
	if (*error)
		printf("  NOT SAVED   %s\n", text_cell(error, 400, false, text, sizeof(text)));
}

/* What happened to the store and to the clock, the last of each kind. */
static void print_notices(const json_t *o)
{
	json_t *list = json_object_get(o, "notices"), *notice;
	char text[1024], time[64];
	size_t i;

	json_array_foreach(list, i, notice)
	{
		printf("  NOTICE      %s: ",
		       text_time(json_number_at(notice, "time"), time, sizeof(time)));
		puts(text_cell(json_string_at(notice, "text"), 600, false, text, sizeof(text)));
	}
}

/* What was beyond a user's share, each kind by its name: "rate refused 3, window merged 1,200". */
static void print_shares(const json_t *o)
{
	json_t *shares = json_object_get(o, "shares"), *value;
	char number[32], name[64];
	const char *key, *before = "  shares      ";

	json_object_foreach(shares, key, value)
	{
		if (json_number_value(value) < 1)
			continue;
		text_cell(key, sizeof(name) - 1, false, name, sizeof(name));
		for (char *c = name; *c; c++)
			*c = *c == '_' ? ' ' : *c;
		printf("%s%s %s", before, name,
		       text_number((uint64_t)json_number_value(value), number, sizeof(number)));
		before = ", ";
	}
	puts(*before == ',' ? "" : "  shares      nothing was refused, nobody is beyond any");
	if (json_number_at(o, "table_full") > 0)
		printf("  NO ROOM     for %s processes in the kernel's table, or in their user's "
		       "part of it\n",
		       text_number((uint64_t)json_number_at(o, "table_full"), number,
				   sizeof(number)));
}

/* What plopd tells somebody who may know of some processes only. */
static void print_own(const json_t *o)
{
	char text[512], mode[64], number[32];

	printf("plopd %s, %s: %.0f Hz, windows of %.0f s\n",
	       text_cell(json_string_at(o, "version"), 40, false, text, sizeof(text)),
	       text_cell(json_string_at(o, "mode"), 20, false, mode, sizeof(mode)),
	       json_number_at(o, "hz"), json_number_at(o, "window_s"));
	printf("  processes   %.0f of yours; root and members of group plop see all\n",
	       json_number_at(o, "processes"));
	printf("  samples     %s\n",
	       text_number((uint64_t)json_number_at(o, "samples.python"), number, sizeof(number)));
	printf("  recordings  %.0f of yours\n", json_number_at(o, "recordings"));
	print_shares(o);
}

/* What a plop-gateway says that asks no plopd: of a fleet, or of the one that does not answer. */
static void print_gateway(const json_t *o)
{
	const char *error = json_string_at(o, "error");
	bool fleet = streq(json_string_at(o, "mode"), "fleet");
	char text[512], number[32];

	printf("plop-gateway %s, %s\n",
	       text_cell(json_string_at(o, "version"), 40, false, text, sizeof(text)),
	       fleet ? "of a fleet" : "without plopd");
	if (fleet)
		printf("  hosts       %s\n", text_number((uint64_t)json_number_at(o, "store.hosts"),
							 number, sizeof(number)));
	print_store(o);
	if (*error)
		printf("  NO PLOPD    %s\n", text_cell(error, 400, false, text, sizeof(text)));
}

static void print_status(const json_t *o)
{
	const char *gateway = json_string_at(o, "gateway"), *how = json_string_at(o, "mode");
	char text[512], mode[64], number[32], time[64];

	if (streq(how, "fleet") || streq(how, "offline")) {
		print_gateway(o);
		return;
	}
	if (json_object_get(o, "only_uid")) {
		print_own(o);
		return;
	}
	printf("plopd %s, pid %.0f, up %s, %s: %.0f Hz, windows of %.0f s\n",
	       text_cell(json_string_at(o, "version"), 40, false, text, sizeof(text)),
	       json_number_at(o, "pid"),
	       format_duration((uint64_t)(fmax(0, json_number_at(o, "uptime_s")) * 1e9), time,
			       sizeof(time)),
	       text_cell(json_string_at(o, "mode"), 20, false, mode, sizeof(mode)),
	       json_number_at(o, "hz"), json_number_at(o, "window_s"));
	printf("  processes   %.0f\n", json_number_at(o, "processes"));
	print_samples(o);
	print_cost(o);
	print_memory(o);
	print_rate(o);
	print_loop(o);
	print_store(o);
	print_notices(o);
	printf("  now         %s samples since %s\n",
	       text_number((uint64_t)json_number_at(o, "window.samples"), number, sizeof(number)),
	       text_time(json_number_at(o, "window.start"), time, sizeof(time)));
	printf("  recordings  %.0f; %.0f kept, %s\n", json_number_at(o, "recordings"),
	       json_number_at(o, "store.recordings"),
	       format_bytes((uint64_t)json_number_at(o, "store.recordings_bytes"), number,
			    sizeof(number)));
	print_shares(o);
	printf("  gateway     %s\n",
	       *gateway ? text_cell(gateway, 200, false, text, sizeof(text)) : "not running");
}

int ctl_status(struct ctl *ctl, int argc, char *argv[])
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "Print JSON, for programs", 0 }, {}
	};
	static const struct argp_child children[] = { { &ctl_globals, 0, NULL, 0 }, {} };
	static const struct argp argp = {
		.options = options,
		.parser = on_option,
		.children = children,
		.doc = "What plopd does, what that costs, and what it lost.\v"
		       "ticks are the profiler's ticks on all CPUs since plopd began: python are "
		       "those that became a stack of a Python "
		       "process, other those that hit anything else, lost those "
		       "that should have become one; "
		       "ticks = python + other + lost.\n\n"
		       "Examples:\n"
		       "  plopctl status\n"
		       "  plopctl status --json | jq .samples.lost",
	};
	struct status_options o = { .ctl = ctl };

	ctl_parse("status", &argp, 0, argc, argv, &o);
	return ctl_show(ctl, "status", "/v1/status", o.json, print_status);
}
