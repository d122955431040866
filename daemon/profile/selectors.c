/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/profile.h"

#define FIELD(name) offsetof(struct process_info, name)

/* How a key's values compare. */
enum kind {
	KIND_PID,
	KIND_THREAD,
	KIND_TEXT, /* exactly */
	KIND_PATH, /* exactly, or what lies below */
};

static const struct key {
	const char *name;
	enum kind kind;
	size_t field; /* offset of the char * in struct process_info, for KIND_TEXT and KIND_PATH */
} keys[] = {
	{ "pid", KIND_PID, 0 },
	{ "comm", KIND_TEXT, FIELD(comm) },
	{ "exe", KIND_PATH, FIELD(exe) },
	{ "cgroup", KIND_PATH, FIELD(cgroup) },
	{ "unit", KIND_TEXT, FIELD(unit) },
	{ "container", KIND_TEXT, FIELD(container) },
	{ "service", KIND_TEXT, FIELD(service) },
	{ "version", KIND_TEXT, FIELD(version) },
	{ "thread", KIND_THREAD, 0 },
};

const char *selector_keys(void)
{
	return "pid, comm, exe, cgroup, unit, container, service, version, thread";
}

static const struct key *key_find(const char *name, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].name) == size && memcmp(keys[i].name, name, size) == 0)
			return &keys[i];
	return NULL;
}

/* A pid or tid: decimal digits only, 1 to INT32_MAX. 0: not one. */
static uint32_t parse_id(const char *s)
{
	uint64_t v = 0;

	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return 0;
		v = v * 10 + (uint64_t)(*s - '0');
		if (v > INT32_MAX)
			return 0;
	}
	return (uint32_t)v;
}

int selectors_add(struct selectors *s, const char *text)
{
	const char *equals = strchr(text, '=');
	struct selector item, *items;
	const struct key *k;

	if (!equals)
		return -EINVAL;
	k = key_find(text, (size_t)(equals - text));
	if (!k)
		return -EINVAL;
	if ((k->kind == KIND_PID || k->kind == KIND_THREAD) && !parse_id(equals + 1))
		return -EINVAL;
	items = reallocarray(s->items, s->n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	s->items = items;
	item.key = strdup(k->name);
	item.value = strdup(equals + 1);
	if (!item.key || !item.value) {
		free(item.key);
		free(item.value);
		return -ENOMEM;
	}
	s->items[s->n++] = item;
	return 0;
}

void selectors_done(struct selectors *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->items[i].key);
		free(s->items[i].value);
	}
	free(s->items);
	*s = (struct selectors){};
}

static bool path_match(const char *path, const char *value)
{
	size_t size = strlen(value);

	if (streq(path, value))
		return true;
	while (size > 0 && value[size - 1] == '/')
		size--;
	/* What is left of "/" alone is "", below which is every absolute path. */
	return *value && strncmp(path, value, size) == 0 && path[size] == '/';
}

static bool item_match(const struct key *k, const char *value, const struct profile_process *p,
		       uint32_t thread)
{
	const char *field;

	switch (k->kind) {
	case KIND_PID:
		return (uint32_t)p->info.pid == parse_id(value);
	case KIND_THREAD:
		return thread && thread == parse_id(value);
	case KIND_TEXT:
	case KIND_PATH:
		break;
	}
	field = *(char *const *)((const char *)&p->info + k->field);
	return k->kind == KIND_PATH ? path_match(field, value) : streq(field, value);
}

/* Whether key k has no item, or one that matches. */
static bool key_match(const struct selectors *s, const struct key *k,
		      const struct profile_process *p, uint32_t thread)
{
	bool any = false;

	for (size_t i = 0; i < s->n; i++) {
		if (!streq(s->items[i].key, k->name))
			continue;
		if (item_match(k, s->items[i].value, p, thread))
			return true;
		any = true;
	}
	return !any;
}

bool selectors_match_process(const struct selectors *s, const struct profile_process *p)
{
	if (s->owned && (p->info.uid != s->uid || p->info.uid == PROCESS_NO_UID))
		return false;
	for (size_t i = 0; s->n && i < ARRAY_SIZE(keys); i++)
		if (keys[i].kind != KIND_THREAD && !key_match(s, &keys[i], p, 0))
			return false;
	return true;
}

bool selectors_match_thread(const struct selectors *s, uint32_t thread)
{
	return !s->n || key_match(s, key_find("thread", strlen("thread")), NULL, thread);
}

bool selectors_match(const struct selectors *s, const struct profile_process *p, uint32_t thread)
{
	return selectors_match_process(s, p) && selectors_match_thread(s, thread);
}
