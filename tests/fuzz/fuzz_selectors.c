/* SPDX-License-Identifier: BSD-2-Clause */
/* Selectors of any text, matched with a process whose facts are any text. */
#include "fuzz.h"
#include "profile/selector_text.h"

#define TEXTS 8

/* The text up to the next newline, which is taken off the input. Owned by the caller. */
static char *take_line(const uint8_t **data, size_t *size)
{
	const uint8_t *newline = memchr(*data, '\n', *size);
	size_t n = newline ? (size_t)(newline - *data) : *size;
	char *line = strndup((const char *)*data, n);

	FUZZ_ASSERT(line);
	*data += newline ? n + 1 : n;
	*size -= newline ? n + 1 : n;
	return line;
}

/* What a selector says of itself must select. */
static void check_one(const char *key, const char *value, const struct profile_process *p)
{
	_cleanup_free_ char *text = NULL;
	struct selectors s = {};

	FUZZ_ASSERT(asprintf(&text, "%s=%s", key, value) >= 0);
	FUZZ_ASSERT(selectors_add(&s, text) == 0);
	FUZZ_ASSERT(selectors_match(&s, p, 0) && selectors_match_process(&s, p));
	selectors_done(&s);
}

/* For somebody who may not see all, no selector adds what is another's, or takes what is not. */
static void check_owned(struct selectors *s, struct profile_process *p, uint32_t thread)
{
	bool all = selectors_match(s, p, thread);

	s->owned = true;
	s->uid = (uid_t)p->info.pid % 3;
	p->info.uid = thread % 4 == 3 ? PROCESS_NO_UID : thread % 4;
	FUZZ_ASSERT(selectors_see(s, p->info.uid, p->info.service) ==
		    (s->uid == p->info.uid && s->uid != PROCESS_NO_UID));
	FUZZ_ASSERT(selectors_match(s, p, thread) ==
		    (all && selectors_see(s, p->info.uid, p->info.service)));
	s->uid = PROCESS_NO_UID;
	FUZZ_ASSERT(!selectors_see(s, p->info.uid, p->info.service) &&
		    !selectors_match(s, p, thread));
	/* of a service, in the place of a user */
	snprintf(s->service, sizeof(s->service), "%s", p->info.service);
	FUZZ_ASSERT(selectors_match(s, p, thread) ==
		    (all && *s->service && strlen(p->info.service) < sizeof(s->service)));
	*s->service = '\0';
	s->owned = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile_process p = {};
	struct selectors s = {};
	char **texts[TEXTS] = {
		&p.info.comm,      &p.info.exe,     &p.info.cgroup,  &p.info.unit,
		&p.info.container, &p.info.service, &p.info.version, &p.info.cmdline
	};
	uint32_t thread;
	int accepted = 0;

	if (!fuzz_take(&data, &size, &p.info.pid, sizeof(p.info.pid)) ||
	    !fuzz_take(&data, &size, &thread, sizeof(thread)))
		return 0;
	for (size_t i = 0; i < TEXTS; i++)
		*texts[i] = take_line(&data, &size);
	while (size > 0) {
		_cleanup_free_ char *text = take_line(&data, &size);
		char why[SELECTOR_WHY_MAX] = "";
		int r = selectors_parse(&s, text, NULL, why);

		FUZZ_ASSERT(r == 0 || r == -EINVAL);
		FUZZ_ASSERT((r == 0) == (*why == '\0'));
		accepted += r == 0;
	}
	FUZZ_ASSERT(s.n == (size_t)accepted);
	FUZZ_ASSERT(selectors_match(&s, &p, thread) ==
		    (selectors_match_process(&s, &p) && selectors_match_thread(&s, thread)));
	check_owned(&s, &p, thread);
	check_one("comm", p.info.comm, &p);
	check_one("cgroup", p.info.cgroup, &p);
	check_one("exe", p.info.exe, &p);
	check_one("version", p.info.version, &p);
	selectors_done(&s);
	FUZZ_ASSERT(selectors_match(&s, &p, thread));
	for (size_t i = 0; i < TEXTS; i++)
		free(*texts[i]);
	return 0;
}
