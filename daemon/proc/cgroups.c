/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <mntent.h>
#include <sys/stat.h>

#include "proc/cgroups.h"

/* A path has at most so many parts, and a hierarchy so many folders that are looked at. */
#define DEPTH_MAX       32
#define CGROUPS_MAX     65536
#define HIERARCHIES_MAX 32

struct hierarchy {
	char folder[256];
	bool v2, systemd;
};

/* v2 first, then the one that systemd keeps, then the rest. */
static size_t hierarchies_read(struct hierarchy *all, size_t max)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	size_t n = 0;

	while (f && n < max && (m = getmntent(f))) {
		struct hierarchy h = { .v2 = streq(m->mnt_type, "cgroup2") };
		size_t at = 0;

		if (!h.v2 && !streq(m->mnt_type, "cgroup"))
			continue;
		if (strlen(m->mnt_dir) >= sizeof(h.folder))
			continue;
		memcpy(h.folder, m->mnt_dir, strlen(m->mnt_dir) + 1);
		h.systemd = hasmntopt(m, "name=systemd") != NULL;
		while (at < n && (all[at].v2 || (!h.v2 && (all[at].systemd || !h.systemd))))
			at++;
		memmove(all + at + 1, all + at, (n - at) * sizeof(*all));
		all[at] = h;
		n++;
	}
	if (f)
		endmntent(f);
	return n;
}

enum cgroups_mode cgroups_mode(void)
{
	struct hierarchy all[HIERARCHIES_MAX];
	size_t n = hierarchies_read(all, HIERARCHIES_MAX);

	if (n == 0)
		return CGROUPS_NONE;
	if (!all[0].v2)
		return CGROUPS_V1;
	return all[n - 1].v2 ? CGROUPS_V2 : CGROUPS_HYBRID;
}

const char *cgroups_mode_name(enum cgroups_mode mode)
{
	static const char *const names[] = {
		[CGROUPS_NONE] = "none",
		[CGROUPS_V1] = "v1",
		[CGROUPS_HYBRID] = "hybrid (v1, and v2 beside it)",
		[CGROUPS_V2] = "v2 (unified)",
	};

	return names[mode];
}

void cgroup_done(struct cgroup *c)
{
	free(c->path);
	free(c->folder);
	*c = (struct cgroup){};
}

bool cgroup_exists(const struct cgroup *c)
{
	struct stat st;

	return stat(c->folder, &st) == 0 && st.st_ino == c->id;
}

/* What a walk through the folders of a hierarchy does, and what is left of its bounds. */
struct cgroup_walk {
	int (*folder)(const char *path, struct cgroup_walk *w);
	int (*each)(pid_t pid, void *ctx);
	void *ctx;
	unsigned int left;
};

static int walk_below(const char *folder, unsigned int depth, struct cgroup_walk *w)
{
	DIR *d;
	struct dirent *e;
	int r;

	if (depth > DEPTH_MAX || w->left == 0)
		return 0;
	w->left--;
	r = w->folder(folder, w);
	if (r != 0)
		return r;
	d = opendir(folder);
	if (!d)
		return 0;
	while (r == 0 && (e = readdir(d))) {
		_cleanup_free_ char *below = NULL;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		if (asprintf(&below, "%s/%s", folder, e->d_name) < 0) {
			below = NULL;
			r = -ENOMEM;
			break;
		}
		r = walk_below(below, depth + 1, w);
	}
	closedir(d);
	return r;
}

static int folder_processes(const char *folder, struct cgroup_walk *w)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	long pid;
	int r = 0;

	if (asprintf(&path, "%s/cgroup.procs", folder) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	f = fopen(path, "re");
	/* 0: a process that this pid namespace does not see */
	while (r == 0 && f && fscanf(f, "%ld", &pid) == 1)
		r = pid > 0 ? w->each((pid_t)pid, w->ctx) : 0;
	return r;
}

int cgroup_each(const struct cgroup *c, int (*each)(pid_t pid, void *ctx), void *ctx)
{
	struct cgroup_walk w = {
		.folder = folder_processes, .each = each, .ctx = ctx, .left = CGROUPS_MAX
	};

	return walk_below(c->folder, 0, &w);
}

static int first_process(pid_t pid, void *ctx)
{
	return 1;
}

