# Where the library is built, and how: for script/demo and script/test, which share what they build. Sourced.

build_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# One directory for all that cargo compiles, also for what CMake has it compile.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$build_root/target}
build_dir=${KPROD_BUILD_DIR:-$build_root/build}

# build_library [TARGET...]: the library as it is shipped, with its examples and C tests, or only these targets.
build_library() {
    cmake -S "$build_root" -B "$build_dir" -G Ninja -DCMAKE_BUILD_TYPE=Release &&
        cmake --build "$build_dir" ${1:+--target "$@"}
}
