//! User-space instructions per record of the whole client process: a long run less a short one, under callgrind.

use crate::contestant::{self, Contestant};
use crate::options::Options;
use crate::session::{self, Load, PARTITIONS, failure};
use crate::table::{self, ratio};
use std::path::Path;
use std::{fs, io};

const SIZES: [usize; 1] = [100];
/// Slow execution would otherwise send batches before they are full.
const LINGER_MS: u32 = 1_000;
const WARMUP: u64 = 20_000;
const SHORT: u64 = 60_000;
const LONG: u64 = 260_000;
const QUICK_DIVISOR: u64 = 10;

pub fn compare(options: &Options) -> io::Result<()> {
    println!(
        "\nUser-space instructions of the client process per record, by callgrind; acks=1, linger {LINGER_MS} ms, \
         {PARTITIONS} partitions, no key."
    );
    let mut rows = Vec::new();
    for &size in options.sizes.as_deref().unwrap_or(&SIZES) {
        let counted = count_all(options, size)?;
        let default = counted
            .iter()
            .find(|(name, _)| name == "librdkafka default");
        let default = default.map_or(f64::NAN, |&(_, count)| count);
        for (name, count) in counted {
            let vs = ratio(count, default);
            rows.push(vec![name, size.to_string(), format!("{count:.0}"), vs]);
        }
    }
    let head = ["contestant", "size", "instructions", "vs default"];
    table::print(&head, &rows);
    table::save(&options.output.join("instructions.tsv"), &head, &rows)
}

fn count_all(options: &Options, size: usize) -> io::Result<Vec<(String, f64)>> {
    let mut all = contestant::producers();
    all.retain(|contestant| contestant.name().contains(&options.only));
    if options.quick {
        all.truncate(1);
    }
    let count = |contestant: Contestant| {
        let count = per_record(options, &contestant, size)?;
        Ok((contestant.name(), count))
    };
    all.into_iter().map(count).collect()
}

fn per_record(options: &Options, contestant: &Contestant, size: usize) -> io::Result<f64> {
    let divisor = if options.quick { QUICK_DIVISOR } else { 1 };
    let (short, long) = (SHORT / divisor, LONG / divisor);
    let few = total(options, contestant, size, short, "short")?;
    let many = total(options, contestant, size, long, "long")?;
    Ok((many as f64 - few as f64) / (long - short) as f64)
}

/// The instructions of a whole run. The file stays, for callgrind_annotate.
fn total(
    options: &Options,
    contestant: &Contestant,
    size: usize,
    records: u64,
    length: &str,
) -> io::Result<u64> {
    let load = Load {
        value_size: size,
        records,
        warmup: WARMUP,
        linger_ms: LINGER_MS,
    };
    let name = contestant.name().replace(' ', "-");
    let file = options
        .output
        .join(format!("callgrind.{name}.{size}.{length}"));
    session::run(contestant, load, Some(&file))?;
    read_total(&file)
}

fn read_total(file: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(file)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|number| number.trim().parse().ok());
    total.ok_or_else(|| failure(format!("{} has no totals", file.display())))
}
