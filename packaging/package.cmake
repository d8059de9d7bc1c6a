# The packages themselves: one .deb and one .rpm, each with all there is.
set(CPACK_PACKAGE_NAME concurrencyd)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_VENDOR "concurrencyd")
set(CONCUR_MAINTAINER "concurrencyd developers <packages@example.org>" CACHE STRING "Who answers for the packages")
set(CPACK_PACKAGE_CONTACT ${CONCUR_MAINTAINER})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "stream-concurrency limiter for edge servers")
set(CPACK_PACKAGE_DESCRIPTION
"Says, at once and exactly, how many streams a user is watching and whether
one more may start: for operators of edge servers who must stop accounts
from being shared without ever refusing a viewer wrongly. The daemon decides
in memory, remembers in an SQLite database and listens on a Unix socket; the
command concur asks it and prints JSON.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/same_times.cmake)

set(DEB_DIR ${CMAKE_CURRENT_SOURCE_DIR}/deb)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
# OpenSSL is loaded where a fleet stands behind TLS, and not linked.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "systemd, libssl3t64 | libssl3")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "jq, sqlite3")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${DEB_DIR}/conffiles ${DEB_DIR}/postinst ${DEB_DIR}/prerm ${DEB_DIR}/postrm)

set(RPM_DIR ${CMAKE_CURRENT_SOURCE_DIR}/rpm)
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_SUMMARY "Stream-concurrency limiter for edge servers")
set(CPACK_RPM_PACKAGE_DESCRIPTION ${CPACK_PACKAGE_DESCRIPTION})
set(CPACK_RPM_PACKAGE_LICENSE "Apache-2.0")
set(CPACK_RPM_PACKAGE_GROUP "System Environment/Daemons")
set(CPACK_RPM_PACKAGE_AUTOREQ ON)
set(CPACK_RPM_PACKAGE_REQUIRES "libssl.so.3()(64bit)")
set(CPACK_RPM_PACKAGE_REQUIRES_PRE "/usr/sbin/useradd")
set(CPACK_RPM_PACKAGE_RELOCATABLE OFF)
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE ${RPM_DIR}/post)
set(CPACK_RPM_PRE_INSTALL_SCRIPT_FILE ${RPM_DIR}/pre)
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE ${RPM_DIR}/preun)
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE ${RPM_DIR}/postun)
set(CPACK_RPM_USER_FILELIST "%config(noreplace) /etc/concurrencyd/concurrencyd.conf")
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
  /usr/lib/systemd /usr/lib/systemd/system /usr/lib/sysusers.d /usr/libexec /usr/share/bash-completion
  /usr/share/bash-completion/completions /usr/share/zsh /usr/share/zsh/site-functions /usr/share/fish
  /usr/share/fish/vendor_completions.d /usr/share/man /usr/share/man/man1 /usr/share/man/man5
  /usr/share/man/man7 /usr/share/man/man8)
# One commit makes one package: nothing of the machine or of the moment goes in.
set(CPACK_RPM_SPEC_MORE_DEFINE
"%define packager ${CONCUR_MAINTAINER}
%define _buildhost localhost
%define use_source_date_epoch_as_buildtime 1
%define clamp_mtime_to_source_date_epoch 1
%define _build_id_links none")

include(CPack)
