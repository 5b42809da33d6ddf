# What `cpack` makes: the Debian packages libkprod0 and libkprod-dev, and an archive of everything. script/package
# chooses the layout and the linker for each.
set(KPROD_NOTICES "" CACHE FILEPATH "The licences of what is linked in, to be installed with it")
set(KPROD_ZIG "" CACHE FILEPATH "Zig, to link the shared library for another glibc than this machine's")
set(KPROD_GLIBC 2.28 CACHE STRING "The oldest glibc for a library that is linked with Zig")

# Only this link decides which versions of glibc's functions are needed. GCC's unwinder is named by its file, for Zig
# has another one of the same name.
if(KPROD_ZIG)
    execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=libgcc_s.so.1
        OUTPUT_VARIABLE libgcc_s OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    set(zig_target ${CMAKE_SYSTEM_PROCESSOR}-linux-gnu.${KPROD_GLIBC})
    set(CMAKE_C_CREATE_SHARED_LIBRARY "${KPROD_ZIG} cc -target ${zig_target} -shared <LINK_FLAGS> \
-Wl,-soname,<TARGET_SONAME> -o <TARGET> <OBJECTS> ${libgcc_s} -lpthread -lm -ldl -lc")
endif()

# What a plain cpack makes.
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_NAME libkprod)
set(CPACK_PACKAGE_VENDOR libkprod)
set(CPACK_PACKAGE_CONTACT "libkprod <libkprod@localhost>" CACHE STRING "Who maintains the packages")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Kafka producer as a C library")
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime dev)

set(CPACK_ARCHIVE_COMPONENT_INSTALL OFF)
string(TOLOWER "${CMAKE_SYSTEM_NAME}" system)
set(CPACK_PACKAGE_FILE_NAME libkprod-${PROJECT_VERSION}-${system}-${CMAKE_SYSTEM_PROCESSOR})
if(KPROD_ZIG)
    string(APPEND CPACK_PACKAGE_FILE_NAME -glibc${KPROD_GLIBC})
endif()

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(runtime_package libkprod${PROJECT_VERSION_MAJOR})
set(about "libkprod sends records to Apache Kafka and reports for each of them what became
of it. It has a C interface with stable, versioned symbols, and needs no JVM.")

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME ${runtime_package})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA
    ${CMAKE_CURRENT_BINARY_DIR}/debian/symbols ${CMAKE_CURRENT_BINARY_DIR}/debian/triggers)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "${about}")

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libkprod-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
    "${runtime_package} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}), libc6-dev")
set(CPACK_COMPONENT_DEV_DESCRIPTION "${about}
.
This package has what is needed to build programs with it: headers, the static
library, kprod.pc and a CMake package.")

# Which version of the package a program needs that uses a symbol: the one that its node is named after. The mock
# cluster's functions are promised for no other version than this.
set(symbols "libkprod.so.${PROJECT_VERSION_MAJOR} ${runtime_package} #MINVER#\n")
file(STRINGS ${version_map} lines)
foreach(line IN LISTS lines)
    if(line MATCHES "^(KPROD_[A-Z0-9_.]+) ")
        set(node ${CMAKE_MATCH_1})
        set(since ${PROJECT_VERSION})
        if(node MATCHES "^KPROD_([0-9.]+)$")
            set(since ${CMAKE_MATCH_1})
        endif()
        string(APPEND symbols " ${node}@${node} ${since}\n")
    elseif(line MATCHES "^ +(kprod_[a-z_]+)")
        string(APPEND symbols " ${CMAKE_MATCH_1}@${node} ${since}\n")
    endif()
endforeach()
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/debian/symbols "${symbols}")

file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/debian/triggers "activate-noawait ldconfig\n")

# What each Debian package has in its directory of documents.
function(debian_documents package component)
    install(FILES ${changelog} ${debian_changelog} DESTINATION share/doc/${package} COMPONENT ${component})
    install(FILES ${KPROD_NOTICES} DESTINATION share/doc/${package} RENAME copyright COMPONENT ${component})
endfunction()

if(KPROD_DEBIAN)
    find_program(GZIP gzip REQUIRED)
    set(changelog ${CMAKE_CURRENT_BINARY_DIR}/debian/changelog.gz)
    set(debian_changelog ${CMAKE_CURRENT_BINARY_DIR}/debian/changelog.Debian.gz)
    string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/debian/changelog.Debian
        "libkprod (${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n"
        "  * This version; see changelog.gz.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${now}\n")
    configure_file(CHANGELOG.md ${CMAKE_CURRENT_BINARY_DIR}/debian/changelog COPYONLY)
    execute_process(COMMAND ${GZIP} -9nf changelog changelog.Debian
        WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/debian COMMAND_ERROR_IS_FATAL ANY)
    debian_documents(${runtime_package} runtime)
    debian_documents(libkprod-dev dev)
elseif(KPROD_NOTICES)
    install(FILES ${KPROD_NOTICES} DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
endif()

include(CPack)
