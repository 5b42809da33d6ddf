# The headers' functions, the version map's, those that the shared library exports (each with its version) and those
# that the archive shows are the same; and the shared library is linked as it should be.
function(run output)
    execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
    set(${output} "${text}" PARENT_SCOPE)
endfunction()

# same(WHAT ACTUAL EXPECTED): two lists of names.
function(same what actual expected)
    list(SORT actual)
    list(SORT expected)
    if(NOT actual STREQUAL expected)
        message(FATAL_ERROR "${what} has\n${actual}\nand the version map lists\n${expected}")
    endif()
endfunction()

# NAME and NAME@@NODE of all that the map lists, and its nodes.
set(names)
set(versioned)
set(nodes)
file(STRINGS ${MAP} lines)
foreach(line IN LISTS lines)
    if(line MATCHES "^(KPROD_[A-Z0-9_.]+) ")
        set(node ${CMAKE_MATCH_1})
        list(APPEND nodes ${node})
    elseif(line MATCHES "^ +(kprod_[a-z_]+)")
        list(APPEND names ${CMAKE_MATCH_1})
        list(APPEND versioned ${CMAKE_MATCH_1}@@${node})
    endif()
endforeach()

run(declared ${AWK} -f ${FUNCTIONS} ${HEADERS})
string(REGEX MATCHALL "[^\n]+" declared "${declared}")
same("The headers together" "${declared}" "${names}")

run(dynamic ${NM} -D --defined-only --format=posix ${SHARED})
string(REGEX MATCHALL "[^\n ]+ [A-Za-z] " exported "${dynamic}")
list(TRANSFORM exported REPLACE " [A-Za-z] $" "")
# The nodes themselves are symbols too.
list(APPEND versioned ${nodes})
list(TRANSFORM exported REPLACE "^(KPROD_[^@]*)@@.*$" "\\1")
same("${SHARED}" "${exported}" "${versioned}")

run(archive ${NM} --defined-only --extern-only --format=posix ${STATIC})
string(REGEX MATCHALL "[^\n ]+ [A-Za-z] " visible "${archive}")
list(TRANSFORM visible REPLACE " [A-Za-z] $" "")
same("${STATIC}" "${visible}" "${names}")

run(header ${READELF} -d ${SHARED})
foreach(property "soname: \\[libkprod\\.so\\.[0-9]+\\]" "NODELETE" "NOW")
    if(NOT header MATCHES "${property}")
        message(FATAL_ERROR "${SHARED} lacks ${property}:\n${header}")
    endif()
endforeach()
if(header MATCHES "RPATH|RUNPATH|TEXTREL")
    message(FATAL_ERROR "${SHARED} has what it should not:\n${header}")
endif()
