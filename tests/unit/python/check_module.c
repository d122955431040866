/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "check_main.h"
#include "python/module.h"

static const struct {
	const char *file, *module;
} rows[] = {
	/* packages that were installed */
	{ "/srv/venv/lib/python3.13/site-packages/flask/app.py", "flask" },
	{ "/srv/venv/lib/python3.13/site-packages/flask/json/provider.py", "flask" },
	{ "/usr/lib/python3/dist-packages/apt/__init__.py", "apt" },
	{ "/usr/local/lib/python3.14t/site-packages/six.py", "six" },
	{ "/usr/lib64/python2.7/site-packages/google/cloud/storage.py", "google" },
	{ "/opt/x/site-packages//yaml/__init__.py", "yaml" },
	{ "/opt/x/site-packages/__main__.py", "__main__" },
	/* the last such folder counts */
	{ "/usr/lib/python3.11/site-packages/tool/site-packages/inner/a.py", "inner" },
	/* the standard library */
	{ "/usr/lib/python3.11/asyncio/base_events.py", "asyncio" },
	{ "/usr/local/lib/python3.13/threading.py", "threading" },
	{ "<frozen importlib._bootstrap>", "importlib" },
	{ "<frozen runpy>", "runpy" },
	{ "<frozen >", "" },
	/* archives */
	{ "/usr/lib/python311.zip/json/decoder.py", "json" },
	{ "/srv/shop-1.2-py3.11.egg/shop/views.py", "shop" },
	{ "/srv/app.pyz/__main__.py", "app" },
	{ "/srv/app.pyz/lib/site-packages/click/core.py", "click" },
	{ "/srv/app.pex/main.py", "main" },
	/* what lies in none of these */
	{ "/srv/app/main.py", "main" },
	{ "main.py", "main" },
	{ "/srv/app/shop/__init__.py", "shop" },
	{ "/srv/app/shop/__main__.py", "shop" },
	{ "__main__.py", "__main__" },
	{ "/usr/bin/tool", "tool" },
	{ "src/lxml/etree.pyx", "etree" },
	{ "/srv/python3/app.py", "app" },
	{ "/usr/lib/pythons/app.py", "app" },
	{ "/usr/lib/python/app.py", "app" },
	{ "/srv/app/.py", ".py" },
	/* a folder of packages is none as the last part, which is the file */
	{ "/srv/site-packages", "site-packages" },
	{ "/srv/data.zip", "data.zip" },
	{ "/srv/\xc3\xbc/\xc3\xa4.py", "\xc3\xa4" },
	/* what tells nothing */
	{ "<string>", "" },
	{ "<stdin>", "" },
	{ "<frozen", "" },
	{ "", "" },
	{ "/", "" },
	{ "///", "" },
};

START_TEST(paths_in_packages)
{
	static const struct {
		const char *file, *path;
	} of[] = {
		{ "/srv/venv/lib/python3.13/site-packages/flask/json/provider.py",
		  "flask/json/provider.py" },
		{ "/usr/lib/python3.11/asyncio/base_events.py", "asyncio/base_events.py" },
		{ "/usr/lib/python3.11/site-packages/tool/site-packages/inner/a.py", "inner/a.py" },
		{ "/opt/x/site-packages//six.py", "six.py" },
		{ "/srv/app/main.py", NULL },
		{ "/srv/site-packages", NULL },
		{ "<frozen runpy>", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		const char *path = python_packaged(of[i].file);

		ck_assert_pstr_eq(path, of[i].path);
	}
}
END_TEST

START_TEST(files)
{
	char module[PLOP_MAX_MODULE];

	memset(module, 'x', sizeof(module));
	python_module(rows[_i].file, module);
	ck_assert_msg(strcmp(module, rows[_i].module) == 0, "%s: %s, not %s", rows[_i].file, module,
		      rows[_i].module);
}
END_TEST

/* One that fits is told, one that is a byte longer is not, and no more than that. */
START_TEST(maximum)
{
	char file[2 * PLOP_MAX_MODULE + 32], module[PLOP_MAX_MODULE + 1];

	module[PLOP_MAX_MODULE] = 'x';
	for (int size = PLOP_MAX_MODULE - 2; size <= 2 * PLOP_MAX_MODULE; size++) {
		snprintf(file, sizeof(file), "/site-packages/%0*d/a.py", size, 0);
		python_module(file, module);
		ck_assert_uint_eq(strlen(module), size < PLOP_MAX_MODULE ? (size_t)size : 0);
		snprintf(file, sizeof(file), "<frozen %0*d>", size, 0);
		python_module(file, module);
		ck_assert_uint_eq(strlen(module), size < PLOP_MAX_MODULE ? (size_t)size : 0);
	}
	ck_assert_int_eq(module[PLOP_MAX_MODULE], 'x');
}
END_TEST

CHECK_LOOPS("python/module", NULL, NULL, { files, 0, ARRAY_SIZE(rows) }, { maximum, 0, 1 },
	    { paths_in_packages, 0, 1 });
