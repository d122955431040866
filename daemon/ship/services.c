/* SPDX-License-Identifier: BSD-2-Clause */
#include "ship/services.h"

#include <inttypes.h>
#include <xxhash.h>

#include "clickhouse/literal.h"
#include "store/store.h"

#define KNOWN (UINT32_MAX - 1)

void services_done(struct services *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		free(s->items[i].name);
		free(s->items[i].version);
	}
	free(s->items);
	*s = (struct services){};
}

/* NULL: there is no room for it. */
static struct services_entry *add(struct services *s, const char *name, const char *version,
				  uint64_t hash)
{
	_cleanup_free_ char *a = strdup(name), *b = strdup(version);

	if (!s->items)
		s->items = calloc(SERVICES_MOST, sizeof(*s->items));
	if (!s->items || !a || !b || s->n == SERVICES_MOST)
		return NULL;
	s->items[s->n] = (struct services_entry){ .name = TAKE_PTR(a),
						  .version = TAKE_PTR(b),
						  .hash = hash };
	return &s->items[s->n++];
}

static struct services_entry *find(struct services *s, const char *name, const char *version)
{
	uint64_t hash = XXH3_64bits(name, strlen(name));

	hash = XXH3_64bits_withSeed(version, strlen(version), hash);
	for (uint32_t i = 0; i < s->n; i++)
		if (s->items[i].hash == hash && streq(s->items[i].name, name) &&
		    streq(s->items[i].version, version))
			return &s->items[i];
	return add(s, name, version, hash);
}

struct ship_service services_meet(struct services *s, const char *name, const char *version)
{
	struct services_entry *e = find(s, name, version);

	if (!e)
		return (struct ship_service){ .name = name, .version = version, .nth = KNOWN };
	e->met = true;
	return (struct ship_service){ .name = e->name,
				      .version = e->version,
				      .samples_an_hour = e->samples_an_hour,
				      .hosts = e->hosts,
				      .nth = e->windows + 1 };
}

void services_know(struct services *s, const char *name, const char *version)
{
	struct services_entry *e = find(s, name, version);

	if (e)
		e->windows = KNOWN;
}

static int learn(const struct profile_process *p, uint64_t start_ns, uint64_t end_ns, void *ctx)
{
	services_know(ctx, p->info.service, p->info.version);
	return 0;
}

void services_learn(struct services *s, const char *state_dir, uint64_t until_ns)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;

	if (store_reader_open(state_dir, &reader, NULL) < 0)
		return;
	store_reader_unit(reader, STORE_UNIT_HOURS);
	store_each_process(reader, 0, until_ns, NULL, true, learn, s);
}

void services_count(struct services *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		bool counts = s->items[i].met && s->items[i].windows < KNOWN;

		s->items[i].windows += counts;
		s->items[i].ahead += counts;
		s->items[i].met = false;
	}
}

void services_keep(struct services *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		s->items[i].ahead = 0;
}

void services_go_back(struct services *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		s->items[i].windows -= s->items[i].ahead;
		s->items[i].ahead = 0;
	}
}

void services_question(const struct services *s, const char *database, uint64_t now_s,
		       struct buf *sql)
{
	uint64_t from_s = now_s - MIN(now_s, UINT64_C(3600));

	buf_printf(sql,
		   "SELECT service, toUInt64(intDiv(sum(samples * weight), %u)), "
		   "toUInt64(uniq(host_id)) FROM %s.samples WHERE start >= toDateTime(%" PRIu64
		   ") AND service IN (",
		   SHIP_MILLION, database, from_s);
	for (uint32_t i = 0; i < MIN(s->n, (uint32_t)SERVICES_ASKED); i++) {
		buf_puts(sql, i ? ", " : "");
		clickhouse_literal(sql, s->items[i].name);
	}
	buf_puts(sql, ") GROUP BY service FORMAT RowBinary");
}

bool services_answer(struct services *s, const struct buf *answer)
{
	struct rows_reader rows = rows_of(answer);

	while (rows_more(&rows)) {
		_cleanup_free_ char *name = rows_string(&rows);
		uint64_t samples = rows_u64(&rows), hosts = rows_u64(&rows);

		if (rows_bad(&rows) || !name)
			return false;
		/* of all its versions together */
		for (uint32_t i = 0; i < s->n; i++) {
			if (!streq(s->items[i].name, name))
				continue;
			s->items[i].samples_an_hour = samples;
			s->items[i].hosts = hosts;
		}
	}
	return true;
}
