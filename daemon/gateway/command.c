/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "util/clock.h"

/* Words of a command. */
#define WORDS_MAX 32
#define LOOK_MS   20

struct command {
	int fd; /* the runner's other end */
	pid_t runner;
	char *text; /* what words are in */
	char *words[WORDS_MAX + 1];
};

/* What the runner says of one run. */
struct result {
	int32_t error, status;
};

/* A file without a name that has the text, to be read from its begin. */
static int text_file(const char *text)
{
	size_t size = strlen(text);
	int fd = memfd_create("plop-notify", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, text, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -EIO;
	}
	return fd;
}

/* Starts it with the file as its standard input, in a process group of its own. */
static int start(char *const words[], int input, pid_t *ret)
{
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	char *environment[] = { path, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	r = words[0] ? -posix_spawn(ret, words[0], &actions, &attributes, words, environment) :
		       -ENOENT;
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return r;
}

/* Waits for the command's end, and ends it and what it started when it takes too long. */
static int await(int fd, pid_t pid, int *ret_status)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + COMMAND_LIMIT_S * NSEC_PER_SEC;

	for (;;) {
		struct pollfd gone = { .fd = fd };
		pid_t ended = waitpid(pid, ret_status, WNOHANG);

		if (ended == pid || (ended < 0 && errno != EINTR))
			return ended == pid ? 0 : -errno;
		/* nobody waits for it any more; or an error, which is as good as a pause */
		if (poll(&gone, 1, LOOK_MS) > 0 || clock_ns(CLOCK_MONOTONIC) > until)
			break;
	}
	kill(-pid, SIGKILL);
	waitpid(pid, ret_status, 0);
	return -ETIMEDOUT;
}

/* The file that plop-gateway sends; -EPIPE: it has ended. */
static int receive_file(int fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {};
	char byte;
	struct iovec part = { .iov_base = &byte, .iov_len = sizeof(byte) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	const struct cmsghdr *c;
	int file;

	while (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != sizeof(byte)) {
		if (errno != EINTR)
			return -EPIPE;
	}
	c = CMSG_FIRSTHDR(&message);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return -EPIPE;
	memcpy(&file, CMSG_DATA(c), sizeof(file));
	return file;
}

/* Does not return: the runner's process. */
_Noreturn static void runner_run(int fd, char *const words[])
{
	int input;

	prctl(PR_SET_NAME, "plop-notify");
	/* what plop-gateway listens on, perhaps */
	if (dup3(fd, STDERR_FILENO + 1, O_CLOEXEC) >= 0 || fd == STDERR_FILENO + 1)
		fd = STDERR_FILENO + 1;
	(void)syscall(SYS_close_range, STDERR_FILENO + 2, UINT32_MAX, 0);
	while ((input = receive_file(fd)) >= 0) {
		struct result result = {};
		int status = 0;
		pid_t pid;

		result.error = start(words, input, &pid);
		close(input);
		if (result.error == 0)
			result.error = await(fd, pid, &status);
		result.status = status;
		if (send(fd, &result, sizeof(result), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

static void part_words(struct command *c)
{
	size_t n = 0;

	for (char *word, *rest = c->text; rest && n < WORDS_MAX && (word = strsep(&rest, " \t"));) {
		if (*word)
			c->words[n++] = word;
	}
}

int command_new(const char *words, struct command **ret)
{
	_cleanup_(command_freep) struct command *c = calloc(1, sizeof(*c));
	int ends[2];

	if (!c)
		return -ENOMEM;
	c->fd = -EBADF;
	c->text = strdup(words);
	if (!c->text)
		return -ENOMEM;
	part_words(c);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	c->runner = fork();
	if (c->runner == 0) {
		close(ends[0]);
		runner_run(ends[1], c->words);
	}
	c->fd = ends[0];
	close(ends[1]);
	if (c->runner < 0)
		return -errno;
	*ret = TAKE_PTR(c);
	return 0;
}

static int send_file(int fd, int file)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {};
	char byte = 0;
	struct iovec part = { .iov_base = &byte, .iov_len = sizeof(byte) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(file));
	memcpy(CMSG_DATA(c), &file, sizeof(file));
	return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int command_run(struct command *c, const char *input, int *ret_status)
{
	_cleanup_close_ int file = text_file(input);
	struct result result;
	ssize_t n;
	int r = file < 0 ? file : send_file(c->fd, file);

	if (r < 0)
		return r == -EPIPE ? -ECANCELED : r;
	do
		n = recv(c->fd, &result, sizeof(result), 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(result))
		return -ECANCELED;
	*ret_status = result.status;
	return result.error;
}

const char *command_name(const struct command *c)
{
	return c->words[0] ? c->words[0] : "";
}

void command_cancel(struct command *c)
{
	shutdown(c->fd, SHUT_RDWR);
}

void command_free(struct command *c)
{
	if (!c)
		return;
	closep(&c->fd);
	if (c->runner > 0)
		waitpid(c->runner, NULL, 0);
	free(c->text);
	free(c);
}
