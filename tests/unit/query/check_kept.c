/* SPDX-License-Identifier: BSD-2-Clause */
#include "../format/known.h"
#include "../store/dir.h"
#include "check_main.h"
#include "query/kept.h"

/* Which recordings are listed, each once, wherever it is when it is asked for. */
static struct dir dir;
static struct store *store;
static struct store_reader *reader;

static void setup(void)
{
	dir_make(&dir);
	ck_assert_int_eq(store_open(dir.path, &store, NULL), 0);
	ck_assert_int_eq(store_reader_open(dir.path, &reader, NULL), 0);
}

static void teardown(void)
{
	store_reader_close(reader);
	store_close(store);
	dir_done(&dir);
}

static void save(const char *ident, const char *name, const char *build, unsigned int second)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	_cleanup_free_ char *facts = NULL;
	struct store_recording row = { .ident = ident,
				       .name = name,
				       .user = STORE_TRUSTED,
				       .samples = p->samples_total,
				       .labels = &p->labels };

	row.start_ns = p->start_ns = second * NSEC_PER_SEC;
	row.end_ns = p->end_ns = (second + 1) * NSEC_PER_SEC;
	ck_assert_int_eq(labels_add(&p->labels, "build", build), 0);
	ck_assert_int_gt(asprintf(&facts, "{\"id\":\"%s\"}", ident), 0);
	row.facts = facts;
	ck_assert_int_eq(store_add_recording(store, &row, p, NULL), 0);
}

/* What is listed for these parameters, with k's own. */
static void listed(struct kept *k, const struct query_parameter *parameters, size_t n,
		   const char *answer)
{
	_cleanup_query_ struct query q = {};
	_cleanup_free_ char *is = NULL;
	struct buf b = {};
	struct json_writer w = json_writer_on(&b);
	struct refusal why = {};

	ck_assert_int_eq(query_parse(parameters, n, 1000 * NSEC_PER_SEC, &q, &why), 0);
	ck_assert_int_eq(kept_fit(&q, &why), 0);
	ck_assert_int_eq(kept_read_all(k, reader, &q), 0);
	json_put_object(&w, NULL);
	kept_put(k, &w);
	json_put_end(&w);
	is = buf_string(&b);
	ck_assert_str_eq(is, answer);
	kept_done(k);
}

#define LISTED(answer, ...)                                                           \
	do {                                                                          \
		const struct query_parameter all[] = { __VA_ARGS__ };                 \
		struct kept none = {};                                                \
                                                                                      \
		listed(&none, all, ARRAY_SIZE(all), "{\"recordings\":[" answer "]}"); \
	} while (0)

START_TEST(what_is_chosen)
{
	save("n1", "before", "1", 100);
	save("n2", "after", "2", 200);
	LISTED("{\"id\":\"n2\"},{\"id\":\"n1\"}", { "from", "0" });
	LISTED("{\"id\":\"n1\"}", { "name", "before" });
	LISTED("{\"id\":\"n2\"}", { "label.build", "2" });
	LISTED("{\"id\":\"n2\"},{\"id\":\"n1\"}", { "label.build", "2" }, { "label.build", "1" });
	LISTED("", { "name", "before" }, { "label.build", "2" });
	LISTED("{\"id\":\"n2\"}", { "from", "150" });
	LISTED("{\"id\":\"n1\"}", { "to", "150" });
	LISTED("", { "from", "101" }, { "to", "200" });
}
END_TEST

START_TEST(each_once)
{
	const struct query_parameter all[] = { { "from", "0" } };
	struct kept k = {};

	/* n2 ran when it was asked, and was saved before plop.db was read; n3 runs */
	ck_assert_int_eq(kept_list(&k, "n3", strdup("{\"id\":\"n3\"}")), 0);
	ck_assert_int_eq(kept_list(&k, "n2", strdup("{\"id\":\"n2\",\"runs\":1}")), 0);
	save("n1", "before", "1", 100);
	save("n2", "after", "2", 200);
	listed(&k, all, 1, "{\"recordings\":[{\"id\":\"n3\"},{\"id\":\"n2\"},{\"id\":\"n1\"}]}");
	ck_assert_int_eq(kept_list(&k, "n3", strdup("{\"id\":\"n3\"}")), 0);
	listed(&k, (const struct query_parameter[]){ { "name", "nobody's" } }, 1,
	       "{\"recordings\":[{\"id\":\"n3\"}]}");
}
END_TEST

START_TEST(what_does_not_choose_is_refused)
{
	const struct query_parameter of_process = { "comm", "python3" };
	_cleanup_query_ struct query q = {};
	struct refusal why = {};

	ck_assert_int_eq(query_parse(&of_process, 1, 1000 * NSEC_PER_SEC, &q, &why), 0);
	ck_assert_int_eq(kept_fit(&q, &why), -EINVAL);
	ck_assert_uint_eq(why.status, 400);
	ck_assert_str_eq(why.error, "comm does not choose among recordings");
}
END_TEST

START_TEST(no_id_is_too_long)
{
	struct kept k = {};

	kept_set(&k, "n0123456789abcdef0123456789abcdef", false);
	ck_assert_str_eq(k.ident, "");
	ck_assert_int_eq(kept_read_one(&k, reader, NULL), -ENOENT);
	kept_done(&k);
}
END_TEST

CHECK_MAIN_WITH("query/kept", setup, teardown, what_is_chosen, each_once,
		what_does_not_choose_is_refused, no_id_is_too_long);
