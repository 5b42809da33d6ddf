# The library as it is installed, for the tests and benchmarks of bindings. Sourced, after build.sh.

# use_installed DIRECTORY: lets pkg-config and the loader find the library under KPROD_PREFIX or, if that is not set,
# one that is built and installed in the directory.
use_installed() {
    if [ -z "${KPROD_PREFIX:-}" ]; then
        KPROD_PREFIX=$1/prefix
        build_library kprod kprod_static >"$1/build.log" 2>&1 &&
            cmake --install "$build_dir" --prefix "$KPROD_PREFIX" >>"$1/build.log" 2>&1 ||
            { cat "$1/build.log" >&2 && return 1; }
    fi
    local library
    library=$(find "$KPROD_PREFIX" -name libkprod.so.0 | head -n 1)
    [ -n "$library" ] || { echo "no libkprod.so.0 under $KPROD_PREFIX" >&2 && return 1; }
    export KPROD_PREFIX KPROD_LIBRARY=${KPROD_LIBRARY:-$library}
    export PKG_CONFIG_PATH=${library%/*}/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
    export LD_LIBRARY_PATH=${KPROD_LIBRARY%/*}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
}