/* Takes what lies in folder, path below the root of its hierarchy, when it is a cgroup. */
static int cgroup_take(const struct hierarchy *h, const char *path, struct cgroup *ret)
{
	struct cgroup c = { .v2 = h->v2 };
	struct stat st;
	int r;

	if (asprintf(&c.path, "%s", path) < 0)
		c.path = NULL;
	if (asprintf(&c.folder, "%s%s", h->folder, streq(path, "/") ? "" : path) < 0)
		c.folder = NULL;
	if (!c.path || !c.folder) {
		cgroup_done(&c);
		return -ENOMEM;
	}
	if (stat(c.folder, &st) < 0 || !S_ISDIR(st.st_mode)) {
		cgroup_done(&c);
		return -ENOENT;
	}
	c.id = st.st_ino;
	for (const char *p = path; *p; p++)
		c.level += *p == '/' && p[1] && p[1] != '/';
	r = cgroup_each(&c, first_process, NULL);
	if (r < 0) {
		cgroup_done(&c);
		return r;
	}
	*ret = c;
	return r > 0 ? 0 : -ENODATA;
}

/* "/a/b" of "a/b/", "/sys/fs/cgroup/unified/a/b" and the like; owned by the caller. */
static char *plain_path(const struct hierarchy *h, const char *path)
{
	size_t n = strlen(h->folder), length;
	char *plain;

	if (strncmp(path, h->folder, n) == 0 && (path[n] == '/' || path[n] == '\0'))
		path += n;
	while (*path == '/')
		path++;
	if (asprintf(&plain, "/%s", path) < 0)
		return NULL;
	for (length = strlen(plain); length > 1 && plain[length - 1] == '/'; length--)
		plain[length - 1] = '\0';
	return plain;
}

int cgroup_find(const char *path, struct cgroup *ret)
{
	struct hierarchy all[HIERARCHIES_MAX];
	size_t n = hierarchies_read(all, HIERARCHIES_MAX);
	int result = -ENOENT;

	/* out of the hierarchy no name leads */
	if (*path == '\0' || strstr(path, ".."))
		return -ENOENT;
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *plain = plain_path(&all[i], path);
		struct cgroup c;
		int r = plain ? cgroup_take(&all[i], plain, &c) : -ENOMEM;

		if (r == 0) {
			*ret = c;
			return 0;
		}
		if (r == -ENODATA)
			cgroup_done(&c);
		if (r != -ENOENT)
			result = r;
	}
	return result;
}

struct unit_search {
	struct cgroup_walk walk;
	const struct hierarchy *hierarchy;
	const char *unit;
	struct cgroup found;
	int result;
};

static int folder_unit(const char *folder, struct cgroup_walk *w)
{
	struct unit_search *u = (struct unit_search *)w;
	const char *name = strrchr(folder, '/');

	if (!name || !streq(name + 1, u->unit))
		return 0;
	u->result = cgroup_take(u->hierarchy, folder + strlen(u->hierarchy->folder), &u->found);
	if (u->result == -ENODATA)
		cgroup_done(&u->found);
	/* a slice of the user's manager may have the name as well */
	return u->result == 0 ? 1 : 0;
}

int cgroup_find_unit(const char *unit, struct cgroup *ret)
{
	static const char *const suffixes[] = { ".service", ".slice", ".scope" };
	struct hierarchy all[HIERARCHIES_MAX];
	size_t n = hierarchies_read(all, HIERARCHIES_MAX), length = strlen(unit);
	bool suffixed = false;
	char name[256];
	int result = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t s = strlen(suffixes[i]);

		suffixed |= length > s && streq(unit + length - s, suffixes[i]);
	}
	if (length == 0 || strchr(unit, '/') ||
	    (size_t)snprintf(name, sizeof(name), "%s%s", unit, suffixed ? "" : ".service") >=
		    sizeof(name))
		return -ENOENT;
	for (size_t i = 0; i < n; i++) {
		struct unit_search u = {
			.walk = { .folder = folder_unit, .left = CGROUPS_MAX },
			.hierarchy = &all[i],
			.unit = name,
			.result = -ENOENT,
		};
		int r = walk_below(all[i].folder, 0, &u.walk);

		if (r > 0) {
			*ret = u.found;
			return 0;
		}
		if (u.result != -ENOENT)
			result = u.result;
	}
	return result;
}
