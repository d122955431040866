/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/select.h"
#include "ctl/top_model.h"
#include "util/log.h"

int top_cgroup_value(const char *given, char **ret)
{
	static const char *const mounts[] = { "/sys/fs/cgroup", "/unified", "/systemd" };
	int r = ctl_cgroup_name("top", given, false);
	const char *p = given;
	size_t n;

	if (r != CTL_DONE)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		n = strlen(mounts[i]);
		if (strncmp(p, mounts[i], n) == 0 && (p[n] == '/' || p[n] == '\0') &&
		    (i == 0 || p != given))
			p += n;
	}
	n = strlen(p);
	while (n > 1 && p[n - 1] == '/')
		n--;
	if (asprintf(ret, "%s%.*s", *p == '/' ? "" : "/", (int)n, p) < 0) {
		*ret = NULL;
		log_error("top: out of memory");
		return CTL_FAILED;
	}
	return CTL_DONE;
}

int top_unit_value(const char *given, char **ret)
{
	static const char *const suffixes[] = { ".service", ".slice", ".scope" };
	const char *dot = strrchr(given, '.');
	int r = ctl_cgroup_name("top", given, true);
	bool suffixed = false;

	if (r != CTL_DONE)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		suffixed |= dot && streq(dot, suffixes[i]);
	if (asprintf(ret, "%s%s", given, suffixed ? "" : ".service") < 0) {
		*ret = NULL;
		log_error("top: out of memory");
		return CTL_FAILED;
	}
	return CTL_DONE;
}
