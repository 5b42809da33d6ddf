//! Records per second and processor time per record, contestants taking turns.

use crate::contestant::{self, Contestant, Kind};
use crate::options::Options;
use crate::session::{self, Load, PARTITIONS, Sample};
use crate::table::{self, median, ratio};
use std::io;

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
const LINGER_MS: u32 = 5;
/// The size whose figures are compared with two sending threads.
const PAIR_SIZE: usize = 100;
/// The floor is so quick that it needs more records for a figure.
const FLOOR_FACTOR: u64 = 4;

/// All runs of one contestant at one size.
struct Series {
    contestant: Contestant,
    samples: Vec<Sample>,
}

impl Series {
    /// Median processor time in nanoseconds per record.
    fn cpu(&self) -> f64 {
        median(self.samples.iter().map(Sample::cpu))
    }

    fn per_second(&self) -> f64 {
        median(self.samples.iter().map(Sample::per_second))
    }

    fn spread(&self) -> String {
        let all = || self.samples.iter().map(Sample::cpu);
        let least = all().fold(f64::INFINITY, f64::min);
        format!("{least:.0}-{:.0}", all().fold(0.0, f64::max))
    }

    fn per_batch(&self) -> f64 {
        let all = self.samples.iter();
        median(all.map(|sample| sample.batched_records as f64 / sample.batches as f64))
    }

    fn per_request(&self) -> f64 {
        let all = self.samples.iter();
        median(all.map(|sample| sample.batches as f64 / sample.requests as f64))
    }
}

pub fn compare(options: &Options) -> io::Result<()> {
    println!(
        "Processor time of the client process per record, user and system; acks=1, linger {LINGER_MS} ms, \
         {PARTITIONS} partitions,\nno key, one thread polling 1,024 reports at a time; medians of {} rounds. Own: what \
         is left when the best\nfloor, pre-encoded requests through a socket, is taken off. vs: own divided by \
         librdkafka's own, at its default\nbatch size and at the equal one.",
        options.rounds
    );
    let mut runs = Vec::new();
    let mut summary = Vec::new();
    for &size in options.sizes.as_deref().unwrap_or(&SIZES) {
        let all = measure(options, size)?;
        show(size, &all, &mut summary);
        runs.extend(all.iter().flat_map(|series| raw(size, series)));
    }
    table::save(&options.output.join("cpu-runs.tsv"), &RAW_HEAD, &runs)?;
    table::save(&options.output.join("cpu.tsv"), &SUMMARY_HEAD, &summary)
}

fn entries(options: &Options, size: usize) -> Vec<Contestant> {
    let mut all = contestant::producers();
    if size == PAIR_SIZE {
        all.extend(contestant::pairs());
    }
    all.retain(|contestant| contestant.name().contains(&options.only));
    let mut floors = contestant::floors();
    if options.quick {
        floors.truncate(2);
    }
    all.extend(floors);
    all
}

fn load(options: &Options, contestant: &Contestant, size: usize) -> Load {
    // About a second of work for librdkafka.
    let records = 2_000_000 * 1_100 / (1_000 + size as u64);
    let records = match contestant.kind {
        _ if options.quick => records / 50,
        Kind::Floor { .. } => records * FLOOR_FACTOR,
        _ => records,
    };
    Load {
        value_size: size,
        records,
        warmup: records / 10,
        linger_ms: LINGER_MS,
    }
}

fn measure(options: &Options, size: usize) -> io::Result<Vec<Series>> {
    let mut all: Vec<Series> = entries(options, size)
        .into_iter()
        .map(|contestant| Series {
            contestant,
            samples: Vec::new(),
        })
        .collect();
    for round in 0..options.rounds {
        // Whoever runs first in one round runs last in the next.
        let count = all.len();
        for turn in 0..count {
            let turn = if round % 2 == 0 {
                turn
            } else {
                count - 1 - turn
            };
            let series = &mut all[turn];
            let load = load(options, &series.contestant, size);
            series
                .samples
                .push(session::run(&series.contestant, load, None)?);
        }
    }
    Ok(all)
}

