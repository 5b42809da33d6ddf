# Installs the built library to a prefix of its own, as a package would be, and lets projects find it there.
set(stage ${BUILD}/consumer)
set(prefix ${stage}/prefix)
file(REMOVE_RECURSE ${stage})

function(run)
    execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})

# What the installed programs must say.
function(expect_version program)
    execute_process(COMMAND ${program} OUTPUT_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
    if(NOT said STREQUAL "libkprod ${VERSION}\n")
        message(FATAL_ERROR "${program} said: ${said}")
    endif()
endfunction()

# find_package, shared and static.
run(${CMAKE_COMMAND} -S ${SOURCE}/tests/consumer/find_package -B ${stage}/find_package -G ${GENERATOR}
    -DCMAKE_PREFIX_PATH=${prefix})
run(${CMAKE_COMMAND} --build ${stage}/find_package)
expect_version(${stage}/find_package/consumer_shared)
expect_version(${stage}/find_package/consumer_static)

# The examples, as an installed package's user builds them.
run(${CMAKE_COMMAND} -S ${prefix}/share/kprod/examples -B ${stage}/examples -G ${GENERATOR}
    -DCMAKE_PREFIX_PATH=${prefix})
run(${CMAKE_COMMAND} --build ${stage}/examples)

# pkg-config, shared and static, from the prefix after it was moved.
set(moved ${stage}/moved)
file(RENAME ${prefix} ${moved})
run(${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${moved}/${LIBDIR}/pkgconfig
    sh ${SOURCE}/tests/consumer/pkg_config/build.sh ${SOURCE}/tests/consumer/consumer.c ${stage})
set(ENV{LD_LIBRARY_PATH} ${moved}/${LIBDIR})
expect_version(${stage}/pkg_config_shared)
unset(ENV{LD_LIBRARY_PATH})
expect_version(${stage}/pkg_config_static)
