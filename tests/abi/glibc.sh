#!/bin/sh
# glibc.sh LIBRARY FLOOR: the library needs no glibc newer than FLOOR, and no library but glibc's and GCC's.
set -eu
library=$1 floor=$2
newest=$(LC_ALL=C objdump -T "$library" | sed -n 's/.*[( ]GLIBC_\([0-9.]*\)[) ].*/\1/p' | sort -V | tail -n 1)
if [ -z "$newest" ]; then
    echo "glibc.sh: $library names no version of glibc" >&2
    exit 1
fi
if [ "$(printf '%s\n%s\n' "$newest" "$floor" | sort -V | tail -n 1)" != "$floor" ]; then
    echo "glibc.sh: $library needs glibc $newest, which is newer than $floor:" >&2
    LC_ALL=C objdump -T "$library" | grep -F "GLIBC_$newest" >&2
    exit 1
fi
others=$(LC_ALL=C objdump -p "$library" | sed -n 's/^ *NEEDED *//p' |
    grep -vE '^(lib(c|m|dl|pthread|rt)\.so\.[0-9]+|libgcc_s\.so\.1|ld-linux[-a-z0-9_]*\.so\.[0-9])$' || true)
if [ -n "$others" ]; then
    echo "glibc.sh: $library needs what a user may not have: $others" >&2
    exit 1
fi
echo "$library: glibc $newest"
