/* SPDX-License-Identifier: BSD-2-Clause */
#include <float.h>
#include <jansson.h>
#include <math.h>

#include "check_main.h"
#include "util/json.h"

static const char *text(struct buf *b)
{
	buf_putc(b, '\0');
	ck_assert_int_eq(b->error, 0);
	return b->data;
}

START_TEST(writes_each_type)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_buf_ struct buf elements = {};
	struct json_writer w = json_writer_on(&b), more;

	json_put_object(&w, NULL);
	json_put_string(&w, "s", "x");
	json_put_string(&w, "none", NULL);
	json_put_text(&w, "cut", "abc", 2);
	json_put_int(&w, "i", INT64_MIN);
	json_put_uint(&w, "u", UINT64_MAX);
	json_put_bool(&w, "yes", true);
	json_put_bool(&w, "no", false);
	json_put_null(&w, "null");
	json_put_array(&w, "a");
	json_put_int(&w, NULL, 1);
	json_put_object(&w, NULL);
	json_put_end(&w);
	json_put_array(&w, NULL);
	json_put_end(&w);
	json_put_end(&w);
	json_put_object(&w, "o");
	json_put_real(&w, "r", 0.5);
	json_put_end(&w);
	json_put_elements(&w, "none", &elements);
	more = json_elements_on(&elements);
	json_put_int(&more, NULL, 1);
	json_put_object(&more, NULL);
	json_put_end(&more);
	more = json_elements_on(&elements);
	json_put_int(&more, NULL, 2);
	json_put_elements(&w, "some", &elements);
	json_put_end(&w);
	ck_assert_int_eq(json_writer_done(&w), 0);
	ck_assert_str_eq(text(&b),
			 "{\"s\":\"x\",\"none\":null,\"cut\":\"ab\",\"i\":-9223372036854775808,"
			 "\"u\":18446744073709551615,\"yes\":true,\"no\":false,\"null\":null,"
			 "\"a\":[1,{},[]],\"o\":{\"r\":0.5},\"none\":[],\"some\":[1,{},2]}");
}
END_TEST

