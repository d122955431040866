/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/profile.h"
#include "profile/selector_text.h"
#include "util/parse.h"

#include <assert.h>

#define FIELD(name) offsetof(struct process_info, name)

/* How a key's values compare. Those up to KIND_PATH are of a process, the others of a sample. */
enum kind {
	KIND_PID,
	KIND_TEXT, /* exactly */
	KIND_HOST, /* ... of the host; no process has it */
	KIND_PATH, /* exactly, or what lies below */
	KIND_THREAD,
	KIND_THREAD_NAME,
	KIND_STATE,
	KIND_GIL,
	KIND_LABEL, /* of the profile */
};

/* What is compared; only what the key is of. */
struct subject {
	const struct profile_process *process;
	uint32_t thread, state;
	const char *thread_name, *label;
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
	{ "thread_name", KIND_THREAD_NAME, 0 },
	{ "state", KIND_STATE, 0 },
	{ "gil", KIND_GIL, 0 },
	{ "host", KIND_HOST, 0 },
	{ "region", KIND_HOST, 0 },
};

static bool over_hosts; /* selectors_over_hosts() */

void selectors_over_hosts(void)
{
	over_hosts = true;
}

#define KEYS                                                                               \
	"pid, comm, exe, cgroup, unit, container, service, version, thread, thread_name, " \
	"state, gil, label.NAME"

const char *selector_keys(void)
{
	return over_hosts ? KEYS ", host, region" : KEYS;
}

#define LABEL "label."
static const struct key label_key = { LABEL, KIND_LABEL, 0 };

static bool is_label(const char *key)
{
	return strncmp(key, LABEL, strlen(LABEL)) == 0;
}

/* Whether name, of size bytes, is "label." and what a label can be called. */
static bool label_name_valid(const char *name, size_t size)
{
	char label[LABEL_KEY_MAX + 2];

	size -= strlen(LABEL);
	if (size >= sizeof(label))
		return false;
	memcpy(label, name + strlen(LABEL), size);
	label[size] = '\0';
	return label_key_valid(label);
}

/* name need not end after size bytes. */
static const struct key *key_find(const char *name, size_t size)
{
	if (size > strlen(LABEL) && is_label(name))
		return label_name_valid(name, size) ? &label_key : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].name) == size && memcmp(keys[i].name, name, size) == 0)
			return keys[i].kind != KIND_HOST || over_hosts ? &keys[i] : NULL;
	return NULL;
}

/* A pid or tid; 0: not one. */
static uint32_t parse_id(const char *s)
{
	uint64_t v = 0;

	(void)parse_u64(s, 1, PROCESS_ID_MAX, &v);
	return (uint32_t)v;
}

bool selector_key_known(const char *key)
{
	return key_find(key, strlen(key)) != NULL;
}

bool selector_is_of_process(const char *key)
{
	const struct key *k = key_find(key, strlen(key));

	return k && k->kind <= KIND_PATH;
}

const char *selector_values(const char *key)
{
	if (streq(key, "state"))
		return "one of running, waiting for the GIL, sleeping, runnable, off CPU";
	if (streq(key, "gil"))
		return "one of held, released, waiting; nothing stands for not known";
	return NULL;
}

static bool value_valid(const struct key *k, const char *value)
{
	if (k->kind == KIND_PID || k->kind == KIND_THREAD)
		return parse_id(value) != 0;
	if (k->kind != KIND_STATE && k->kind != KIND_GIL)
		return true;
	for (uint32_t i = 0; i < SAMPLE_STATES; i++)
		if (streq(value, k->kind == KIND_STATE ? sample_doing(i) : sample_gil(i)))
			return true;
	return false;
}

