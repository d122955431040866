/* SPDX-License-Identifier: BSD-2-Clause */
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check_main.h"
#include "examiner/examiner.h"
#include "examiner/private.h"
#include "util/clock.h"

#define PAGE 4096
/* As long as a test may wait for what comes in a moment. */
#define DEADLINE_NS (40 * NSEC_PER_SEC)
/* What the examiners here take for silence. It is looked twice at one that is silent. */
#define STILL_USEC (100 * USEC_PER_MSEC)

struct answer {
	bool come;
	int result;
	uint64_t after_ns; /* the answer took */
	enum python_verdict verdict;
};

static uint64_t asked_ns;

static void note(void *ctx, int result, struct unpack *body)
{
	struct answer *a = ctx;

	ck_assert(!a->come);
	a->come = true;
	a->result = result;
	a->after_ns = clock_ns(CLOCK_MONOTONIC) - asked_ns;
}

static void note_process(void *ctx, int result, struct unpack *body)
{
	struct answer *a = ctx;
	struct python_process p = { .verdict = PYTHON_SILENT };
	struct process_info info = {};

	note(ctx, result, body);
	if (result == 0)
		ck_assert_int_eq(examined_process(body, &p, &info), 0);
	a->verdict = p.verdict;
	process_info_done(&info);
}

static void run_until(sd_event *loop, const bool *come)
{
	uint64_t limit = clock_ns(CLOCK_MONOTONIC) + DEADLINE_NS;

	while (!*come) {
		ck_assert_int_ge(sd_event_run(loop, 100 * USEC_PER_MSEC), 0);
		ck_assert_uint_lt(clock_ns(CLOCK_MONOTONIC), limit);
	}
}

static void ask_process(struct examiner *e, pid_t pid, struct answer *a)
{
	struct examinee who = { .pid = pid };
	struct buf nothing = {};

	*a = (struct answer){};
	asked_ns = clock_ns(CLOCK_MONOTONIC);
	examiner_ask(e, EXAMINE_PROCESS, &who, &nothing, note_process, a);
	ck_assert(!a->come);
}

/*
 * A process with a page whose faults nobody answers, not even the kernel's. -EPERM: this user may
 * not have such.
 */
static pid_t silent_process(uint64_t *ret_page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int ends[2];
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				  -1, 0);
		int fd = (int)syscall(SYS_userfaultfd, 0);
		uint64_t address = (uint64_t)(uintptr_t)page;

		range.range.start = address;
		range.range.len = PAGE;
		if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 ||
		    ioctl(fd, UFFDIO_REGISTER, &range) < 0)
			address = 0;
		(void)!write(ends[1], &address, sizeof(address));
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ends[0], ret_page, sizeof(*ret_page)), sizeof(*ret_page));
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static void ask_page(struct examiner *e, pid_t pid, uint64_t page, struct answer *a)
{
	struct examinee who = { .pid = pid, .user = 4711 };
	const struct plop_frame frame = { .code = page, .fingerprint = 1 };
	struct plop_layout l;
	struct buf request = {};

	ck_assert_int_eq(layout_by_version(0x030b00f0, &l), 0);
	examine_code(&request, &l, NULL, 0, 0, &frame, 1);
	*a = (struct answer){};
	asked_ns = clock_ns(CLOCK_MONOTONIC);
	examiner_ask(e, EXAMINE_CODE, &who, &request, note, a);
}

static sd_event *loop;
static struct examiner *examiner;

static void begin(void)
{
	ck_assert_int_eq(examiner_new(&examiner), 0);
	examiner->still_usec = STILL_USEC;
	ck_assert_int_ge(sd_event_new(&loop), 0);
	ck_assert_int_ge(examiner_start(examiner, loop), 0);
}

static void end(void)
{
	examiner_free(examiner);
	sd_event_unref(loop);
}

START_TEST(answers_come_later)
{
	struct answer self, gone;

	ask_process(examiner, getpid(), &self);
	ask_process(examiner, 0x7ffffff0, &gone);
	ck_assert_uint_eq(examiner_pending(examiner), 2);
	run_until(loop, &self.come);
	run_until(loop, &gone.come);
	ck_assert_int_eq(self.result, 0);
	ck_assert_int_eq(self.verdict, PYTHON_NO);
	ck_assert_int_eq(gone.verdict, PYTHON_GONE);
	ck_assert_uint_eq(examiner_pending(examiner), 0);
}
END_TEST

