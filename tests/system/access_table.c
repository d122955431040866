/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints what can be asked of plopd, from its own tables, as JSON: for a test that must know all of
 * it.
 */
#include "plopd/routes.h"

int main(void)
{
	json_t *routes = json_array(), *all;

	for (size_t i = 0; i < plopd_nroutes; i++)
		json_array_append_new(routes, json_pack("{s:s s:s s:b s:i}", "method",
							plopd_routes[i].method, "path",
							plopd_routes[i].path, "open",
							(int)plopd_routes[i].open, "needs",
							(int)plopd_routes[i].needs));
	all = json_pack("{s:o s:s s:s}", "routes", routes, "selectors", selector_keys(), "formats",
			format_names());
	if (!all || json_dumpf(all, stdout, JSON_INDENT(1)) < 0)
		return EXIT_FAILURE;
	json_decref(all);
	return EXIT_SUCCESS;
}
