/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/version.h"

#define PYTHON_VERSION_ADDRESS(v) &version_##v,

static const struct python_version *const versions[] = { PYTHON_VERSIONS(PYTHON_VERSION_ADDRESS) };

const struct python_version *python_version_at(size_t index)
{
	return index < ARRAY_SIZE(versions) ? versions[index] : NULL;
}

const struct python_version *python_version_find(uint16_t version)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		if (versions[i]->version == version)
			return versions[i];
	}
	return NULL;
}

const struct python_version *python_version_by_hex(uint32_t hexversion)
{
	uint8_t level = hexversion >> 4 & 0xf;

	return level == 0xa || level == 0xb ? NULL :
					      python_version_find((uint16_t)(hexversion >> 16));
}

static bool can(const struct python_version *v, enum python_can what)
{
	bool free_threaded = v->objects_free_threaded.dicts != 0;

	switch (what) {
	case PYTHON_CAN_PROFILE:
		return true;
	case PYTHON_CAN_PROFILE_FREE_THREADED:
		return free_threaded;
	case PYTHON_CAN_SHOW_TASKS:
		return v->tasks != TASKS_NONE;
	case PYTHON_CAN_SHOW_TASKS_FREE_THREADED:
		return free_threaded && v->tasks == TASKS_BY_TABLE;
	}
	return false;
}

const struct object_layout *object_layout_find(const struct plop_layout *l)
{
	const struct python_version *v = python_version_find(l->version);
	const struct object_layout *o;

	if (!v)
		return NULL;
	o = l->free_threaded ? &v->objects_free_threaded : &v->objects;
	return o->dicts ? o : NULL;
}

struct range {
	unsigned int first, last;
};

static size_t find_ranges(enum python_can what, struct range *ranges)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		uint16_t version = versions[i]->version;

		if (!can(versions[i], what))
			continue;
		if (n > 0 && ranges[n - 1].last + 1 == version)
			ranges[n - 1].last = version;
		else
			ranges[n++] = (struct range){ version, version };
	}
	return n;
}

const char *python_versions_text(enum python_can what, char *text)
{
	struct range ranges[ARRAY_SIZE(versions)];
	size_t n = find_ranges(what, ranges), at = 0;

	snprintf(text, PYTHON_VERSIONS_TEXT_MAX, "none");
	for (size_t i = 0; i < n && at < PYTHON_VERSIONS_TEXT_MAX; i++) {
		const struct range *r = &ranges[i];

		at += (size_t)snprintf(text + at, PYTHON_VERSIONS_TEXT_MAX - at, "%s%u.%u",
				       i == 0     ? "" :
				       i + 1 == n ? " and " :
						    ", ",
				       r->first >> 8, r->first & 0xff);
		if (r->first != r->last && at < PYTHON_VERSIONS_TEXT_MAX)
			at += (size_t)snprintf(text + at, PYTHON_VERSIONS_TEXT_MAX - at,
					       " to %u.%u", r->last >> 8, r->last & 0xff);
	}
	return text;
}