START_TEST(one_helper_stays)
{
	struct examiner_facts facts;
	struct answer answers[2];
	uint64_t limit;

	/* another is not forked for what the first has in a moment */
	examiner->fork_usec = DEADLINE_NS / 1000;
	ask_process(examiner, getpid(), &answers[0]);
	ask_process(examiner, getppid(), &answers[1]);
	run_until(loop, &answers[0].come);
	run_until(loop, &answers[1].come);
	examiner_facts(examiner, &facts);
	ck_assert_uint_eq(facts.helpers, 2);
	examiner->fork_usec = 0;
	ask_process(examiner, getpid(), &answers[0]);
	ask_process(examiner, getppid(), &answers[1]);
	run_until(loop, &answers[0].come);
	run_until(loop, &answers[1].come);
	examiner_facts(examiner, &facts);
	ck_assert_uint_eq(facts.helpers, 3);
	examiner->idle_usec = 50 * USEC_PER_MSEC;
	ask_process(examiner, getpid(), &answers[0]);
	ask_process(examiner, getppid(), &answers[1]);
	run_until(loop, &answers[0].come);
	run_until(loop, &answers[1].come);
	limit = clock_ns(CLOCK_MONOTONIC) + DEADLINE_NS;
	/* the spawner and one */
	while (facts.helpers != 2) {
		ck_assert_int_ge(sd_event_run(loop, 100 * USEC_PER_MSEC), 0);
		ck_assert_uint_lt(clock_ns(CLOCK_MONOTONIC), limit);
		examiner_facts(examiner, &facts);
	}
	/* the other comes again when it is wanted */
	ask_process(examiner, getpid(), &answers[0]);
	ask_process(examiner, getppid(), &answers[1]);
	run_until(loop, &answers[0].come);
	run_until(loop, &answers[1].come);
	ck_assert(answers[0].result == 0 && answers[1].result == 0);
}
END_TEST

START_TEST(all_is_answered_at_the_end)
{
	struct answer answers[100];

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		ask_process(examiner, getpid(), &answers[i]);
	examiner_free(TAKE_PTR(examiner));
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		ck_assert(answers[i].come);
		ck_assert_int_eq(answers[i].result, -ECANCELED);
	}
}
END_TEST

