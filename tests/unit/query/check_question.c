/* SPDX-License-Identifier: BSD-2-Clause */
#include <jansson.h>

#include "../format/known.h"
#include "check_main.h"
#include "query/question.h"

/* A source without a file: one window in memory, or what it is told to return. */
struct made_up {
	struct source source; /* first */
	int r;
	struct profile *window; /* borrowed */
};

static int made_up_read(struct source *s, struct question *k)
{
	const struct made_up *m = (const struct made_up *)s;

	return m->r < 0 || k->about != QUESTION_PROFILE ?
		       m->r :
		       profile_new(k->query.from_ns, 0, &k->profile);
}

static int made_up_add(struct source *s, struct question *k)
{
	return question_add_window(k, ((struct made_up *)s)->window);
}

static struct made_up source;
static struct profile *window;

static void setup(void)
{
	window = known_profile();
	source = (struct made_up){ .source = { .read = made_up_read, .add = made_up_add },
				   .window = window };
}

static void teardown(void)
{
	profile_free(window);
}

static void begin(struct question *k, enum question_about about, const struct query_parameter *p,
		  size_t n)
{
	struct refusal why = {};
	struct query query = {};

	ck_assert_msg(query_parse(p, n, KNOWN_START + 600 * NSEC_PER_SEC, &query, &why) == 0, "%s",
		      why.error);
	question_init(k, &source.source, about, &query);
}

static json_t *ask(enum question_about about, const struct query_parameter *p, size_t n,
		   const struct selectors *whom)
{
	struct question k;
	json_t *answer;

	begin(&k, about, p, n);
	if (whom) {
		k.query.selectors.owned = whom->owned;
		k.query.selectors.uid = whom->uid;
	}
	question_read(&k);
	ck_assert_int_eq(k.r, 0);
	question_add(&k);
	ck_assert_int_eq(k.r, 0);
	ck_assert_int_eq(question_write(&k), 0);
	answer = json_loadb(k.answer.data, k.answer.size, 0, NULL);
	ck_assert_ptr_nonnull(answer);
	question_clear(&k);
	return answer;
}

START_TEST(lists_what_is_in_memory)
{
	static const struct query_parameter later[] = { { "from", "1800000000" },
							{ "to", "1800000001" } };
	json_t *answer = ask(QUESTION_WINDOWS, NULL, 0, NULL), *w;

	ck_assert_uint_eq(json_array_size(json_object_get(answer, "windows")), 1);
	w = json_array_get(json_object_get(answer, "windows"), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(w, "samples")), KNOWN_TOTAL);
	json_decref(answer);
	answer = ask(QUESTION_WINDOWS, later, ARRAY_SIZE(later), NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "windows")), 0);
	ck_assert(json_is_array(json_object_get(answer, "windows")));
	json_decref(answer);
}
END_TEST

START_TEST(selects_and_tallies_for_whom_it_is)
{
	static const struct query_parameter one[] = { { "pid", "200" } };
	const struct selectors whom = { .owned = true, .uid = 1000 };
	json_t *all, *own;

	window->processes[0].info.uid = PROCESS_NO_UID;
	window->processes[1].info.uid = 1000;
	all = ask(QUESTION_PROFILE, one, ARRAY_SIZE(one), NULL);
	own = ask(QUESTION_PROFILE, NULL, 0, &whom);
	ck_assert_int_eq(json_integer_value(json_object_get(all, "total")), 16);
	ck_assert_int_eq(json_integer_value(json_object_get(own, "total")), 16);
	json_decref(all);
	json_decref(own);
}
END_TEST

START_TEST(too_much_is_refused)
{
	struct refusal refusal = {};
	struct question k;

	begin(&k, QUESTION_PROFILE, NULL, 0);
	k.memory = 1;
	question_read(&k);
	question_add(&k);
	ck_assert_int_eq(k.r, 0);
	ck_assert_int_eq(question_write(&k), -E2BIG);
	ck_assert_int_eq(k.r, -E2BIG);
	question_refuse(&k, &refusal);
	ck_assert_uint_eq(refusal.status, 413);
	ck_assert_ptr_nonnull(strstr(refusal.hint, "format json"));
	question_clear(&k);
}
END_TEST

static bool refuse_missing(const struct source *s, const struct question *k, struct refusal *ret)
{
	if (k->r != -ENOENT)
		return false;
	refusal_say(ret, 503, "wait", "nothing is there");
	return true;
}

START_TEST(each_failure_has_words)
{
	static const struct {
		int r;
		unsigned int status;
		const char *says;
	} cases[] = {
		{ -E2BIG, 413, "different stacks" },       { -EFBIG, 413, "larger than" },
		{ -ETIME, 413, "takes more than 30" },     { -ENOENT, 503, "nothing is there" },
		{ -EIO, 500, "failed to read plop.db: " },
	};

	source.source.refuse = refuse_missing;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct refusal refusal = {};
		struct question k;

		source.r = cases[i].r;
		begin(&k, QUESTION_WINDOWS, NULL, 0);
		question_read(&k);
		ck_assert_int_eq(k.r, cases[i].r);
		question_refuse(&k, &refusal);
		ck_assert_uint_eq(refusal.status, cases[i].status);
		ck_assert_msg(strstr(refusal.error, cases[i].says), "%s", refusal.error);
		question_clear(&k);
	}
}
END_TEST

START_TEST(what_is_not_known_of_a_store_is_null)
{
	const struct store_facts facts = { .bytes = 5, .windows = 2, .oldest_ns = KNOWN_START };

	for (int live = 0; live < 2; live++) {
		const struct store_status status = {
			.state_dir = "/x", .facts = &facts, .live = live, .unsaved = 3
		};
		_cleanup_buf_ struct buf b = {};
		struct json_writer w = json_writer_on(&b);
		json_t *o;

		store_status_put(&w, NULL, &status);
		ck_assert_int_eq(json_writer_done(&w), 0);
		o = json_loadb(b.data, b.size, 0, NULL);
		ck_assert_str_eq(json_string_value(json_object_get(o, "path")), "/x/plop.db");
		ck_assert_int_eq(json_integer_value(json_object_get(o, "bytes")), 5);
		ck_assert(json_is_null(json_object_get(o, "unsaved")) == !live);
		ck_assert(json_is_null(json_object_get(o, "dropped")) == !live);
		ck_assert(json_is_real(json_object_get(o, "oldest")));
		ck_assert(json_is_null(json_object_get(o, "error")));
		ck_assert_uint_eq(json_object_size(o), 10);
		json_decref(o);
	}
}
END_TEST

CHECK_MAIN_WITH("query/question", setup, teardown, lists_what_is_in_memory,
		selects_and_tallies_for_whom_it_is, too_much_is_refused, each_failure_has_words,
		what_is_not_known_of_a_store_is_null);
