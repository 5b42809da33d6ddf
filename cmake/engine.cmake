# Compiles the engine and prelinks it into one object, KPROD_OBJECT, in which only the public functions are visible.
find_program(KPROD_CARGO cargo HINTS "$ENV{HOME}/.cargo/bin" REQUIRED)

if(NOT "$ENV{CARGO_TARGET_DIR}" STREQUAL "")
    set(target_dir "$ENV{CARGO_TARGET_DIR}")
else()
    set(target_dir "${CMAKE_CURRENT_BINARY_DIR}/cargo")
endif()
if(KPROD_CARGO_PROFILE STREQUAL "dev")
    set(profile_dir debug)
else()
    set(profile_dir ${KPROD_CARGO_PROFILE})
endif()

# For another machine: its name for Rust, beside CMake's own settings for cross compiling.
set(KPROD_RUST_TARGET "" CACHE STRING "What cargo compiles for, if not for this machine: aarch64-unknown-linux-gnu")
set(cargo ${KPROD_CARGO})
set(cargo_target)
set(built ${target_dir}/${profile_dir}/libkprod.a)
if(KPROD_RUST_TARGET)
    set(cargo ${CMAKE_COMMAND} -E env TARGET_CC=${CMAKE_C_COMPILER} TARGET_AR=${CMAKE_AR} ${KPROD_CARGO})
    set(cargo_target --target ${KPROD_RUST_TARGET})
    set(built ${target_dir}/${KPROD_RUST_TARGET}/${profile_dir}/libkprod.a)
endif()

# Everything but this crate's sources is pinned by Cargo.lock.
file(GLOB_RECURSE engine_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/*.rs)
set(engine_archive ${CMAKE_CURRENT_BINARY_DIR}/engine/libkprod-engine.a)
add_custom_command(
    OUTPUT ${engine_archive}
    # As a staticlib alone: a crate that is also an rlib loses fat LTO.
    COMMAND ${cargo} rustc --profile ${KPROD_CARGO_PROFILE} --locked --lib --crate-type staticlib --features heap
            --manifest-path ${CMAKE_CURRENT_SOURCE_DIR}/Cargo.toml --target-dir ${target_dir} ${cargo_target}
    COMMAND ${CMAKE_COMMAND} -E copy ${built} ${engine_archive}
    DEPENDS ${engine_sources} ${CMAKE_CURRENT_SOURCE_DIR}/Cargo.toml ${CMAKE_CURRENT_SOURCE_DIR}/Cargo.lock
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    COMMENT "Compiling the engine (cargo, profile ${KPROD_CARGO_PROFILE})"
    USES_TERMINAL VERBATIM)

# The public functions, as the version map lists them: what the linker keeps, and all that stays visible.
set(version_map ${CMAKE_CURRENT_SOURCE_DIR}/cmake/kprod.map)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${version_map})
file(STRINGS ${version_map} map_lines REGEX "^ +kprod_[a-z_]+;$")
set(public_functions)
set(undefined_options)
foreach(line ${map_lines})
    string(REGEX MATCH "kprod_[a-z_]+" function "${line}")
    list(APPEND public_functions ${function})
    list(APPEND undefined_options -u ${function})
endforeach()
set(public_list ${CMAKE_CURRENT_BINARY_DIR}/engine/public-functions)
string(REPLACE ";" "\n" public_lines "${public_functions}")
file(GENERATE OUTPUT ${public_list} CONTENT "${public_lines}\n")

# Groups are dissolved: their members become local here, and a second library made with Rust must not displace them.
# The second pass drops what the first one left unused: weak references that objcopy would turn into ones that must be
# met, also for the other objects of a program.
# The bitcode of Rust's standard library was needed until now, and joined into one object it confuses LLVM's tools.
set(KPROD_OBJECT ${CMAKE_CURRENT_BINARY_DIR}/engine/kprod.o)
add_custom_command(
    OUTPUT ${KPROD_OBJECT}
    COMMAND ${CMAKE_LINKER} -r --gc-sections --force-group-allocation ${undefined_options}
            -o ${KPROD_OBJECT}.all ${engine_archive}
    COMMAND ${CMAKE_LINKER} -r -o ${KPROD_OBJECT} ${KPROD_OBJECT}.all
    COMMAND ${CMAKE_COMMAND} -E rm ${KPROD_OBJECT}.all
    COMMAND ${CMAKE_OBJCOPY} --keep-global-symbols=${public_list}
            --remove-section=.llvmbc --remove-section=.llvmcmd ${KPROD_OBJECT}
    DEPENDS ${engine_archive} ${version_map} ${public_list}
    COMMENT "Prelinking the engine"
    VERBATIM)
# One target runs the commands, so that the two libraries do not run them at the same time.
add_custom_target(kprod_engine DEPENDS ${KPROD_OBJECT})
