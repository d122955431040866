/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "check_main.h"
#include "proc/process.h"
#include "proc/text.h"
#include "util/clock.h"

START_TEST(reads_itself)
{
	struct process_info p, copy;
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	double now = (double)clock_ns(CLOCK_REALTIME) / 1e9;

	ck_assert_int_gt(n, 0);
	exe[n] = '\0';
	ck_assert_int_eq(prctl(PR_SET_NAME, "a) R (\nb"), 0);
	ck_assert_int_eq(process_info_read(getpid(), NULL, &p), 0);
	ck_assert_int_eq(p.pid, getpid());
	ck_assert_uint_eq(p.uid, getuid());
	ck_assert_str_eq(p.comm, "a) R (\xef\xbf\xbd"
				 "b");
	ck_assert_str_eq(p.exe, exe);
	ck_assert_msg(p.start_time > now - 3600 && p.start_time < now + 1, "started at %f, now %f",
		      p.start_time, now);
	ck_assert_ptr_nonnull(strstr(p.cmdline, "check_proc"));
	ck_assert_int_eq(process_info_copy(&p, &copy), 0);
	process_info_done(&p);
	ck_assert_str_eq(copy.exe, exe);
	process_info_done(&copy);
	ck_assert_ptr_null(copy.exe);
}
END_TEST

/* A child that is what change() makes of it, until its line is closed. */
static uid_t owner_of_child(void (*change)(void))
{
	int line[2];
	uid_t uid = 5;
	pid_t pid;
	char c;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, line), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(line[0]);
		change();
		if (write(line[1], "x", 1) == 1)
			while (read(line[1], &c, 1) > 0)
				;
		_exit(0);
	}
	close(line[1]);
	ck_assert_int_eq(read(line[0], &c, 1), 1);
	ck_assert_int_eq(process_owner(pid, &uid), 0);
	close(line[0]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(process_owner(pid, &uid), -ESRCH);
	return uid;
}

#define SOMEBODY 61001

static void stay(void)
{
}

static void change_dumpable(void)
{
	prctl(PR_SET_DUMPABLE, 0);
}

/* What lost privileges by itself was not started by the one that it is now. */
static void change_all(void)
{
	if (setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0)
		_exit(1);
}

static void change_and_show(void)
{
	change_all();
	prctl(PR_SET_DUMPABLE, 1);
}

static void change_effective(void)
{
	if (setresuid((uid_t)-1, SOMEBODY, (uid_t)-1) < 0)
		_exit(1);
	prctl(PR_SET_DUMPABLE, 1);
}

static void change_all_but_saved(void)
{
	if (setresuid(SOMEBODY, SOMEBODY, 0) < 0)
		_exit(1);
	prctl(PR_SET_DUMPABLE, 1);
}

START_TEST(whose_a_process_is)
{
	uid_t uid = 5;

	ck_assert_int_eq(process_owner(0, &uid), -ESRCH);
	ck_assert_int_eq(process_owner(-1, &uid), -ESRCH);
	ck_assert_uint_eq(uid, 5);
	ck_assert_uint_eq(owner_of_child(stay), getuid());
	if (getuid() != 0) {
		ck_assert_uint_eq(owner_of_child(change_dumpable), PROCESS_NO_UID);
		return;
	}
	ck_assert_uint_eq(owner_of_child(change_all), PROCESS_NO_UID);
	ck_assert_uint_eq(owner_of_child(change_and_show), SOMEBODY);
	ck_assert_uint_eq(owner_of_child(change_effective), PROCESS_NO_UID);
	ck_assert_uint_eq(owner_of_child(change_all_but_saved), PROCESS_NO_UID);
}
END_TEST

START_TEST(labels_of_a_child)
{
	pid_t pid = fork();
	struct process_info p;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execle("/bin/sleep", "sleep", "600", NULL,
		       (char *[]){ (char *)"PLOP_SERVICE=shop", (char *)"DD_VERSION=3", NULL });
		_exit(127);
	}
	/* The environment is the new one as soon as the program is. */
	for (int i = 0; i < 5000; i++) {
		ck_assert_int_eq(process_info_read(pid, NULL, &p), 0);
		if (strstr(p.cmdline, "sleep 600"))
			break;
		process_info_done(&p);
		usleep(1000);
		ck_assert_int_lt(i, 4999);
	}
	ck_assert_str_eq(p.service, "shop");
	ck_assert_str_eq(p.version, "3");
	process_info_done(&p);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(process_info_read(pid, NULL, &p), -ESRCH);
}
END_TEST

