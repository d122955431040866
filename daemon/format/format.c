/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/format.h"

#include "format/encoders.h"

/*
 * pprof's views put functions of one name, such as <module>, into one node, but for -filefunctions.
 */
const struct format formats[] = {
	{ "pprof", "application/octet-stream", "pb.gz", true, false,
	  "go tool pprof -http=: -filefunctions", pprof_encode },
	{ "collapsed", "text/plain; charset=utf-8", "collapsed", false, false, "flamegraph.pl",
	  collapsed_encode },
	{ "speedscope", "application/json", "speedscope.json", false, false, "npx speedscope",
	  speedscope_encode },
	{ "plop", "text/plain; charset=utf-8", "plop", false, false, NULL, plop_encode },
	{ "json", "application/json", "json", false, true, NULL, json_encode },
	{ "tree", "application/json", "tree.json", false, true, NULL, tree_encode },
	{ "svg", "image/svg+xml", "svg", false, true, "xdg-open", svg_encode },
	{ "html", "text/html; charset=utf-8", "html", false, true, "xdg-open", html_encode },
	{ "top", "text/plain; charset=utf-8", "top.txt", false, true, NULL, top_encode },
};
const size_t nformats = ARRAY_SIZE(formats);

const struct format *format_find(const char *name)
{
	for (size_t i = 0; i < nformats; i++)
		if (streq(formats[i].name, name))
			return &formats[i];
	return NULL;
}

const char *format_names(void)
{
	return "pprof, collapsed, speedscope, plop, json, tree, svg, html, top";
}

const struct format *format_by_ending(const char *path)
{
	/* Of two that fit the longer one, which stands first. */
	static const struct {
		const char *ending, *format;
	} endings[] = {
		{ ".pb.gz", "pprof" },
		{ ".pprof", "pprof" },
		{ ".collapsed", "collapsed" },
		{ ".folded", "collapsed" },
		{ ".top.txt", "top" },
		{ ".txt", "collapsed" },
		{ ".speedscope.json", "speedscope" },
		{ ".tree.json", "tree" },
		{ ".json", "json" },
		{ ".plop", "plop" },
		{ ".svg", "svg" },
		{ ".html", "html" },
	};
	size_t size = strlen(path);

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		size_t n = strlen(endings[i].ending);

		if (size >= n && strcasecmp(path + size - n, endings[i].ending) == 0)
			return format_find(endings[i].format);
	}
	return NULL;
}

const char *format_endings(void)
{
	return ".pb.gz, .pprof, .collapsed, .folded, .top.txt, .txt, .speedscope.json, .tree.json, "
	       ".json, "
	       ".plop";
}
