/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "examiner/examiner.h"

/*
 * A helper reads targets, and may run by then what one of them wants: what it answers is taken only
 * if it could be an answer.
 */
struct message {
	struct python_process python;
	struct process_info info; /* texts: static */
};

static void set_texts(struct message *m, char *text)
{
	char **texts[] = PROCESS_INFO_TEXTS(&m->info);

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		*texts[i] = text;
}

static struct message good(void)
{
	struct message m = { .python = { .verdict = PYTHON_YES, .version = "3.11.2" },
			     .info = { .made = PROCESS_FORKED } };

	ck_assert_int_eq(layout_by_version(0x030b02f0, &m.python.layout), 0);
	set_texts(&m, (char *)"text");
	return m;
}

/* What plopd makes of it. */
static int answered(struct message *m)
{
	char **texts[] = PROCESS_INFO_TEXTS(&m->info);
	_cleanup_buf_ struct buf b = {};
	struct python_process python = {};
	struct process_info info = {};
	struct unpack body;
	int r;

	pack_bytes(&b, &m->python, sizeof(m->python));
	pack_bytes(&b, &m->info, sizeof(m->info));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		pack_text(&b, *texts[i]);
	body = (struct unpack){ .data = b.data, .size = b.size };
	r = examined_process(&body, &python, &info);
	if (r < 0)
		ck_assert(python.verdict == PYTHON_NO && !info.comm);
	process_info_done(&info);
	return r;
}

START_TEST(what_is_said_of_a_process_comes_back)
{
	struct message m = good();

	ck_assert_int_eq(answered(&m), 0);
	/* of one that is known already nothing is said */
	set_texts(&m, NULL);
	ck_assert_int_eq(answered(&m), 0);
}
END_TEST

START_TEST(what_nobody_says_is_refused)
{
	struct message m = good();

	m.python.verdict = PYTHON_SILENT;
	ck_assert_int_eq(answered(&m), -EBADMSG);
	m = good();
	m.info.made = (enum process_made)77;
	ck_assert_int_eq(answered(&m), -EBADMSG);
	m = good();
	memset(&m.python.starting, 2, 1);
	ck_assert_int_eq(answered(&m), -EBADMSG);
	m = good();
	memset(&m.info.overwritten, 0x80, 1);
	ck_assert_int_eq(answered(&m), -EBADMSG);
	m = good();
	m.python.layout.frame_len = UINT16_MAX;
	ck_assert_int_eq(answered(&m), -EBADMSG);
	/* which nobody walks by */
	m.python.verdict = PYTHON_UNSUPPORTED;
	ck_assert_int_eq(answered(&m), 0);
	m = good();
	memset(m.python.why, 'x', sizeof(m.python.why));
	ck_assert_int_eq(answered(&m), -EBADMSG);
	m = good();
	m.info.cgroup = NULL;
	ck_assert_int_eq(answered(&m), -EBADMSG);
}
END_TEST

CHECK_MAIN("examiner/answers", what_is_said_of_a_process_comes_back, what_nobody_says_is_refused);