START_TEST(strings_are_escaped_and_utf8)
{
	static const struct {
		const char *s;
		size_t size;
		const char *wanted;
	} cases[] = {
		{ "", 0, "\"\"" },
		{ "a\"b\\c/", 6, "\"a\\\"b\\\\c/\"" },
		{ "\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\"" },
		{ "\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"" },
		{ "h\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8d", 10,
		  "\"h\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8d\"" },
		{ "\xef\xbf\xbd", 3, "\"\xef\xbf\xbd\"" },
		{ "a\xff"
		  "b",
		  3,
		  "\"a\xef\xbf\xbd"
		  "b\"" },
		/* cut in a character; a surrogate; overlong */
		{ "\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xc0\x80", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf b = {};
		struct json_writer w = json_writer_on(&b);

		json_put_text(&w, NULL, cases[i].s, cases[i].size);
		ck_assert_int_eq(json_writer_done(&w), 0);
		ck_assert_str_eq(text(&b), cases[i].wanted);
	}
}
END_TEST

/* Any bytes, in a key as in a value, are what jansson reads, and the good ones unchanged. */
START_TEST(any_bytes_can_be_read)
{
	unsigned int seed = 7;

	for (int round = 0; round < 2000; round++) {
		_cleanup_buf_ struct buf b = {};
		struct json_writer w = json_writer_on(&b);
		char s[24];
		json_t *o;

		for (size_t i = 0; i < sizeof(s) - 1; i++) {
			seed = seed * 1103515245u + 12345u;
			s[i] = (char)((seed >> 16) % 255 + 1);
		}
		s[sizeof(s) - 1] = '\0';
		json_put_object(&w, NULL);
		json_put_string(&w, s, s);
		json_put_end(&w);
		ck_assert_int_eq(json_writer_done(&w), 0);
		o = json_loadb(b.data, b.size, 0, NULL);
		ck_assert_msg(o != NULL, "%.*s", (int)b.size, b.data);
		ck_assert_uint_eq(json_object_size(o), 1);
		json_decref(o);
	}
}
END_TEST

START_TEST(reals_keep_their_value)
{
	static const struct {
		double n;
		const char *wanted;
	} cases[] = {
		{ 0, "0.0" },          { -1, "-1.0" },
		{ 0.1, "0.1" },        { 1.0 / 3, "0.3333333333333333" },
		{ 1e300, "1e+300" },   { 1795359600.25, "1795359600.25" },
		{ NAN, "null" },       { INFINITY, "null" },
		{ -INFINITY, "null" },
	};
	static const double exact[] = { DBL_MAX, DBL_MIN, DBL_EPSILON, 2.0 / 3, 1e15 + 0.125 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf b = {};
		struct json_writer w = json_writer_on(&b);

		json_put_real(&w, NULL, cases[i].n);
		ck_assert_str_eq(text(&b), cases[i].wanted);
	}
	for (size_t i = 0; i < ARRAY_SIZE(exact); i++) {
		_cleanup_buf_ struct buf b = {};
		struct json_writer w = json_writer_on(&b);

		json_put_real(&w, NULL, exact[i]);
		ck_assert(strtod(text(&b), NULL) == exact[i]);
	}
}
END_TEST

START_TEST(seconds_are_exact)
{
	static const struct {
		int64_t ns;
		const char *wanted;
	} cases[] = {
		{ 0, "0.0" },
		{ 1, "0.000000001" },
		{ -1, "-0.000000001" },
		{ INT64_C(1795359600250000000), "1795359600.25" },
		{ INT64_C(1795359600999999999), "1795359600.999999999" },
		{ INT64_C(-30000000000), "-30.0" },
		{ INT64_MAX, "9223372036.854775807" },
		{ INT64_MIN, "-9223372036.854775808" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf b = {};
		struct json_writer w = json_writer_on(&b);

		json_put_seconds(&w, NULL, cases[i].ns);
		ck_assert_str_eq(text(&b), cases[i].wanted);
	}
}
END_TEST

static int wrong_key(int which)
{
	_cleanup_buf_ struct buf b = {};
	struct json_writer w = json_writer_on(&b);

	switch (which) {
	case 0: /* a key on the outside */
		json_put_int(&w, "k", 1);
		break;
	case 1: /* none in an object */
		json_put_object(&w, NULL);
		json_put_int(&w, NULL, 1);
		json_put_end(&w);
		break;
	case 2: /* one in an array */
		json_put_array(&w, NULL);
		json_put_int(&w, "k", 1);
		json_put_end(&w);
		break;
	case 3: /* two values */
		json_put_int(&w, NULL, 1);
		json_put_int(&w, NULL, 2);
		break;
	case 4: /* no end */
		json_put_object(&w, NULL);
		break;
	case 5: /* no beginning */
		json_put_int(&w, NULL, 1);
		json_put_end(&w);
		break;
	case 6: /* nothing */
		break;
	case 7: /* too deep */
		for (int i = 0; i <= JSON_DEPTH_MAX; i++)
			json_put_array(&w, NULL);
		for (int i = 0; i <= JSON_DEPTH_MAX; i++)
			json_put_end(&w);
		break;
	default: /* as deep as can be */
		for (int i = 0; i < JSON_DEPTH_MAX; i++)
			json_put_array(&w, NULL);
		for (int i = 0; i < JSON_DEPTH_MAX; i++)
			json_put_end(&w);
		break;
	}
	return json_writer_done(&w);
}

START_TEST(mistakes_are_found)
{
	for (int i = 0; i < 8; i++)
		ck_assert_msg(wrong_key(i) == -EINVAL, "case %d", i);
	ck_assert_int_eq(wrong_key(8), 0);
}
END_TEST

START_TEST(a_full_buffer_is_an_error)
{
	_cleanup_buf_ struct buf b = { .limit = 10 };
	struct json_writer w = json_writer_on(&b);

	json_put_array(&w, NULL);
	for (int i = 0; i < 10; i++)
		json_put_int(&w, NULL, i);
	json_put_end(&w);
	ck_assert_int_eq(json_writer_done(&w), -EFBIG);
}
END_TEST

CHECK_MAIN("json", writes_each_type, strings_are_escaped_and_utf8, any_bytes_can_be_read,
	   reals_keep_their_value, seconds_are_exact, mistakes_are_found,
	   a_full_buffer_is_an_error);
