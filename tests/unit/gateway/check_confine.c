/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check_main.h"
#include "gateway/command.h"
#include "gateway/confine.h"

/*
 * A folder with what plop-gateway reads, "state/plop.db", what it writes, "ship", and what is none
 * of its business, "other/file".
 */
static char folder[64];
static struct config *config;

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void put_file(const char *name)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void set(const char *section, const char *key, const char *value)
{
	_cleanup_free_ char *error = NULL;

	ck_assert_int_eq(config_set(config, section, key, value, &error), 0);
}

static void begin(void)
{
	/* not in a folder that all may read, such as /run */
	snprintf(folder, sizeof(folder), "/tmp/check-confine-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	for (const char *const *name =
		     (const char *const[]){ "lib", "lib/state", "ship", "other", NULL };
	     *name; name++)
		ck_assert_int_eq(mkdir(path_of(*name), 0700), 0);
	put_file("lib/state/plop.db");
	put_file("other/file");
	ck_assert_int_eq(config_new(&config), 0);
	set("plopd", "state_dir", path_of("lib/state"));
	set("fleet", "state_dir", path_of("ship"));
}

static void end(void)
{
	config_free(config);
	for (const char *const *name =
		     (const char *const[]){ "lib/state/plop.db", "other/file", "ship/made", NULL };
	     *name; name++)
		unlink(path_of(*name));
	for (const char *const *name =
		     (const char *const[]){ "lib/state", "lib", "ship", "other", "", NULL };
	     *name; name++)
		rmdir(path_of(*name));
}

/* What is tried by one who is confined: an error, or 0. */
typedef int (*attempt_t)(const char *name);

static int confined(bool asks, attempt_t attempt, const char *name)
{
	struct gateway_confinement c;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		gateway_confine_anyway(config, asks, &c);
		/* a number that no error has */
		syscall(SYS_exit_group, c.calls < 0 || c.files < 0 ? 200 : -attempt(name));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int open_as(const char *name, int flags)
{
	int fd = open(*name == '/' ? name : path_of(name), flags | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : 0;
}

static int reads(const char *name)
{
	return open_as(name, O_RDONLY);
}

static int writes(const char *name)
{
	return open_as(name, O_WRONLY);
}

static int makes(const char *name)
{
	return open_as(name, O_WRONLY | O_CREAT);
}

static int runs(const char *name)
{
	return execl(name, name, NULL) < 0 ? -errno : 0;
}

static int forks(const char *name)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) < 0 ? -errno : 0;
}

static int asks_the_network(const char *name)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? -errno : 0;
}

static int asks_plopd(const char *name)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? -errno : 0;
}

static int makes_code(const char *name)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static void *nothing(void *ctx)
{
	return NULL;
}

static int has_threads(const char *name)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, nothing, NULL);

	return r ? -r : -pthread_join(thread, NULL);
}

/* Landlock may be missing: Linux 5.10, or a kernel without it. */
static bool has_landlock(void)
{
	bool has = confined(false, reads, "/dev/null") != 200;

	if (!has)
		printf("not tested: this kernel has no Landlock, or no filters of calls\n");
	return has;
}

START_TEST(files_are_those_that_it_needs)
{
	if (!has_landlock())
		return;
	ck_assert_int_eq(confined(false, reads, "lib/state/plop.db"), 0);
	ck_assert_int_eq(confined(false, writes, "lib/state/plop.db"), EACCES);
	ck_assert_int_eq(confined(false, reads, "other/file"), EACCES);
	ck_assert_int_eq(confined(false, makes, "other/made"), EACCES);
	ck_assert_int_eq(confined(false, reads, "/etc/hosts"), 0);
	ck_assert_int_eq(confined(false, reads, "/proc/1/status"), EACCES);
	/* it ships nothing */
	ck_assert_int_eq(confined(false, makes, "ship/made"), EACCES);
	set("fleet", "store", "clickhouse=http://127.0.0.1:8123/plop");
	ck_assert_int_eq(confined(true, makes, "ship/made"), 0);
	/* a file that plop.conf names, and what lies in its place later */
	set("fleet", "ca_file", path_of("other/file"));
	ck_assert_int_eq(confined(true, reads, "other/file"), 0);
	ck_assert_int_eq(confined(true, writes, "other/file"), EACCES);
}
END_TEST

