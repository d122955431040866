/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "python/version.h"

/* No part of a version's file may be missing. */
START_TEST(versions_are_whole)
{
	const struct python_version *v;
	size_t n = 0;
	uint16_t last = 0;

	for (; (v = python_version_at(n)); n++) {
		bool layout = v->layout.frame_link != PLOP_LINK_NONE, offsets = v->offsets.size > 0;

		ck_assert_msg(v->version > last, "%x comes behind %x", v->version, last);
		last = v->version;
		ck_assert_ptr_eq(python_version_find(v->version), v);
		ck_assert_msg(layout != offsets, "%x has not one of layout and offsets",
			      v->version);
		/* layouts are looked at in check_layout.c */
		ck_assert_msg(layout || v->offsets.exact[3].at > 0, "%x lacks exact offsets",
			      v->version);
		ck_assert_msg(v->lines != 0, "%x lacks lines", v->version);
		ck_assert_msg(v->objects.dicts != 0 && v->objects.attributes != 0 &&
				      v->objects.type_flags > 0,
			      "%x lacks objects", v->version);
		ck_assert_msg((v->objects.interp_modules > 0) != (v->objects.debug_modules > 0),
			      "%x does not say where its modules are", v->version);
		ck_assert_msg((v->objects_free_threaded.dicts != 0) == offsets,
			      "%x lacks objects_free_threaded", v->version);
		if (offsets)
			ck_assert_msg(v->objects_free_threaded.debug_modules > 0 &&
					      v->objects_free_threaded.attributes != 0 &&
					      v->objects_free_threaded.type_flags ==
						      v->objects.type_flags + 16,
				      "objects_free_threaded of %x", v->version);
		ck_assert_msg(v->tasks != 0, "%x lacks tasks, if only TASKS_NONE", v->version);
		ck_assert_msg((v->async.gen_frame > 0) == (v->tasks != TASKS_NONE),
			      "%x: tasks and async contradict each other", v->version);
		ck_assert_msg((v->async.task_coro > 0) == (v->tasks == TASKS_BY_TABLE),
			      "%x: where its tasks are, async or the module says", v->version);
	}
	ck_assert_uint_gt(n, 1);
	ck_assert_ptr_null(python_version_find(0));
	ck_assert_ptr_null(python_version_find(last + 1));
	ck_assert_ptr_null(python_version_find(UINT16_MAX));
}
END_TEST

START_TEST(previews_are_not_known)
{
	const struct python_version *v;

	for (size_t i = 0; (v = python_version_at(i)); i++) {
		uint32_t version = (uint32_t)v->version << 16;

		ck_assert_ptr_null(python_version_by_hex(version | 0xa7));
		ck_assert_ptr_null(python_version_by_hex(version | 0xb1));
		ck_assert_ptr_eq(python_version_by_hex(version | 0xc1), v);
		ck_assert_ptr_eq(python_version_by_hex(version | 0x05f0), v);
		ck_assert_ptr_eq(python_version_by_hex(version), v);
	}
}
END_TEST

/* Whether the text says "major.minor", alone or between two others. */
static bool says(const char *text, uint16_t version)
{
	while (*text) {
		unsigned int major, first, last, to;
		int used = 0;

		ck_assert_int_eq(sscanf(text, "%u.%u%n", &major, &first, &used), 2);
		text += used;
		last = first;
		if (sscanf(text, " to %u.%u%n", &to, &last, &used) == 2) {
			ck_assert_uint_eq(to, major);
			ck_assert_uint_lt(first, last);
			text += used;
		}
		if (version >> 8 == major && (version & 0xff) >= first && (version & 0xff) <= last)
			return true;
		if (strncmp(text, " and ", 5) == 0)
			text += 5;
		else if (strncmp(text, ", ", 2) == 0)
			text += 2;
		else
			ck_assert_str_eq(text, "");
	}
	return false;
}

START_TEST(sentences_have_every_version)
{
	char all[PYTHON_VERSIONS_TEXT_MAX], free_threaded[PYTHON_VERSIONS_TEXT_MAX],
		tasks[PYTHON_VERSIONS_TEXT_MAX], without[PYTHON_VERSIONS_TEXT_MAX];

	python_versions_text(PYTHON_CAN_PROFILE, all);
	python_versions_text(PYTHON_CAN_PROFILE_FREE_THREADED, free_threaded);
	python_versions_text(PYTHON_CAN_SHOW_TASKS, tasks);
	python_versions_text(PYTHON_CAN_SHOW_TASKS_FREE_THREADED, without);
	ck_assert(strncmp(all, "2.7 and 3.6 to ", 15) == 0);
	ck_assert_str_eq(without, "3.13");
	for (uint32_t version = 0x0200; version < 0x0500; version++) {
		const struct python_version *v = python_version_find((uint16_t)version);
		struct plop_layout l = { .version = (uint16_t)version };

		ck_assert_int_eq(says(all, l.version), v != NULL);
		ck_assert_int_eq(says(tasks, l.version), async_is_possible(&l));
		l.free_threaded = 1;
		ck_assert_int_eq(says(free_threaded, l.version), object_layout_find(&l) != NULL);
		ck_assert_int_eq(says(without, l.version),
				 async_is_possible(&l) && object_layout_find(&l) != NULL);
	}
}
END_TEST

CHECK_MAIN("python/versions", versions_are_whole, previews_are_not_known,
	   sentences_have_every_version);
