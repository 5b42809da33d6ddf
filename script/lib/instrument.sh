# Builds with the sanitizers that come with rustc, for script/sanitize and script/fuzz. Sourced after lib/build.sh.
#
# rustc calls the flags unstable, and takes them with RUSTC_BOOTSTRAP; for that the runtimes need no other toolchain.
# The standard library's own code stays uninstrumented, because a toolchain brings its sources only on demand: what is
# inlined or generic is seen, its calls of malloc, memcpy and pthreads are intercepted.

rust_host() { rustc -vV | sed -n 's/^host: //p'; }

# sanitizer_runtime asan|tsan: the runtime's archive, or nothing.
sanitizer_runtime() {
    find "$(rustc --print sysroot)/lib/rustlib/$(rust_host)/lib" -name "librustc*_rt.$1.a" 2>/dev/null
}

# What libFuzzer needs to see where an input leads.
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares"

# instrumented SANITIZER FLAGS COMMAND ARGUMENT...: that command of cargo, as a dev build which is optimised a little.
# Overflows and broken preconditions of unsafe functions panic in it. Prints the library's archive.
instrumented() {
    RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=$1 -Cunsafe-allow-abi-mismatch=sanitizer $(echo $2)" \
        CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=line-tables-only \
        cargo "$3" --locked --target "$(rust_host)" --target-dir "$CARGO_TARGET_DIR/$1" \
        --message-format json-render-diagnostics "${@:4}" |
        sed -n 's|.*"\([^"]*/libkprod[^"/]*\.a\)".*|\1|p'
}

# One build serves the fuzzers and the C tests: libFuzzer's program, and beside it the library.
build_for_address() {
    instrumented address "$coverage" build --manifest-path "$build_root/tests/fuzz/Cargo.toml"
}

# With tokio's locks from parking_lot, whose code is compiled here and so is seen. Generic code of the standard library
# is compiled here too, and not shared with it.
build_for_thread() {
    instrumented thread -Zshare-generics=off rustc --manifest-path "$build_root/Cargo.toml" \
        --lib --crate-type staticlib --features heap,tokio/parking_lot
}

fuzzer() { echo "$CARGO_TARGET_DIR/address/$(rust_host)/debug/kprod-fuzz"; }