START_TEST(one_that_does_not_answer_is_given_up)
{
	struct answer silent, other;
	struct examiner_facts f;
	uint64_t page, limit = clock_ns(CLOCK_MONOTONIC) + DEADLINE_NS;
	pid_t pid = silent_process(&page);

	if (page == 0) {
		printf("not tested: this user may not leave the kernel's page faults unanswered "
		       "(userfaultfd(2))\n");
	} else {
		ask_page(examiner, pid, page, &silent);
		ask_process(examiner, getpid(), &other);
		run_until(loop, &other.come);
		ck_assert(!silent.come);
		run_until(loop, &silent.come);
		ck_assert_int_eq(silent.result, -ETIMEDOUT);
		ck_assert_uint_ge(silent.after_ns, 18 * STILL_USEC / 10 * 1000);
		ask_process(examiner, getpid(), &other);
		run_until(loop, &other.come);
		ck_assert_int_eq(other.result, 0);
		/* it could be killed */
		do {
			ck_assert_int_ge(sd_event_run(loop, 100 * USEC_PER_MSEC), 0);
			ck_assert_uint_lt(clock_ns(CLOCK_MONOTONIC), limit);
			examiner_facts(examiner, &f);
		} while (f.given_up > 0);
		ck_assert_uint_eq(f.timeouts, 1);
		ck_assert(!examiner_distrusts(examiner, 4711));
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

/*
 * As one does whom what it reads leads astray. By a signal that no sanitizer catches: one that is
 * caught ends no helper that waits for memory.
 */
START_TEST(one_that_dies_is_replaced)
{
	struct answer silent, other;
	uint64_t page;
	pid_t pid = silent_process(&page);

	if (page == 0) {
		printf("not tested: this user may not leave the kernel's page faults unanswered "
		       "(userfaultfd(2))\n");
	} else {
		uint64_t limit = clock_ns(CLOCK_MONOTONIC) + DEADLINE_NS;
		const struct helper *h = &examiner->helpers[LANE_TICKS][0];

		examiner->still_usec = DEADLINE_NS / 1000;
		ask_page(examiner, pid, page, &silent);
		/* until the spawner has told of it */
		while (h->pid == 0) {
			ck_assert_int_ge(sd_event_run(loop, 100 * USEC_PER_MSEC), 0);
			ck_assert_uint_lt(clock_ns(CLOCK_MONOTONIC), limit);
		}
		ck_assert(!silent.come);
		kill(h->pid, SIGKILL);
		run_until(loop, &silent.come);
		ck_assert_int_eq(silent.result, -ETIMEDOUT);
		ask_process(examiner, getpid(), &other);
		run_until(loop, &other.come);
		ck_assert_int_eq(other.result, 0);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

/* So many wait that they are not left to one. */
START_TEST(many_have_two_helpers)
{
	struct answer answers[LANE_PATIENT + 2];
	struct examiner_facts facts;

	examiner->fork_usec = DEADLINE_NS / 1000;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		ask_process(examiner, i % 2 ? getpid() : getppid(), &answers[i]);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		run_until(loop, &answers[i].come);
	examiner_facts(examiner, &facts);
	ck_assert_uint_eq(facts.helpers, 3);
}
END_TEST

/* With all helpers of a lane but one, others have the last. */
START_TEST(a_user_who_does_it_again_has_one_helper)
{
	struct answer silent[5], other;
	uint64_t page[5];
	pid_t pids[5];

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = silent_process(&page[i]);
	for (size_t i = 0; i < 3 && page[0]; i++) {
		ask_page(examiner, pids[i], page[i], &silent[i]);
		run_until(loop, &silent[i].come);
	}
	if (page[0]) {
		ck_assert(examiner_distrusts(examiner, 4711));
		for (size_t i = 3; i < ARRAY_SIZE(pids); i++)
			ask_page(examiner, pids[i], page[i], &silent[i]);
		ask_process(examiner, getpid(), &other);
		run_until(loop, &other.come);
		/* before even the first of those was given up */
		ck_assert(!silent[3].come);
		for (size_t i = 3; i < ARRAY_SIZE(pids); i++) {
			run_until(loop, &silent[i].come);
			ck_assert_int_eq(silent[i].result, -ETIMEDOUT);
		}
	} else {
		printf("not tested: this user may not leave the kernel's page faults unanswered "
		       "(userfaultfd(2))\n");
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
}
END_TEST

/* An account that is kept by the test. */
struct kept {
	enum examiner_credit credit; /* of user 4711, all others have any */
	unsigned int refused;
	uint64_t spent_ns;
};

static enum examiner_credit kept_credit(void *ctx, uid_t user)
{
	return user == 4711 ? ((struct kept *)ctx)->credit : EXAMINER_CREDIT_EASY;
}

static void kept_refused(void *ctx, uid_t user)
{
	ck_assert_uint_eq(user, 4711);
	((struct kept *)ctx)->refused++;
}

static void kept_spent(void *ctx, uid_t user, uint64_t ns)
{
	if (user == 4711)
		((struct kept *)ctx)->spent_ns += ns;
}

static void ask_for(uid_t user, bool on_house, struct answer *a)
{
	struct examinee who = { .pid = getpid(), .user = user, .on_house = on_house };
	struct buf nothing = {};

	*a = (struct answer){};
	examiner_ask(examiner, EXAMINE_PROCESS, &who, &nothing, note_process, a);
	run_until(loop, &a->come);
}

START_TEST(what_a_user_costs_is_told)
{
	struct kept kept = {};
	const struct examiner_account account = { kept_credit, kept_refused, kept_spent, &kept };
	struct answer answer;
	uint64_t before;

	examiner_keep_account(examiner, &account);
	ask_for(4711, false, &answer);
	ck_assert_int_eq(answer.result, 0);
	/* a process was looked at, so it took some microseconds, and no second */
	ck_assert_uint_gt(kept.spent_ns, 1000);
	ck_assert_uint_lt(kept.spent_ns, NSEC_PER_SEC);
	before = kept.spent_ns;
	ask_for(4712, false, &answer);
	ask_for(4711, true, &answer);
	ck_assert_uint_eq(kept.spent_ns, before);
}
END_TEST

START_TEST(without_credit_nothing_is_asked)
{
	struct kept kept = { .credit = EXAMINER_CREDIT_NONE };
	const struct examiner_account account = { kept_credit, kept_refused, kept_spent, &kept };
	struct answer answer;

	examiner_keep_account(examiner, &account);
	ask_for(4711, false, &answer);
	ck_assert_int_eq(answer.result, -EAGAIN);
	ck_assert_uint_eq(kept.refused, 1);
	ck_assert(examiner_distrusts(examiner, 4711) && !examiner_distrusts(examiner, 4712));
	ask_for(4712, false, &answer);
	ck_assert_int_eq(answer.result, 0);
	ask_for(4711, true, &answer);
	ck_assert_int_eq(answer.result, 0);
	kept.credit = EXAMINER_CREDIT_TIGHT;
	ask_for(4711, false, &answer);
	ck_assert_int_eq(answer.result, 0);
	ck_assert_uint_eq(kept.refused, 1);
	ck_assert(examiner_distrusts(examiner, 4711));
}
END_TEST

CHECK_MAIN_WITH("examiner/examiner", begin, end, answers_come_later, one_helper_stays,
		many_have_two_helpers, all_is_answered_at_the_end,
		one_that_does_not_answer_is_given_up, one_that_dies_is_replaced,
		what_a_user_costs_is_told, without_credit_nothing_is_asked,
		a_user_who_does_it_again_has_one_helper);