const HEAD: [&str; 10] = [
    "contestant",
    "records/s",
    "MB/s",
    "cpu ns",
    "min-max",
    "own ns",
    "vs default",
    "vs equal",
    "records/batch",
    "batches/req",
];

const SUMMARY_HEAD: [&str; 6] = [
    "size",
    "contestant",
    "records_per_second",
    "cpu_ns",
    "floor_ns",
    "own_ns",
];

fn show(size: usize, all: &[Series], summary: &mut Vec<Vec<String>>) {
    let is_floor = |series: &&Series| matches!(series.contestant.kind, Kind::Floor { .. });
    let by_cpu = |a: &&Series, b: &&Series| a.cpu().total_cmp(&b.cpu());
    let Some(floor) = all.iter().filter(is_floor).min_by(by_cpu) else {
        return;
    };
    let own = |series: &Series| series.cpu() - floor.cpu();
    let librdkafka = |batch_size, senders| {
        let found = all.iter().find(|series| {
            let Contestant { kind, .. } = series.contestant;
            kind == Kind::Librdkafka
                && series.contestant.batch_size == batch_size
                && series.contestant.senders == senders
        });
        found.map_or(f64::NAN, own)
    };
    let mut rows = Vec::new();
    for series in all {
        let Contestant {
            kind,
            batch_size,
            senders,
        } = series.contestant;
        if matches!(kind, Kind::Floor { .. }) && !std::ptr::eq(series, floor) {
            continue;
        }
        rows.push(vec![
            series.contestant.name(),
            format!("{:.0}", series.per_second()),
            format!("{:.0}", series.per_second() * size as f64 / 1e6),
            format!("{:.0}", series.cpu()),
            series.spread(),
            format!("{:.0}", own(series)),
            ratio(own(series), librdkafka(None, senders)),
            ratio(own(series), librdkafka(batch_size, senders)),
            format!("{:.0}", series.per_batch()),
            format!("{:.1}", series.per_request()),
        ]);
        summary.push(vec![
            size.to_string(),
            series.contestant.name(),
            format!("{:.0}", series.per_second()),
            format!("{:.1}", series.cpu()),
            format!("{:.1}", floor.cpu()),
            format!("{:.1}", own(series)),
        ]);
    }
    println!("\n{size} bytes");
    table::print(&HEAD, &rows);
    show_pairs(all);
}

fn show_pairs(all: &[Series]) {
    for pair in all.iter().filter(|series| series.contestant.senders > 1) {
        let alone = pair.contestant.clone().with_senders(1);
        if let Some(alone) = all.iter().find(|series| series.contestant == alone) {
            let name = pair.contestant.name();
            println!(
                "{name}: {} times the processor time of one",
                ratio(pair.cpu(), alone.cpu())
            );
        }
    }
}

const RAW_HEAD: [&str; 13] = [
    "size",
    "contestant",
    "version",
    "round",
    "records",
    "wall_ns",
    "user_ns",
    "system_ns",
    "switches",
    "requests",
    "batches",
    "batched_records",
    "bytes",
];

fn raw(size: usize, series: &Series) -> Vec<Vec<String>> {
    let rows = series.samples.iter().enumerate().map(|(round, sample)| {
        let mut row = vec![
            size.to_string(),
            series.contestant.name(),
            sample.version.clone(),
        ];
        let numbers = [
            round as u64 + 1,
            sample.records,
            sample.wall_ns,
            sample.user_ns,
            sample.system_ns,
            sample.switches,
            sample.requests,
            sample.batches,
            sample.batched_records,
            sample.bytes,
        ];
        row.extend(numbers.map(|number| number.to_string()));
        row
    });
    rows.collect()
}
