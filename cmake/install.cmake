# What `cmake --install` puts where. Component runtime: what a program needs to run; dev: to be built.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/kprod)
install(TARGETS kprod kprod_static EXPORT kprodTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
# `cmake --install --strip` leaves archives alone, and most of this one is debugging information.
install(CODE "
    if(CMAKE_INSTALL_DO_STRIP)
        file(GLOB archive \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/libkprod.a\")
        execute_process(COMMAND \"${CMAKE_STRIP}\" --strip-debug \${archive} COMMAND_ERROR_IS_FATAL ANY)
    endif()" COMPONENT dev)
install(FILES include/kprod.h include/kprod_mock.h include/kprod.hpp
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
install(DIRECTORY include/kprod DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
install(EXPORT kprodTargets NAMESPACE kprod:: DESTINATION ${package_dir} COMPONENT dev)

configure_package_config_file(cmake/kprodConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/kprodConfig.cmake
    INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break the API.
set(compatibility SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
    set(compatibility SameMinorVersion)
endif()
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/kprodConfigVersion.cmake
    COMPATIBILITY ${compatibility})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/kprodConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/kprodConfigVersion.cmake
    DESTINATION ${package_dir} COMPONENT dev)

# Relative to the .pc file itself, so that `cmake --install --prefix` and DESTDIR leave it right.
set(pc_dir ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pc_to_prefix ${pc_dir} ${CMAKE_INSTALL_PREFIX})
file(RELATIVE_PATH pc_to_libdir ${pc_dir} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH pc_to_includedir ${pc_dir} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
foreach(path pc_to_prefix pc_to_libdir pc_to_includedir)
    string(REGEX REPLACE "/$" "" ${path} "${${path}}")
endforeach()
list(TRANSFORM system_libraries PREPEND -l OUTPUT_VARIABLE pc_libs_private)
list(JOIN pc_libs_private " " pc_libs_private)
configure_file(cmake/kprod.pc.in ${CMAKE_CURRENT_BINARY_DIR}/kprod.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/kprod.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

option(KPROD_DEBIAN "Leave the documents to the Debian packages" OFF)
if(NOT KPROD_DEBIAN)
    install(FILES LICENSE CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
endif()
install(DIRECTORY examples-c/ DESTINATION ${CMAKE_INSTALL_DATADIR}/kprod/examples COMPONENT dev)