START_TEST(paths_that_are_cut)
{
	struct process_info p = process_info_of(1), long_one;

	ck_assert_int_eq(process_info_copy(&p, &long_one), 0);
	ck_assert_uint_eq(process_info_paths(&long_one), 2);
	ck_assert(!process_info_cut(&long_one, 16));
	free(long_one.exe);
	free(long_one.cgroup);
	/* the last but one is a character of two bytes */
	long_one.exe = strdup("/srv/0123456\303\266789");
	long_one.cgroup = strdup("/system.slice/a");
	ck_assert(process_info_cut(&long_one, 16));
	ck_assert_str_eq(long_one.exe, "/srv/0123456" TEXT_CUT);
	ck_assert_str_eq(long_one.cgroup, "/system.slice/a");
	ck_assert_uint_eq(process_info_paths(&long_one), 15 + 15 + 2);
	ck_assert(!process_info_cut(&long_one, 16));
	process_info_done(&long_one);
}
END_TEST

START_TEST(name_of_a_thread)
{
	char *name = NULL;

	ck_assert_int_eq(prctl(PR_SET_NAME, "w\xff\norker 1"), 0);
	ck_assert_int_eq(process_thread_name(getpid(), gettid(), &name), 0);
	ck_assert_str_eq(name, "w\xef\xbf\xbd\xef\xbf\xbdorker 1");
	free(name);
	name = NULL;
	ck_assert_int_eq(prctl(PR_SET_NAME, ""), 0);
	ck_assert_int_eq(process_thread_name(getpid(), gettid(), &name), 0);
	ck_assert_str_eq(name, "");
	free(name);
	name = NULL;
	/* a process that is there, and a thread of another */
	ck_assert_int_eq(process_thread_name(getpid(), 1, &name), -ESRCH);
	ck_assert_int_eq(process_thread_name(0x7ffffff0, 0x7ffffff0, &name), -ESRCH);
	ck_assert_ptr_null(name);
}
END_TEST

/*
 * What is told without a file that the kernel may keep us waiting for agrees with what is told by
 * all of them.
 */
START_TEST(brief_agrees)
{
	struct process_info whole, brief, child, over;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	ck_assert_uint_eq(process_threads(getpid()), 1);
	ck_assert_uint_eq(process_threads(0x7ffffff0), 0);
	ck_assert(process_has_memory(getpid()) && !process_has_memory(0x7ffffff0));
	/* kthreadd */
	ck_assert(!process_has_memory(2));
	ck_assert_int_eq(process_info_read(getpid(), NULL, &whole), 0);
	ck_assert_int_eq(process_info_brief(getpid(), now, &brief), 0);
	ck_assert_int_eq(process_info_child(&whole, 0x7ffffff0, now, true, &child), 0);
	/* of one that is another program by now nothing is read: this is another user's */
	whole.uid++;
	ck_assert_int_eq(process_info_child(&whole, getpid(), now, false, &over), 0);
	ck_assert_uint_eq(over.uid, whole.uid);
	process_info_done(&over);
	ck_assert_int_eq(process_info_child(&whole, getpid(), now, true, &over), 0);
	ck_assert_uint_eq(over.uid, --whole.uid);
	process_info_done(&over);
	ck_assert_str_eq(brief.comm, whole.comm);
	ck_assert_str_eq(brief.cgroup, whole.cgroup);
	ck_assert_uint_eq(brief.uid, whole.uid);
	ck_assert_str_eq(brief.cmdline, "");
	ck_assert_str_eq(brief.exe, "");
	ck_assert_str_eq(child.cmdline, whole.cmdline);
	ck_assert_str_eq(child.service, whole.service);
	ck_assert_int_eq(child.pid, 0x7ffffff0);
	/* it began before now, this test within the minute */
	ck_assert(whole.start_time <= brief.start_time + 0.1 &&
		  brief.start_time < whole.start_time + 60);
	ck_assert_uint_eq(child.start_ticks, brief.start_ticks);
	process_info_done(&brief);
	ck_assert_int_eq(process_info_brief(0x7ffffff0, now, &brief), -ESRCH);
	process_info_done(&whole);
	process_info_done(&child);
}
END_TEST

