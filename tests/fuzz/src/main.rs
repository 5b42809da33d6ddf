//! One program for all fuzzers; script/fuzz runs it. libFuzzer has the `main` and calls the target that
//! `KPROD_FUZZ_TARGET` names.

#![no_main]

mod batches;
mod codecs;
mod config;
mod connection;
mod messages;
mod packs;
mod produce_view;
mod records;

use std::path::Path;
use std::sync::OnceLock;
use std::{env, fs, process};

/// A panic, a sanitizer's report or an input that takes too long is a finding.
struct Target {
    name: &'static str,
    run: fn(&[u8]),
    /// What the search begins with.
    seeds: fn() -> Vec<Vec<u8>>,
}

const TARGETS: [Target; 8] = [
    batches::TARGET,
    codecs::TARGET,
    config::TARGET,
    connection::TARGET,
    messages::TARGET,
    packs::TARGET,
    produce_view::TARGET,
    records::TARGET,
];

static CHOSEN: OnceLock<&Target> = OnceLock::new();

/// Called by libFuzzer before all else. With `KPROD_FUZZ_SEEDS` it writes the seeds into that directory, and no more;
/// without a target it lists them.
#[unsafe(no_mangle)]
pub extern "C" fn LLVMFuzzerInitialize(argc: *const isize, argv: *const *const *const u8) -> isize {
    let Ok(name) = env::var("KPROD_FUZZ_TARGET") else {
        TARGETS
            .iter()
            .for_each(|target| println!("{}", target.name));
        process::exit(0);
    };
    let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
        eprintln!("there is no target {name}");
        process::exit(2);
    };
    if let Some(directory) = env::var_os("KPROD_FUZZ_SEEDS") {
        for (index, seed) in (target.seeds)().iter().enumerate() {
            fs::write(Path::new(&directory).join(format!("seed-{index}")), seed)
                .expect("the directory of the seeds is there");
        }
        process::exit(0);
    }
    CHOSEN.get_or_init(|| target);
    libfuzzer_sys::initialize(argc, argv)
}

#[unsafe(no_mangle)]
#[expect(
    improper_ctypes_definitions,
    reason = "as libfuzzer-sys declares it, which is the only caller"
)]
pub extern "C" fn rust_fuzzer_test_input(input: &[u8]) -> i32 {
    let target = CHOSEN.get().expect("initialized before the first input");
    (target.run)(input);
    0
}