int selectors_add(struct selectors *s, const char *text)
{
	const char *equals = strchr(text, '=');
	struct selector item, *items;
	const struct key *k;

	if (!equals)
		return -EINVAL;
	k = key_find(text, (size_t)(equals - text));
	if (!k || !value_valid(k, equals + 1))
		return -EINVAL;
	items = reallocarray(s->items, s->n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	s->items = items;
	item.key = strndup(text, (size_t)(equals - text));
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

static bool item_match(const struct key *k, const char *value, const struct subject *s)
{
	const char *field;

	switch (k->kind) {
	case KIND_PID:
		return (uint32_t)s->process->info.pid == parse_id(value);
	case KIND_THREAD:
		return s->thread && s->thread == parse_id(value);
	case KIND_THREAD_NAME:
		return streq(s->thread_name, value);
	case KIND_STATE:
		return streq(sample_doing(s->state), value);
	case KIND_GIL:
		return streq(sample_gil(s->state), value);
	case KIND_LABEL:
		return streq(s->label, value);
	case KIND_HOST:
		return false;
	case KIND_TEXT:
	case KIND_PATH:
		break;
	}
	field = *(char *const *)((const char *)&s->process->info + k->field);
	return k->kind == KIND_PATH ? path_match(field, value) : streq(field, value);
}

const char *selector_value_of(const char *key, const struct profile *p,
			      const struct profile_sample *s, char number[static 16])
{
	const struct process_info *info = &p->processes[s->process].info;
	const struct key *k = key_find(key, strlen(key));

	assert(k);
	switch (k->kind) {
	case KIND_PID:
	case KIND_THREAD:
		snprintf(number, 16, "%u",
			 k->kind == KIND_PID ? (unsigned int)info->pid : s->thread);
		return number;
	case KIND_THREAD_NAME:
		return profile_thread_name(p, s->process, s->thread);
	case KIND_STATE:
		return sample_doing(s->state);
	case KIND_GIL:
		return sample_gil(s->state);
	case KIND_LABEL:
		return labels_get(&p->labels, key + strlen(LABEL));
	case KIND_HOST:
		return "";
	case KIND_TEXT:
	case KIND_PATH:
		break;
	}
	return *(char *const *)((const char *)info + k->field);
}

/* Whether the key called name has no item, or one that matches. */
static bool key_match(const struct selectors *s, const struct key *k, const char *name,
		      const struct subject *what)
{
	bool any = false;

	for (size_t i = 0; i < s->n; i++) {
		if (!streq(s->items[i].key, name))
			continue;
		if (item_match(k, s->items[i].value, what))
			return true;
		any = true;
	}
	return !any;
}

static bool labels_match(const struct selectors *s, const struct labels *labels)
{
	for (size_t i = 0; i < s->n; i++) {
		const char *key = s->items[i].key;
		struct subject what = {};

		if (!is_label(key))
			continue;
		what.label = labels_get(labels, key + strlen(LABEL));
		if (!key_match(s, &label_key, key, &what))
			return false;
	}
	return true;
}

bool selectors_are_of_programs(const struct selectors *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct key *k = key_find(s->items[i].key, strlen(s->items[i].key));

		if (!k || (k->kind != KIND_TEXT && k->kind != KIND_PATH && k->kind != KIND_LABEL))
			return false;
	}
	return true;
}

void selectors_tally(const struct selectors *s, struct profile *p)
{
	if (s->owned)
		p->tally = (struct tally){ .ticks = p->samples_total, .python = p->samples_total };
}

bool selectors_see(const struct selectors *s, uid_t owner, const char *service)
{
	if (!s->owned)
		return true;
	if (*s->service)
		return service && streq(service, s->service);
	return owner == s->uid && owner != PROCESS_NO_UID;
}

bool selectors_are_for_the_same(const struct selectors *a, const struct selectors *b)
{
	if (a->owned != b->owned || !streq(a->service, b->service))
		return false;
	return !a->owned || *a->service || a->uid == b->uid;
}

bool selectors_match_labeled(const struct selectors *s, const struct profile_process *p,
			     const struct labels *labels)
{
	const struct subject what = { .process = p };

	if (!selectors_see(s, p->info.uid, p->info.service))
		return false;
	for (size_t i = 0; s->n && i < ARRAY_SIZE(keys); i++)
		if (keys[i].kind <= KIND_PATH && !key_match(s, &keys[i], keys[i].name, &what))
			return false;
	return labels_match(s, labels);
}

bool selectors_match_process(const struct selectors *s, const struct profile_process *p)
{
	static const struct labels none;

	return selectors_match_labeled(s, p, &none);
}

bool selectors_match_sample(const struct selectors *s, uint32_t thread, const char *thread_name,
			    uint32_t state)
{
	const struct subject what = { .thread = thread,
				      .thread_name = thread_name,
				      .state = state };

	for (size_t i = 0; s->n && i < ARRAY_SIZE(keys); i++)
		if (keys[i].kind > KIND_PATH && !key_match(s, &keys[i], keys[i].name, &what))
			return false;
	return true;
}

bool selectors_match_thread(const struct selectors *s, uint32_t thread)
{
	return selectors_match_sample(s, thread, "", SAMPLE_PLAIN);
}

bool selectors_match(const struct selectors *s, const struct profile_process *p, uint32_t thread)
{
	return selectors_match_process(s, p) && selectors_match_thread(s, thread);
}
