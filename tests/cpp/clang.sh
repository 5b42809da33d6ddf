#!/bin/sh
# clang.sh LIBRARY: the headers and the C++ tests as clang reads them, without a warning, and one test built by it and run.
set -eu
command -v clang++ >/dev/null || { echo "clang++ is missing: script/setup" >&2 && exit 1; }
library=$1
cd "$(dirname "$0")"
include=../../include
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wnull-dereference -Wdouble-promotion -Werror'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for header in kprod.h kprod_mock.h; do
    for standard in c99 c11; do
        echo "#include <$header>" | clang -x c "-std=$standard" -fsyntax-only $warnings -I$include -
    done
done
for standard in c++17 c++20; do
    for source in *.cpp; do
        clang++ "-std=$standard" -fsyntax-only $warnings -Wold-style-cast -I$include "$source"
    done
    echo '#include <kprod.hpp>' |
        clang++ -x c++ "-std=$standard" -fno-exceptions -fsyntax-only $warnings -Wold-style-cast -I$include -
done

clang++ -std=c++17 $warnings -I$include sending.cpp -o "$work/sending" "$library" "-Wl,-rpath,${library%/*}" -pthread
"$work/sending"
