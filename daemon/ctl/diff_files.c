/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/diff_files.h"

#include "ctl/ctl.h"
#include "diff/diff.h"
#include "format/decode.h"
#include "format/format.h"
#include "util/log.h"

/* whole: all files of a side, added up. */
static int add_file(const struct diff_reader *reader, const char *path, struct diff_windows *to,
		    struct profile *whole)
{
	_cleanup_buf_ struct buf b = { .limit = DECODE_BYTES };
	char why[DECODE_WHY_MAX] = "";
	struct decoded d = {};
	int r = reader->read(path, &b, reader->ctx);

	if (r == 0)
		r = profile_decode(b.data ? b.data : "", b.size, &d, why);
	if (r == 0) {
		to->wall |= d.wall;
		to->weights |= d.weights;
		to->whole = true;
		r = diff_windows_add(to, d.profile);
		if (r == 0)
			r = diff_windows_close(to);
		if (r == 0)
			r = profile_merge(whole, d.profile);
		profile_free(d.profile);
	}
	if (r == -E2BIG || r == -EFBIG)
		log_error("diff: %s is larger than %u MB", path, DECODE_BYTES >> 20);
	else if (r < 0 && r != -ECANCELED)
		log_error("diff: cannot read %s: %s", path, *why ? why : strerror(-r));
	return r;
}

static int add_files(const struct diff_reader *reader, const char *const *paths, size_t n,
		     struct diff_windows **ret, struct profile **ret_whole)
{
	int r = diff_windows_new(ret);

	if (r == 0)
		r = profile_new(0, 0, ret_whole);

	if (r < 0)
		log_error("diff: %s", strerror(-r));
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_file(reader, paths[i], *ret, *ret_whole);
	return r;
}

static json_t *answer_of(const struct diff *d)
{
	_cleanup_buf_ struct buf b = {};
	struct json_writer w = json_writer_on(&b);

	json_put_object(&w, NULL);
	diff_put(d, &w);
	json_put_end(&w);
	return json_writer_done(&w) < 0 ? NULL : json_loadb(b.data, b.size, 0, NULL);
}

static json_t *tree_of(const struct profile *p)
{
	_cleanup_buf_ struct buf b = {};

	return format_find("tree")->encode(p, &b) < 0 ? NULL : json_loadb(b.data, b.size, 0, NULL);
}

static int make_trees(const struct profile *base, const struct profile *new, json_t *ret[2])
{
	json_t *one = tree_of(base), *two = one ? tree_of(new) : NULL;

	if (!two) {
		json_decref(one);
		return -ENOMEM;
	}
	ret[0] = one;
	ret[1] = two;
	return 0;
}

json_t *diff_files(const struct diff_reader *reader, const char *const *base, size_t nbase,
		   const char *const *new, size_t nnew, json_t *ret_trees[2])
{
	_cleanup_(diff_windows_freep) struct diff_windows *one = NULL, *two = NULL;
	_cleanup_(profile_freep) struct profile *before = NULL, *after = NULL;
	_cleanup_(diff_freep) struct diff *d = NULL;
	struct compare_options options = compare_defaults;
	json_t *answer = NULL;
	int r = add_files(reader, base, nbase, &one, &before);

	if (r == 0)
		r = add_files(reader, new, nnew, &two, &after);
	if (r < 0)
		return NULL;
	options.alone = DIFF_ALONE;
	r = diff_new((const struct diff_windows *const[SIDES]){ one, two }, &options, &d);
	if (r == 0)
		answer = answer_of(d);
	if (answer && ret_trees && make_trees(before, after, ret_trees) < 0) {
		json_decref(answer);
		answer = NULL;
	}
	if (!answer)
		log_error("diff: %s", strerror(r < 0 ? -r : ENOMEM));
	return answer;
}
