/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "examiner/private.h"
#include "util/log.h"

/* Helpers that there can be, given up or not. */
#define CHILDREN_MAX 64

struct child {
	uint32_t serial;
	pid_t pid; /* 0: this place is free */
};

struct spawner {
	int fd;
	int signals;
	struct child children[CHILDREN_MAX];
};

static void tell(const struct spawner *s, uint32_t serial, pid_t pid)
{
	struct spawner_message m = { .serial = serial, .pid = (int32_t)pid };

	/* whoever does not listen has ended, which recvmsg() will tell */
	(void)!send(s->fd, &m, sizeof(m), MSG_NOSIGNAL);
}

static void reap(struct spawner *s)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		for (size_t i = 0; i < CHILDREN_MAX; i++) {
			if (s->children[i].pid != pid)
				continue;
			s->children[i].pid = 0;
			tell(s, s->children[i].serial, 0);
		}
	}
}

static void fork_helper(struct spawner *s, uint32_t serial, int fd)
{
	struct child *place = NULL;
	pid_t pid, parent = getpid();

	for (size_t i = 0; i < CHILDREN_MAX && !place; i++) {
		if (s->children[i].pid == 0)
			place = &s->children[i];
	}
	pid = place ? fork() : -1;
	if (pid < 0) {
		/*
		 * its end of the socket is closed with the message: plopd sees that there is no
		 * helper
		 */
		tell(s, serial, 0);
		return;
	}
	if (pid > 0) {
		*place = (struct child){ .serial = serial, .pid = pid };
		tell(s, serial, pid);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	prctl(PR_SET_NAME, "plopd-helper");
	if (helper_begin(fd, serial == 1) < 0)
		_exit(1);
	serve_run();
}

static void kill_helper(const struct spawner *s, uint32_t serial)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (s->children[i].pid && s->children[i].serial == serial) {
			kill(s->children[i].pid, SIGKILL);
			return;
		}
	}
	/* it had ended before plopd gave it up, which may have been told too early */
	tell(s, serial, 0);
}

/* One order. -EPIPE: plopd has ended. */
static int obey(struct spawner *s)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct spawner_message m;
	struct iovec part = { .iov_base = &m, .iov_len = sizeof(m) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	const struct cmsghdr *c;
	ssize_t n = recvmsg(s->fd, &message, MSG_CMSG_CLOEXEC);
	int fd = -EBADF;

	if (n < 0 && errno == EINTR)
		return 0;
	if (n != sizeof(m))
		return -EPIPE;
	c = CMSG_FIRSTHDR(&message);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	if (m.order == SPAWNER_FORK && fd >= 0)
		fork_helper(s, m.serial, fd);
	else if (m.order == SPAWNER_KILL)
		kill_helper(s, m.serial);
	if (fd >= 0)
		close(fd);
	return 0;
}

/*
 * SIGCHLD alone is of interest; Ctrl-C and systemd's SIGTERM, which go to all of plopd's processes,
 * are plopd's to deal with.
 */
static int signals_take(void)
{
	sigset_t mask;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	if (sigprocmask(SIG_SETMASK, &mask, NULL) < 0)
		return -errno;
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

/*
 * Leaves helpers what reading others' memory and files takes, of what plopd has (capabilities(7)).
 * Before Linux 5.9 CAP_SYS_ADMIN was what CAP_CHECKPOINT_RESTORE is for /proc/PID/map_files since.
 */
static void capabilities_limit(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	int own = prctl(PR_CAPBSET_READ, CAP_CHECKPOINT_RESTORE) < 0 ? CAP_SYS_ADMIN :
								       CAP_CHECKPOINT_RESTORE;
	const int kept[] = { CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, own };
	uint32_t mask[_LINUX_CAPABILITY_U32S_3] = {};

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		mask[CAP_TO_INDEX(kept[i])] |= CAP_TO_MASK(kept[i]);
	if (syscall(SYS_capget, &head, sets) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		sets[i].effective &= mask[i];
		sets[i].permitted &= mask[i];
		sets[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, sets) < 0)
		log_debug_r(-errno, "Helpers keep all capabilities of plopd");
}

void spawner_run(int fd)
{
	struct spawner s = { .fd = fd, .signals = signals_take() };
	struct pollfd polled[] = { { .fd = fd, .events = POLLIN },
				   { .fd = s.signals, .events = POLLIN } };
	struct signalfd_siginfo info;

	prctl(PR_SET_NAME, "plopd-spawner");
	capabilities_limit();
	while (s.signals >= 0) {
		if (poll(polled, ARRAY_SIZE(polled), -1) < 0 && errno != EINTR)
			break;
		if (polled[1].revents) {
			while (read(s.signals, &info, sizeof(info)) > 0)
				;
			reap(&s);
		}
		if (polled[0].revents && obey(&s) < 0)
			break;
	}
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (s.children[i].pid)
			kill(s.children[i].pid, SIGKILL);
	}
	_exit(0);
}

int spawner_fork(struct examiner *e, uint32_t serial, int fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct spawner_message m = { .order = SPAWNER_FORK, .serial = serial };
	struct iovec part = { .iov_base = &m, .iov_len = sizeof(m) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(e->spawner, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

void spawner_kill(struct examiner *e, uint32_t serial)
{
	struct spawner_message m = { .order = SPAWNER_KILL, .serial = serial };

	if (send(e->spawner, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EPIPE &&
	    errno != ECONNRESET)
		seldom_warn(&e->not_given_up, -errno, "Cannot give up a helper");
}
