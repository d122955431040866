/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check_main.h"
#include "util/socket.h"

static char folder[] = "/tmp/plop-socket-XXXXXX";
static char path[64], trusted[64], buffer[64];

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/x.sock", folder);
	snprintf(trusted, sizeof(trusted), "%s/x-trusted.sock", folder);
}

static void teardown(void)
{
	ck_assert_int_eq(rmdir(folder), 0);
}

static void bind_to(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	unlink(name);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

START_TEST(the_trusted_one_has_a_name_beside)
{
	ck_assert_int_eq(socket_trusted_path("/a/b.sock", buffer, sizeof(buffer)), 0);
	ck_assert_str_eq(buffer, "/a/b-trusted.sock");
	ck_assert_int_eq(socket_trusted_path("/a/b", buffer, sizeof(buffer)), 0);
	ck_assert_str_eq(buffer, "/a/b-trusted");
	ck_assert_int_eq(socket_trusted_path("/a/b.sock", buffer, 8), -ENAMETOOLONG);
}
END_TEST

START_TEST(a_trusted_one_of_the_same_owner_is_chosen)
{
	bind_to(path);
	unlink(trusted);
	ck_assert_ptr_eq(socket_choose(path, buffer, sizeof(buffer)), path);
	bind_to(trusted);
	ck_assert_str_eq(socket_choose(path, buffer, sizeof(buffer)), trusted);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(trusted, 65533, 65533), 0);
		ck_assert_ptr_eq(socket_choose(path, buffer, sizeof(buffer)), path);
	}
	/* what is no socket is none, wherever it leads */
	ck_assert_int_eq(unlink(trusted), 0);
	ck_assert_int_eq(symlink(path, trusted), 0);
	ck_assert_ptr_eq(socket_choose(path, buffer, sizeof(buffer)), path);
	unlink(trusted);
	unlink(path);
}
END_TEST

CHECK_MAIN_WITH("util/socket", setup, teardown, the_trusted_one_has_a_name_beside,
		a_trusted_one_of_the_same_owner_is_chosen);
