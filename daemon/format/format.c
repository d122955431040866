/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/format.h"

#include "format/encoders.h"

const struct format formats[] = {
	{ "pprof", "application/octet-stream", "pb.gz", true, pprof_encode },
	{ "collapsed", "text/plain; charset=utf-8", "collapsed", false, collapsed_encode },
	{ "speedscope", "application/json", "speedscope.json", false, speedscope_encode },
	{ "plop", "text/plain; charset=utf-8", "plop", false, plop_encode },
	{ "json", "application/json", "json", false, json_encode },
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
	return "pprof, collapsed, speedscope, plop, json";
}
