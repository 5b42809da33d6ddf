#!/bin/sh
# Compares the header, and a built library, with the baseline of an earlier version: what was there must be there,
# unchanged; more is welcome. In a source tree:
#
#     tests/abi/abi.sh check [LIBRARY]   # against tests/abi/baseline
#     tests/abi/abi.sh renew             # makes what is there now the baseline
#
# The baseline is the header, and the ABI that libabigail sees in it: that of a library whose functions have no bodies,
# so that it has the types that the header shows and none of those inside.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
baseline=$here/baseline
header=${HEADER:-$root/include/kprod.h}
map=${MAP:-$root/cmake/kprod.map}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# facade HEADER OUTPUT: the ABI of a library with the header's functions, as XML without a word on this machine.
facade() {
    cp "$1" "$work/kprod.h"
    awk -v facade=1 -f "$root/tests/c/functions.awk" "$1" >"$work/facade.c"
    (cd "$work" && ${CC:-cc} -shared -fPIC -g -w -I. -Wl,--version-script="$map" -Wl,-soname,libkprod.so.0 \
        facade.c -o facade.so &&
        abidw --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed --no-architecture facade.so) >"$2"
}

# constants HEADER: each with its value, but for those that tell the version.
constants() { grep -E '^#define KPROD_[A-Z0-9_]+ [^\\]' "$1" | grep -vE ' KPROD_(VERSION|API_VERSION)' | sort; }

# keeps WHAT COMMAND...: says so when the command finds something that has changed.
keeps() {
    what=$1
    shift
    if ! "$@"; then
        echo "abi.sh: $what is not what $baseline promised" >&2
        exit 1
    fi
}

has_all_lines() { ! comm -23 "$1" "$2" | grep .; }

case ${1:-} in
check)
    facade "$header" "$work/now.abi"
    constants "$baseline/kprod.h" >"$work/before"
    constants "$header" >"$work/now"
    keeps "a function or a struct" abidiff --no-added-syms --no-architecture "$baseline/kprod.abi" "$work/now.abi"
    keeps "a constant" has_all_lines "$work/before" "$work/now"
    [ -z "${2:-}" ] && exit
    # By its symbols and their versions: a release build knows no types.
    ${STRIP:-strip} -o "$work/library.so" "$2"
    keeps "$2" abidiff --no-added-syms --no-architecture "$baseline/kprod.abi" "$work/library.so"
    ;;
renew)
    mkdir -p "$baseline"
    cp "$header" "$baseline/kprod.h"
    facade "$header" "$baseline/kprod.abi"
    ;;
*)
    sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p;}' "$0" >&2
    exit 2
    ;;
esac
