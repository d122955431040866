# SPDX-License-Identifier: BSD-2-Clause
# Run by cpack between installing and packing: what a package has and `cmake --install` has not.
cmake_minimum_required(VERSION 3.25)
set(here ${CPACK_PLOP_TOP}/systemd/package)
set(stage ${CPACK_TEMPORARY_INSTALL_DIRECTORY})
set(doc ${stage}/usr/share/doc/plop)

# compress(FILE...): without a name or time inside
function(compress)
	execute_process(COMMAND gzip -9nf ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# changelog(FORM FILE): CHANGELOG.md as a package manager's own
function(changelog form file)
	string(TIMESTAMP now "%Y-%m-%d %H:%M:%S" UTC)
	execute_process(COMMAND awk -v form=${form} -v version=${CPACK_PACKAGE_VERSION} -v now=${now} -v who=${CPACK_PACKAGE_CONTACT}
		-f ${here}/changelog.awk ${CPACK_PLOP_TOP}/CHANGELOG.md OUTPUT_FILE ${file} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(GLOB pages ${stage}/usr/share/man/man*/*.[1-9])
compress(${pages})
# It may hold a token. Whoever installs gives it to group plop.
file(CHMOD ${stage}/etc/plop/plop.conf PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
file(GLOB programs ${stage}/usr/bin/plop* ${stage}/usr/sbin/plop* ${stage}/usr/libexec/plop/*)
execute_process(COMMAND strip --remove-section=.comment --remove-section=.note ${programs} COMMAND_ERROR_IS_FATAL ANY)

if(CPACK_GENERATOR STREQUAL DEB)
	file(COPY_FILE ${here}/deb/copyright ${doc}/copyright)
	changelog(deb ${doc}/changelog)
	compress(${doc}/changelog)
	file(MAKE_DIRECTORY ${stage}/usr/share/lintian/overrides)
	file(COPY_FILE ${here}/deb/lintian-overrides ${stage}/usr/share/lintian/overrides/plop)
	file(CHMOD ${doc}/copyright ${doc}/changelog.gz ${stage}/usr/share/lintian/overrides/plop
		PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
else()
	file(MAKE_DIRECTORY ${stage}/usr/share/licenses/plop)
	file(COPY_FILE ${here}/deb/copyright ${stage}/usr/share/licenses/plop/copyright)
	file(CHMOD ${stage}/usr/share/licenses/plop/copyright PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
	changelog(rpm ${CPACK_RPM_CHANGELOG_FILE})
endif()

# Whoever packs may have an umask that others could not use what is installed with.
execute_process(COMMAND find ${stage} -type d -exec chmod 755 {} + COMMAND_ERROR_IS_FATAL ANY)
