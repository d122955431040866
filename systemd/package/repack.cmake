# SPDX-License-Identifier: BSD-2-Clause
# Run by cpack when it has packed: a .deb is packed again by Debian's own tool, as cpack writes the umask of whoever runs it into the archive.
cmake_minimum_required(VERSION 3.25)
if(CPACK_GENERATOR STREQUAL DEB)
	set(folder ${CPACK_TOPLEVEL_DIRECTORY}/repacked)
	foreach(package IN LISTS CPACK_PACKAGE_FILES)
		file(REMOVE_RECURSE ${folder})
		execute_process(COMMAND dpkg-deb --raw-extract ${package} ${folder} COMMAND_ERROR_IS_FATAL ANY)
		execute_process(COMMAND dpkg-deb --root-owner-group -Zgzip --build ${folder} ${package} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
	endforeach()
endif()