START_TEST(calls_are_those_that_it_makes)
{
	if (!has_landlock())
		return;
	ck_assert_int_eq(confined(false, runs, "/bin/true"), EPERM);
	ck_assert_int_eq(confined(false, forks, NULL), EPERM);
	ck_assert_int_eq(confined(false, has_threads, NULL), 0);
	ck_assert_int_eq(confined(false, makes_code, NULL), EPERM);
	ck_assert_int_eq(confined(false, asks_plopd, NULL), 0);
	ck_assert_int_eq(confined(false, asks_the_network, NULL), EPERM);
	ck_assert_int_eq(confined(true, asks_the_network, NULL), 0);
}
END_TEST

START_TEST(what_is_missing_is_said)
{
	char text[CONFINEMENT_TEXT];
	struct gateway_confinement c = { .landlock = 4 };

	gateway_confinement_say(&c, text);
	ck_assert_str_eq(text, "confined to its files (Landlock 4) and its system calls");
	c.files = -ENOSYS;
	gateway_confinement_say(&c, text);
	ck_assert_str_eq(
		text, "confined to its system calls, not its files: this kernel has no Landlock");
	c.calls = -EPERM;
	gateway_confinement_say(&c, text);
	ck_assert_str_eq(text, "not confined: this kernel has no Landlock, and seccomp fails: "
			       "Operation not permitted");
	c.files = 0;
	gateway_confinement_say(&c, text);
	ck_assert_str_eq(text, "confined to its files, not its system calls: seccomp fails: "
			       "Operation not permitted");
	c.unwanted = "PLOP_CONFINE=no";
	gateway_confinement_say(&c, text);
	ck_assert_str_eq(text, "not confined: PLOP_CONFINE=no");
}
END_TEST

/* The command of [notify], run by one who can run nothing. */
static int tells(const char *name)
{
	struct gateway_confinement c;
	struct command *command;
	int status = -1, r = command_new(name, &command);

	if (r < 0)
		return r;
	gateway_confine_anyway(config, false, &c);
	r = command_run(command, "{}", &status);
	command_free(command);
	return r < 0 ? r : status;
}

START_TEST(its_command_is_run_for_it)
{
	const struct {
		const char *words;
		int result;
	} commands[] = { { "/bin/true", 0 },
			 { "/bin/false", 1 << 8 },
			 { "/usr/bin/test -n \t word", 0 },
			 { "/no/such/program", -ENOENT },
			 { "  ", -ENOENT } };

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			syscall(SYS_exit_group,
				tells(commands[i].words) == commands[i].result ? 0 : 1);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(status == 0, "%s: %x", commands[i].words, (unsigned int)status);
	}
}
END_TEST

static void *cancels(void *ctx)
{
	const struct timespec moment = { .tv_nsec = 50000000 };

	nanosleep(&moment, NULL);
	command_cancel(ctx);
	return NULL;
}

START_TEST(its_command_ends_with_it)
{
	struct command *command;
	pthread_t thread;
	int status;

	ck_assert_int_eq(command_new("/bin/sleep 1000", &command), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, cancels, command), 0);
	ck_assert_int_eq(command_run(command, "{}", &status), -ECANCELED);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(command_run(command, "{}", &status), -ECANCELED);
	/* waits until it has killed what it ran */
	command_free(command);
}
END_TEST

CHECK_MAIN_WITH("gateway/confine", begin, end, files_are_those_that_it_needs,
		calls_are_those_that_it_makes, what_is_missing_is_said, its_command_is_run_for_it,
		its_command_ends_with_it);
