# SPDX-License-Identifier: BSD-2-Clause
# What cpack reads when it packs: the version that the programs were built with, and the time of its commit. To try an upgrade,
# -D CPACK_PLOP_VERSION=V makes a package of another version of the same programs.
include(${CPACK_PLOP_VALUES})
set(CPACK_PACKAGE_VERSION ${PLOP_VERSION})
if(CPACK_PLOP_VERSION)
	set(CPACK_PACKAGE_VERSION ${CPACK_PLOP_VERSION})
endif()
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
	set(ENV{SOURCE_DATE_EPOCH} ${PLOP_EPOCH})
endif()
