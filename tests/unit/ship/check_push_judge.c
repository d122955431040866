/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "otlp.pb-c.h"
#include "ship/push_judge.h"

static char sentence[POSTER_WHY];

static enum push_verdict judged(enum push_store store, unsigned int status, bool old)
{
	const struct poster_answer a = { .status = status,
					 .said = { .data = (char *)"why\nmore", .size = 8 } };
	enum push_verdict verdict = push_judge(store, "store:4040", &a, old, sentence);

	if (verdict == PUSH_TAKEN)
		ck_assert_str_eq(sentence, "");
	else
		ck_assert_ptr_nonnull(strstr(sentence, "the store at store:4040 says no ("));
	ck_assert(verdict == PUSH_TAKEN ||
		  (strstr(sentence, ": why): ") && !strchr(sentence, '\n')));
	return verdict;
}

START_TEST(by_status)
{
	static const struct {
		unsigned int status;
		enum push_verdict verdict;
	} known[] = {
		{ 200, PUSH_TAKEN },   { 202, PUSH_TAKEN },   { 204, PUSH_TAKEN },
		{ 301, PUSH_NO_SUCH }, { 400, PUSH_NEVER },   { 401, PUSH_NOT_US },
		{ 403, PUSH_NOT_US },  { 405, PUSH_NO_SUCH }, { 408, PUSH_LATER },
		{ 413, PUSH_SMALLER }, { 415, PUSH_NEVER },   { 429, PUSH_LATER },
		{ 500, PUSH_LATER },   { 503, PUSH_LATER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		for (enum push_store store = 0; store < PUSH_STORES; store++)
			ck_assert_int_eq(judged(store, known[i].status, i % 2), known[i].verdict);
}
END_TEST

/* What one store means by a status and others do not. */
START_TEST(by_store)
{
	/* as a Pyroscope of 2026-08-21 says of a profile that is too old */
	static const char too_old[] =
		"{\"code\":\"unknown\",\"message\":\"pushing IngestInput-pprof failed push series "
		"with index 0 and id  failed: invalid_argument: profile with labels '{...}' is "
		"outside of ingestion window\"}";
	const struct poster_answer invalid = {
		.status = 422, .said = { .data = (char *)too_old, .size = strlen(too_old) }
	};

	ck_assert_int_eq(judged(PUSH_COROOT, 404, false), PUSH_NOT_US);
	ck_assert_int_eq(judged(PUSH_PARCA, 404, false), PUSH_NO_SUCH);
	ck_assert_int_eq(judged(PUSH_PYROSCOPE, 422, false), PUSH_LATER);
	ck_assert_int_eq(judged(PUSH_PYROSCOPE, 422, true), PUSH_NEVER);
	ck_assert_int_eq(judged(PUSH_OTLP, 422, false), PUSH_NEVER);
	ck_assert_int_eq(push_judge(PUSH_PYROSCOPE, "store", &invalid, false, sentence),
			 PUSH_NEVER);
}
END_TEST

START_TEST(a_part_of_a_success)
{
	Plop__Otlp__PartialSuccess partial = PLOP__OTLP__PARTIAL_SUCCESS__INIT;
	Plop__Otlp__Response m = PLOP__OTLP__RESPONSE__INIT;
	struct buf none = {}, noise = { .data = (char *)"\xff\xff", .size = 2 };
	uint8_t packed[64];
	struct buf body = { .data = (char *)packed };

	ck_assert(!push_judge_partial("store", &none, sentence));
	ck_assert(!push_judge_partial("store", &noise, sentence));
	m.partial_success = &partial;
	partial.message = (char *)"a warning";
	body.size = plop__otlp__response__pack(&m, packed);
	ck_assert(!push_judge_partial("store", &body, sentence));
	partial.rejected = 1;
	partial.message = (char *)"too old";
	body.size = plop__otlp__response__pack(&m, packed);
	ck_assert(push_judge_partial("store", &body, sentence));
	ck_assert_str_eq(sentence,
			 "the store at store has not taken a profile: too old: it is passed over");
}
END_TEST

CHECK_MAIN("ship/push_judge", by_status, by_store, a_part_of_a_success);
