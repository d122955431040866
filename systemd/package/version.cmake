# SPDX-License-Identifier: BSD-2-Clause
# cmake -DTOP=DIR -DSUFFIX=TEXT -DHEADER=FILE -DVALUES=FILE -P version.cmake: the version of the tree DIR, as a header of C and as
# variables for cpack (PLOP_VERSION; PLOP_EPOCH, the seconds since 1970 of its commit). Files that say the same are not touched.
#
# The file VERSION has the release that this is, or is to become. Of commits:
#   0.1.0                                  the one with the tag v0.1.0
#   0.1.0+git20261224093000.0123456789ab   after it, as long as VERSION has not been raised
#   0.1.0~git20261130120000.0123456789ab   before it. Packages of later commits are newer, and the release is newer than all
#   ...dirty                               with changes that are not in the commit
# In a tree without git it is what git archive wrote into VERSION; without that, 0.1.0~unknown. A SUFFIX, as of developers' builds,
# stands in place of all that: their programs need not be linked anew at each commit.
cmake_minimum_required(VERSION 3.25)

file(STRINGS ${TOP}/VERSION lines)
list(GET lines 0 release)
list(GET lines 1 commit)

if(EXISTS ${TOP}/.git)
	string(REGEX MATCH "^.Format:(.*).$" format "${commit}")
	set(commit)
	find_program(GIT git)
	if(GIT)
		# With sudo the tree is another user's, whose files are built anyway.
		set(git ${GIT} -c safe.directory=* -C ${TOP})
		execute_process(COMMAND ${git} log -1 --format=${CMAKE_MATCH_1} OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
		execute_process(COMMAND ${git} diff --quiet HEAD -- RESULT_VARIABLE changed ERROR_QUIET)
		set(dirty)
		if(changed)
			set(dirty .dirty)
		endif()
	endif()
endif()

set(version ${release}~unknown)
file(TIMESTAMP ${TOP}/VERSION epoch %s UTC)
if(commit MATCHES "^([0-9]+) ([0-9a-f]+) ?(.*)$")
	set(epoch ${CMAKE_MATCH_1})
	string(SUBSTRING ${CMAKE_MATCH_2} 0 12 hash)
	set(described "${CMAKE_MATCH_3}")
	set(sign "~")
	if(described MATCHES "^v${release}(-[0-9]+-g[0-9a-f]+)?$")
		set(sign "+")
	endif()
	if(described STREQUAL "v${release}" AND NOT dirty)
		set(version ${release})
	else()
		set(saved "$ENV{SOURCE_DATE_EPOCH}")
		set(ENV{SOURCE_DATE_EPOCH} ${epoch})
		string(TIMESTAMP time "%Y%m%d%H%M%S" UTC)
		set(ENV{SOURCE_DATE_EPOCH} "${saved}")
		set(version ${release}${sign}git${time}.${hash}${dirty})
	endif()
endif()
if(SUFFIX)
	set(version ${release}${SUFFIX})
endif()

file(CONFIGURE OUTPUT ${HEADER} @ONLY CONTENT "/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once
#define PLOP_VERSION \"@version@\"
")
file(CONFIGURE OUTPUT ${VALUES} @ONLY CONTENT "set(PLOP_VERSION @version@)
set(PLOP_EPOCH @epoch@)
")
