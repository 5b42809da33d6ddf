//! The engine under simulated time and network: thousands of seeded schedules, each held against the promises.
//!
//! `KPROD_SIM_SEEDS=N` runs N schedules, from `KPROD_SIM_FIRST=S` on; `KPROD_SIM_SEED=S` runs one and prints its trace.

mod batches;
mod cluster;
mod coordinator;
mod doubt;
mod faults;
mod model;
mod plan;
mod queueing;
mod stage;
mod timing;
mod transactions;
mod world;

use std::env;
use std::future::Future;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use plan::Plan;
use world::World;

const SEEDS: u64 = 200;
/// Real time after which a schedule is known to go round in circles.
const STUCK: Duration = Duration::from_secs(60);

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().expect("a number of seeds or a seed"))
}

/// A schedule by its seed: its trace.
type Schedule = fn(u64) -> Vec<String>;

fn on_paused_clock<T>(schedule: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(schedule)
}

fn plain(seed: u64) -> Vec<String> {
    on_paused_clock(async { World::new(Plan::of(seed)).run().await })
}

fn transactional(seed: u64) -> Vec<String> {
    on_paused_clock(transactions::run(seed))
}

/// Runs a schedule and says which it was if it fails or never ends.
fn run_named(run: Schedule, seed: u64) -> Vec<String> {
    let (done, trace) = mpsc::channel();
    let thread = thread::spawn(move || drop(done.send(run(seed))));
    let trace = trace.recv_timeout(STUCK);
    if trace != Err(RecvTimeoutError::Timeout) {
        // A panic has been printed; the channel's end tells of it.
        let _ = thread.join();
    }
    trace.unwrap_or_else(|why| {
        eprintln!("{:#?}", Plan::of(seed));
        panic!("the schedule of seed {seed} failed ({why}): KPROD_SIM_SEED={seed} runs it alone")
    })
}

fn run_all(run: Schedule) {
    if let Some(seed) = number("KPROD_SIM_SEED") {
        let trace = run_named(run, seed);
        trace.iter().for_each(|line| println!("{line}"));
        return;
    }
    let first = number("KPROD_SIM_FIRST").unwrap_or(0);
    for seed in first..first + number("KPROD_SIM_SEEDS").unwrap_or(SEEDS) {
        run_named(run, seed);
    }
}

#[test]
fn every_schedule_keeps_the_promises() {
    run_all(plain);
}

#[test]
fn every_schedule_of_transactions_is_all_or_nothing() {
    run_all(transactional);
}

#[test]
fn a_seed_always_gives_the_same_trace() {
    for run in [plain, transactional] {
        for seed in 0..20 {
            let (first, second) = (run_named(run, seed), run_named(run, seed));
            let differs = first.iter().zip(&second).find(|(a, b)| a != b);
            assert_eq!(differs, None, "seed {seed}");
            assert_eq!(first.len(), second.len(), "seed {seed}");
        }
    }
}