START_TEST(memory_reader_reads_all_or_nothing)
{
	struct reader r = process_memory_reader(getpid());
	long page = sysconf(_SC_PAGESIZE);
	char *two = mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char to[32];
	uint64_t v, number = 0x1122334455667788;

	ck_assert_ptr_ne(two, MAP_FAILED);
	ck_assert_int_eq(munmap(two + page, (size_t)page), 0);
	memset(two, 'p', (size_t)page);
	ck_assert_int_eq(reader_read(&r, (uintptr_t)(two + page - 16), to, 16), 0);
	ck_assert_int_eq(to[15], 'p');
	ck_assert_int_eq(reader_read(&r, (uintptr_t)(two + page - 16), to, 17), -EFAULT);
	ck_assert_int_eq(reader_read(&r, 0, to, 8), -EFAULT);
	ck_assert_int_eq(reader_read(&r, UINT64_MAX - 3, to, 8), -EFAULT);
	ck_assert_int_eq(reader_read(&r, 0, to, 0), 0);
	ck_assert_int_eq(reader_u64(&r, (uintptr_t)&number, &v), 0);
	ck_assert_uint_eq(v, number);
	r = process_memory_reader(0x7ffffff0);
	ck_assert_int_eq(reader_read(&r, (uintptr_t)two, to, 8), -ESRCH);
	munmap(two, (size_t)page);
}
END_TEST

START_TEST(file_and_bytes_readers)
{
	static const char data[] = "0123456789";
	const struct reader_bytes m = { .data = data, .size = 10, .base = 0x1000 };
	struct reader b = bytes_reader(&m), f;
	int fd = memfd_create("plop-test", MFD_CLOEXEC);
	char to[16];

	ck_assert_int_eq(reader_read(&b, 0x1002, to, 8), 0);
	ck_assert_mem_eq(to, "23456789", 8);
	ck_assert_int_eq(reader_read(&b, 0x1003, to, 8), -EFAULT);
	ck_assert_int_eq(reader_read(&b, 0xfff, to, 1), -EFAULT);
	ck_assert_int_eq(reader_read(&b, UINT64_MAX, to, 2), -EFAULT);
	ck_assert_int_eq(reader_read(&b, 0x100a, to, 0), 0);
	ck_assert_int_eq(write(fd, data, 10), 10);
	f = file_reader(fd);
	ck_assert_int_eq(reader_read(&f, 2, to, 8), 0);
	ck_assert_mem_eq(to, "23456789", 8);
	ck_assert_int_eq(reader_read(&f, 3, to, 8), -EFAULT);
	ck_assert_int_eq(reader_read(&f, UINT64_MAX - 1, to, 8), -EFAULT);
	close(fd);
}
END_TEST

/* Random reads, near one another and over the ends of blocks and of the file. */
START_TEST(blocks_are_the_file)
{
	struct file_blocks blocks;
	unsigned char data[3 * 4096 + 100], to[600];
	int fd = memfd_create("blocks", 0);
	struct reader r = file_blocks_reader(&blocks, fd);
	unsigned int seed = 1;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)rand_r(&seed);
	ck_assert_int_eq(reader_read(&r, 0, to, 1), -EFAULT);
	ck_assert_int_eq(write(fd, data, sizeof(data)), sizeof(data));
	for (int i = 0; i < 20000; i++) {
		size_t size = (size_t)rand_r(&seed) % sizeof(to);
		size_t from = (size_t)rand_r(&seed) % (sizeof(data) + 10);
		bool there;

		if (i % 2)
			from = from / 4096 * 4096 + (size_t)i % 40;
		there = size == 0 || from + size <= sizeof(data);
		ck_assert_int_eq(reader_read(&r, from, to, size), there ? 0 : -EFAULT);
		if (there)
			ck_assert(memcmp(to, data + from, size) == 0);
	}
	ck_assert_int_eq(reader_read(&r, UINT64_MAX - 1, to, 8), -EFAULT);
	ck_assert_int_eq(reader_read(&r, INT64_MAX - 1, to, 8), -EFAULT);
	ck_assert_int_eq(reader_read(&r, 4096, to, 8), 0);
	close(fd);
	/* what was read is kept */
	ck_assert_int_eq(reader_read(&r, 5000, to, 8), 0);
	ck_assert(memcmp(to, data + 5000, 8) == 0);
	ck_assert_int_eq(reader_read(&r, 0x100000, to, 8), -EBADF);
}
END_TEST

static int find_self(pid_t pid, void *ctx)
{
	++*(int *)ctx;
	return pid == getpid() ? 42 : 0;
}

static int count_all(pid_t pid, void *ctx)
{
	ck_assert_int_gt(pid, 0);
	++*(int *)ctx;
	return 0;
}

START_TEST(walks_all_processes)
{
	int n = 0, all = 0;

	ck_assert_int_eq(process_for_each(find_self, &n), 42);
	ck_assert_int_eq(process_for_each(count_all, &all), 0);
	ck_assert_int_ge(all, 2);
	ck_assert_int_ge(n, 1);
}
END_TEST

CHECK_MAIN("proc/process", reads_itself, whose_a_process_is, labels_of_a_child, paths_that_are_cut,
	   name_of_a_thread, brief_agrees, memory_reader_reads_all_or_nothing,
	   file_and_bytes_readers, blocks_are_the_file, walks_all_processes);
