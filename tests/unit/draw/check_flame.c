/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "draw/flame.h"

#define EVIL "</title><script>alert(1)</script>&\"'\x01\xff\xe2\x80\xae"

static char *draw(const struct flame *f)
{
	_cleanup_buf_ struct buf b = {};

	ck_assert_int_eq(flame_svg(f, &b), 0);
	return buf_string(&b);
}

static unsigned int count(const char *text, const char *word)
{
	unsigned int n = 0;

	while ((text = strstr(text, word))) {
		text += strlen(word);
		n++;
	}
	return n;
}

/* all: one has three quarters of it, of which two has a third, and three has an eighth. */
static const struct flame_frame known[] = {
	{ .name = "all", .file = "", .total = 1, .self = 0.125, .child = 1 },
	{ .name = "one",
	  .file = "a.py",
	  .line = 3,
	  .total = 0.75,
	  .self = 0.5,
	  .child = 2,
	  .next = 3 },
	{ .name = "two", .file = "a.py", .line = 9, .total = 0.25, .self = 0.25 },
	{ .name = "three", .file = "b.py", .total = 0.125, .self = 0.125 },
};

START_TEST(places)
{
	struct flame f = { .title = "t", .frames = known, .nframes = ARRAY_SIZE(known) };
	_cleanup_free_ char *svg = draw(&f);
	static const char *const words[] = {
		"<svg x=\"0.0000%\" y=\"32\" width=\"100.0000%\" height=\"17\"><title>all\n",
		"<svg x=\"0.0000%\" y=\"49\" width=\"75.0000%\" height=\"17\"><title>one (a.py:3)\n"
		"total 75.00 %, self 50.00 %</title>",
		"<svg x=\"0.0000%\" y=\"66\" width=\"25.0000%\" height=\"17\"><title>two "
		"(a.py:9)\n",
		"<svg x=\"75.0000%\" y=\"49\" width=\"12.5000%\" height=\"17\"><title>three "
		"(b.py)\n",
		" width=\"1200\" height=\"87\">",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		ck_assert_msg(strstr(svg, words[i]) != NULL, "%s\n%s", words[i], svg);
}
END_TEST

/* Functions of a file share a colour; a difference is orange or blue, and grey if there is none. */
START_TEST(colours)
{
	struct flame_frame frames[] = {
		{ .name = "all", .file = "", .total = 1, .base_total = 1, .child = 1 },
		{ .name = "more", .file = "a.py", .total = 0.4, .base_total = 0.3, .next = 2 },
		{ .name = "less", .file = "a.py", .total = 0.2, .base_total = 0.3, .next = 3 },
		{ .name = "same", .file = "a.py", .total = 0.4, .base_total = 0.4 },
	};
	struct flame f = { .title = "t", .frames = frames, .nframes = 4, .difference = true };
	_cleanup_free_ char *changed = draw(&f), *plain = NULL;

	ck_assert_uint_eq(count(changed, "fill=\"#f59128\""), 1);
	ck_assert_uint_eq(count(changed, "fill=\"#64afe1\""), 1);
	ck_assert_uint_eq(count(changed, "fill=\"#e4e4e4\""), 2);
	ck_assert_ptr_nonnull(strstr(changed, "total: base 30.00 %, new 40.00 %, +10.00 points"));
	ck_assert_ptr_nonnull(strstr(changed, "<svg x=\"35.0000%\""));
	f.difference = false;
	plain = draw(&f);
	ck_assert_uint_eq(count(plain, "fill=\"#e4e4e4\""), 1);
}
END_TEST

/* Nothing of a name is markup, in a frame or a note. */
START_TEST(hostile)
{
	struct flame_frame frame = {
		.name = EVIL, .file = EVIL, .total = 1, .self = 1, .said = EVIL
	};
	const char *note = EVIL;
	struct flame f = { .title = EVIL,
			   .notes = &note,
			   .nnotes = 1,
			   .difference = true,
			   .frames = &frame,
			   .nframes = 1 };
	_cleanup_free_ char *svg = draw(&f);

	ck_assert_uint_eq(count(svg, "<script"), 0);
	ck_assert_ptr_null(strpbrk(svg, "\x01\xff"));
	ck_assert_ptr_null(strstr(svg, "\xe2\x80\xae"));
	ck_assert_uint_ge(count(svg, "&lt;/title&gt;&lt;script&gt;alert(1)"
				     "&lt;/script&gt;&amp;&quot;'???"),
			  5);
}
END_TEST

/* A deep one is cut, one without samples or frames is drawn, and what is too thin is left out. */
START_TEST(bounds)
{
	static struct flame_frame deep[FLAME_DEPTH + 50];
	static const struct flame_frame thin[] = {
		{ .name = "all", .file = "", .total = 1, .child = 1 },
		{ .name = "thin", .file = "", .total = 1e-5, .child = 2, .next = 3 },
		{ .name = "below", .file = "", .total = 1e-5 },
		{ .name = "wide", .file = "", .total = 0.5 },
	};
	struct flame f = { .title = "t", .frames = deep, .nframes = ARRAY_SIZE(deep) };
	_cleanup_free_ char *cut = NULL, *none = NULL, *some = NULL;

	for (uint32_t i = 0; i < ARRAY_SIZE(deep); i++)
		deep[i] = (struct flame_frame){ .name = "f",
						.file = "",
						.total = 1,
						.child = i + 1 < ARRAY_SIZE(deep) ? i + 1 : 0 };
	cut = draw(&f);
	ck_assert_uint_eq(count(cut, "<title>"), FLAME_DEPTH);
	f.nframes = 0;
	none = draw(&f);
	ck_assert_uint_eq(count(none, "<title>"), 0);
	f.frames = thin;
	f.nframes = ARRAY_SIZE(thin);
	some = draw(&f);
	ck_assert_uint_eq(count(some, "<title>"), 2);
}
END_TEST

CHECK_MAIN("draw/flame", places, colours, hostile, bounds);
