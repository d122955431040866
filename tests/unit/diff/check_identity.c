/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "diff/identity.h"

static const struct {
	const char *file, *identity;
} rows[] = {
	/* packages, wherever they lie */
	{ "/srv/venv/lib/python3.13/site-packages/flask/app.py", "flask/app.py" },
	{ "/srv/v2/lib/python3.14t/site-packages/flask/v2/app.py", "flask/v2/app.py" },
	{ "/usr/lib/python3.11/asyncio/events.py", "asyncio/events.py" },
	/* releases beside each other */
	{ "/srv/releases/20261129/shop/views.py", "/srv/releases/shop/views.py" },
	{ "/srv/releases/2026-11-29_12.30/shop/views.py", "/srv/releases/shop/views.py" },
	{ "/srv/shop/v2/views.py", "/srv/shop/views.py" },
	{ "/srv/shop/1.4.0/views.py", "/srv/shop/views.py" },
	{ "/srv/shop-1.4.0/views.py", "/srv/shop/views.py" },
	{ "/srv/shop-web-v1.4/views.py", "/srv/shop-web/views.py" },
	{ "/srv/shop@0a1b2c3/views.py", "/srv/shop/views.py" },
	{ "/srv/0a1b2c3d4e5f60718293a4b5c6d7e8f901234567/shop/views.py", "/srv/shop/views.py" },
	{ "1.0/views.py", "/views.py" },
	{ "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-shop-1.4/views.py",
	  "/nix/store/shop/views.py" },
	/* what only looks like a version */
	{ "/srv/shop/views.py", "/srv/shop/views.py" },
	{ "/srv/shop/facade/views.py", "/srv/shop/facade/views.py" },
	{ "/srv/shop/deadbeef/views.py", "/srv/shop/deadbeef/views.py" },
	{ "/srv/shop/0a1b2c/views.py", "/srv/shop/0a1b2c/views.py" },
	{ "/srv/v/views.py", "/srv/v/views.py" },
	{ "/srv/1..2/views.py", "/srv/1..2/views.py" },
	{ "/srv/-1/views.py", "/srv/-1/views.py" },
	{ "/srv/py3/views.py", "/srv/py3/views.py" },
	{ "/other/store/0123456789abcdfghijklmnpqrsvwxyz-shop/views.py",
	  "/other/store/0123456789abcdfghijklmnpqrsvwxyz-shop/views.py" },
	/* the file's own name is its name */
	{ "/srv/shop/v2", "/srv/shop/v2" },
	{ "/srv/shop/0001-first.py", "/srv/shop/0001-first.py" },
	{ "1.0", "1.0" },
	/* odd ones */
	{ "//srv///1.0//views.py", "/srv/views.py" },
	{ "/", "/" },
	{ "", "" },
	{ "<string>", "<string>" },
	{ "<frozen importlib._bootstrap/1.0/x>", "<frozen importlib._bootstrap/1.0/x>" },
};

START_TEST(files)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t room = strlen(rows[i].file) + 1;
		/* exactly as much as is asked for, so that a sanitizer sees one byte more */
		_cleanup_free_ char *identity = malloc(room);

		ck_assert_ptr_nonnull(identity);
		identity_of(rows[i].file, identity);
		ck_assert_str_eq(identity, rows[i].identity);
	}
}
END_TEST

CHECK_MAIN("diff/identity", files);
