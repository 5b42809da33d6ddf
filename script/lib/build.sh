# Where the library is built, and how: for script/demo and script/test, which share what they build. Sourced.

build_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# One directory for all that cargo compiles, also for what CMake has it compile.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$build_root/target}
build_dir=${KPROD_BUILD_DIR:-$build_root/build}

# build_library [TARGET...]: the library as it is shipped, with its examples and C tests, or only these targets.
build_library() {
    cmake -S "$build_root" -B "$build_dir" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        ${KPROD_RDKAFKA:+"-DKPROD_RDKAFKA=$KPROD_RDKAFKA"} &&
        cmake --build "$build_dir" ${1:+--target "$@"}
}

# use_rdkafka: has build_library build what needs librdkafka too, from the source that the benchmark uses and where that
# one builds it. KPROD_RDKAFKA names another one.
use_rdkafka() {
    local bench=${KPROD_BENCH_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/kprod/bench} built
    [ -z "${KPROD_RDKAFKA:-}" ] || return 0
    built=$(cargo build --release --locked --package rdkafka-sys --manifest-path "$build_root/tests/bench/Cargo.toml" \
        --target-dir "$bench/target" --message-format json-render-diagnostics) || return 1
    KPROD_RDKAFKA=$(sed -n 's|.*"out_dir":"\([^"]*/rdkafka-sys-[^"]*\)".*|\1/src|p' <<<"$built")
    [ -e "$KPROD_RDKAFKA/librdkafka.a" ] || { echo "rdkafka-sys has built no librdkafka.a" >&2 && return 1; }
    export KPROD_RDKAFKA
}
