/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "clickhouse/client.h"
#include "fleet/record.h"
#include "query/question.h"

/*
 * The windows of all hosts, in the tables of a ClickHouse (clickhouse/schema.h). It is asked on the
 * worker of the source, one question at a time; its connection stays open.
 */
struct fleet;

int fleet_new(const struct clickhouse_options *o, struct fleet **ret, char **ret_error);
void fleet_free(struct fleet *f);
DEFINE_FREEP(struct fleet, fleet_free)
const char *fleet_place(const struct fleet *f);

/* What the store says of itself. */
struct fleet_facts {
	uint64_t hosts, windows;
	uint32_t oldest_s, newest_s; /* begin of windows; 0: there is none */
};

/* What of QUESTION_OF_SOURCE is asked. */
enum fleet_about {
	FLEET_REGRESSIONS,  /* GET /v1/regressions */
	FLEET_OUTLIERS,     /* GET /v1/outliers */
	FLEET_HOSTS_OF,     /* GET /v1/hosts */
	FLEET_PROCESSES_OF, /* GET /v1/processes */
	FLEET_RECORD,       /* POST /v1/fleet/record */
	FLEET_RECORDED,     /* GET /v1/fleet/record/ID */
};

/* One for each question: says what became of it. */
struct fleet_source {
	struct source source;     /* first: read and refuse are these */
	struct fleet *fleet;      /* borrowed */
	enum fleet_about about;   /* of QUESTION_OF_SOURCE */
	struct fleet_facts facts; /* of QUESTION_STORE */
	struct fleet_wish wish;   /* of FLEET_RECORD; its texts are freed by who asks */
	struct clickhouse_trouble trouble;
};
/* Its read(). Of QUESTION_STORE trouble is an answer, too: k->error says it. */
int fleet_source_read(struct source *s, struct question *k);
bool fleet_source_refuse(const struct source *s, const struct question *k, struct refusal *ret);
