/* SPDX-License-Identifier: BSD-2-Clause */
#include <bpf/libbpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>

#include "calib.skel.h"
#include "perf/event.h"
#include "sampler/features.h"

static const struct feature feature_table[FEATURE_MAX] = {
	[FEATURE_BTF] = { "kernel type information (BTF)", "a kernel with CONFIG_DEBUG_INFO_BTF",
			  true, 0 },
	[FEATURE_BPF] = { "loading BPF programs", "CAP_BPF and CAP_PERFMON (or root)", true, 0 },
	[FEATURE_PERF] = { "perf events on every CPU",
			   "CAP_PERFMON (or root) and CONFIG_PERF_EVENTS; where "
			   "kernel.perf_event_paranoid is over 2 also plop-perf.socket, or "
			   "CAP_SYS_ADMIN",
			   true, 0 },
	[FEATURE_RINGBUF] = { "BPF ring buffer", "Linux 5.8", true, 0 },
	[FEATURE_TP_BTF] = { "BTF tracepoints for fork, exec and exit",
			     "Linux 5.5 with CONFIG_BPF_EVENTS", true, 0 },
	[FEATURE_THREAD_POINTER] = { "the thread pointer of a thread", "x86-64 or arm64", true, 0 },
	[FEATURE_BPF_LOOP] = { "bpf_loop()", "Linux 5.17; without, stacks are cut at 96 frames",
			       false, 0 },
	[FEATURE_CHANNELS] = { "recordings at a rate of their own",
			       "Linux 5.17; without, all are taken from the profile that is always "
			       "on",
			       false, 0 },
	[FEATURE_OFF_CPU] = { "recordings of time off CPU", "Linux 5.17 with CONFIG_BPF_EVENTS",
			      false, 0 },
	[FEATURE_READ_MEMORY] = { "reading other processes' memory", "CAP_SYS_PTRACE (or root)",
				  true, 0 },
	[FEATURE_MAP_FILES] = { "opening other processes' mapped files",
				"CAP_CHECKPOINT_RESTORE, CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE "
				"(or root); "
				"without, deleted or replaced interpreters are not recognised",
				false, 0 },
};

#define CAPABILITY(number) (UINT64_C(1) << (number))

/* What plopd needs, and what it can do without at a price. */
static const struct {
	const char *name;
	unsigned int number;
	bool required;
} capabilities[] = {
	{ "CAP_BPF", CAP_BPF, true },
	{ "CAP_PERFMON", CAP_PERFMON, true },
	{ "CAP_SYS_PTRACE", CAP_SYS_PTRACE, true },
	{ "CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH, false },
	{ "CAP_CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE, false },
};

static int calib_quiet(enum libbpf_print_level level, const char *format, va_list ap)
{
	return 0;
}

/* Loads the one program of that name. */
static int calib_try(const char *name)
{
	struct bpf_program *program;
	struct calib *c;
	int r;

	c = calib__open();
	if (!c)
		return -errno;
	bpf_object__for_each_program(program, c->obj)
		bpf_program__set_autoload(program, streq(bpf_program__name(program), name));
	if (!streq(name, "calib_ringbuf"))
		bpf_map__set_autocreate(c->maps.calib_ring, false);
	r = calib__load(c);
	calib__destroy(c);
	return r;
}

static int perf_try(void)
{
	const struct perf_event any = { .cpu = 0, .tid = -1, .period_ns = NSEC_PER_SEC };
	int fd = perf_event_open(&any, PERF_OPENER_SOCKET);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/*
 * CapEff of /proc/self/status; CAP_SYS_ADMIN stands for those that were split off it
 * (capabilities(7)).
 */
static uint64_t capabilities_held(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
	unsigned long long effective = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "CapEff: %llx", &effective) == 1)
			break;
	}
	if (effective & CAPABILITY(CAP_SYS_ADMIN))
		effective |= CAPABILITY(CAP_BPF) | CAPABILITY(CAP_PERFMON) |
			     CAPABILITY(CAP_CHECKPOINT_RESTORE);
	return effective;
}

/* 0, or -EPERM: one of them is missing. */
static int capabilities_try(uint64_t wanted)
{
	return (capabilities_held() & wanted) == wanted ? 0 : -EPERM;
}

unsigned int features_capabilities(bool required, char *text, size_t size)
{
	uint64_t held = capabilities_held();
	unsigned int n = 0;
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
		if (capabilities[i].required != required ||
		    (held & CAPABILITY(capabilities[i].number)))
			continue;
		if (at < size)
			at += (size_t)snprintf(text + at, size - at, "%s%s", n ? ", " : "",
					       capabilities[i].name);
		n++;
	}
	return n;
}

int features_read_memory(void)
{
	return capabilities_try(CAPABILITY(CAP_SYS_PTRACE));
}

/*
 * Whether a program on a perf event may call it. Takes no type information, which takes 30 ms to
 * read.
 */
static bool helper_is_there(enum bpf_func_id helper)
{
	libbpf_print_fn_t before = libbpf_set_print(calib_quiet);
	int r = libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, helper, NULL);

	libbpf_set_print(before);
	return r == 1;
}

bool features_have_loop(void)
{
	return helper_is_there(BPF_FUNC_loop);
}

bool features_have_channels(void)
{
	return features_have_loop() && helper_is_there(BPF_FUNC_get_attach_cookie) &&
	       helper_is_there(BPF_FUNC_get_current_ancestor_cgroup_id);
}

void features_probe(struct feature features[FEATURE_MAX])
{
	libbpf_print_fn_t before = libbpf_set_print(calib_quiet);

	memcpy(features, feature_table, sizeof(feature_table));
	features[FEATURE_BTF].error = access("/sys/kernel/btf/vmlinux", R_OK) < 0 ? -errno : 0;
	features[FEATURE_BPF].error = calib_try("calib_thread");
	features[FEATURE_PERF].error = perf_try();
	features[FEATURE_RINGBUF].error = calib_try("calib_ringbuf");
	features[FEATURE_TP_BTF].error = calib_try("calib_tp_btf");
	features[FEATURE_THREAD_POINTER].error = features[FEATURE_BPF].error;
	features[FEATURE_BPF_LOOP].error = features_have_loop() ? 0 : -EOPNOTSUPP;
	features[FEATURE_CHANNELS].error = features_have_channels() ? 0 : -EOPNOTSUPP;
	features[FEATURE_OFF_CPU].error = calib_try("calib_switch");
	features[FEATURE_READ_MEMORY].error = features_read_memory();
	features[FEATURE_MAP_FILES].error =
		capabilities_try(CAPABILITY(CAP_CHECKPOINT_RESTORE) |
				 CAPABILITY(CAP_DAC_READ_SEARCH) | CAPABILITY(CAP_SYS_PTRACE));
	libbpf_set_print(before);
}

const struct feature *features_missing(const struct feature features[FEATURE_MAX])
{
	for (int i = 0; i < FEATURE_MAX; i++) {
		if (features[i].required && features[i].error)
			return &features[i];
	}
	return NULL;
}
