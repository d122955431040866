/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/parse.h"
#include "proc/text.h"

bool proc_environ_find(const char *block, size_t size, const char *name, const char **ret,
		       size_t *ret_size)
{
	size_t n = strlen(name);

	while (size > 0) {
		const char *nul = memchr(block, '\0', size);
		size_t length = nul ? (size_t)(nul - block) : size;

		if (length > n && block[n] == '=' && memcmp(block, name, n) == 0) {
			*ret = block + n + 1;
			*ret_size = length - n - 1;
			return true;
		}
		if (!nul)
			break;
		block += length + 1;
		size -= length + 1;
	}
	return false;
}

/* The value of key in "key=value,key=value", as OTEL_RESOURCE_ATTRIBUTES has it. */
static bool find_attribute(const char *list, size_t size, const char *key, const char **ret,
			   size_t *ret_size)
{
	size_t n = strlen(key);

	while (size > 0) {
		const char *comma = memchr(list, ',', size);
		size_t length = comma ? (size_t)(comma - list) : size;

		while (length > 0 && *list == ' ') {
			list++;
			length--;
			size--;
		}
		if (length > n && list[n] == '=' && memcmp(list, key, n) == 0) {
			*ret = list + n + 1;
			*ret_size = length - n - 1;
			return true;
		}
		if (!comma)
			break;
		list += length + 1;
		size -= length + 1;
	}
	return false;
}

/*
 * The first of names that is set to something; a name with a dot is an attribute of
 * OTEL_RESOURCE_ATTRIBUTES.
 */
static int first_of(const char *block, size_t size, const char *const *names, size_t n, char **ret)
{
	for (size_t i = 0; i < n; i++) {
		const char *value, *list;
		size_t length, list_size;
		bool found;

		if (strchr(names[i], '.'))
			found = proc_environ_find(block, size, "OTEL_RESOURCE_ATTRIBUTES", &list,
						  &list_size) &&
				find_attribute(list, list_size, names[i], &value, &length);
		else
			found = proc_environ_find(block, size, names[i], &value, &length);
		if (!found || length == 0)
			continue;
		*ret = text_sanitize(value, MIN(length, (size_t)PROC_MAX_LABEL));
		return *ret ? 0 : -ENOMEM;
	}
	*ret = NULL;
	return 0;
}

int proc_environ_labels(const char *block, size_t size, struct proc_labels *ret)
{
	static const char *const services[] = { "PLOP_SERVICE", "OTEL_SERVICE_NAME", "service.name",
						"DD_SERVICE" };
	static const char *const versions[] = { "PLOP_VERSION", "service.version", "DD_VERSION",
						"SENTRY_RELEASE" };
	_cleanup_free_ char *service = NULL;
	char *version;
	int r;

	r = first_of(block, size, services, ARRAY_SIZE(services), &service);
	if (r < 0)
		return r;
	r = first_of(block, size, versions, ARRAY_SIZE(versions), &version);
	if (r < 0)
		return r;
	ret->service = TAKE_PTR(service);
	ret->version = version;
	return 0;
}

bool proc_environ_overwritten(const char *block, size_t size)
{
	return size > 1 &&
	       (block[0] == '\0' || (block[size - 1] == '\0' && block[size - 2] == '\0'));
}

/* A login session's scope or a user's manager says nothing of what the process serves. */
static bool is_service_unit(const char *unit)
{
	size_t n = strlen(unit);

	return n > 8 && streq(unit + n - 8, ".service") && strncmp(unit, "user@", 5) != 0;
}

const char *proc_service_of(const char *unit, const char *container, const char *script)
{
	if (is_service_unit(unit))
		return unit;
	return *container ? container : *script ? script : unit;
}
