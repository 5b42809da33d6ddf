//! The rows of the table, as they are printed and kept.

use std::fs::OpenOptions;
use std::io::Write;

use crate::client::Kind;
use crate::options::Options;
use crate::schedule::Schedule;
use crate::verdict::Verdict;

pub fn head(schedule: Schedule) {
    println!("\n{} ({})\n", schedule.title(), schedule.name());
    println!(
        "| client | delivered | failed | lost | duplicated | reordered | wrong timestamps | stall, s | recovery, s | |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---|");
}

pub fn row(schedule: Schedule, kind: Kind, verdict: &Verdict, options: &Options) {
    let judgement = &verdict.judgement;
    let seconds = |micros: u64| format!("{:.2}", micros as f64 / 1e6);
    let cells = [
        kind.name().to_owned(),
        verdict.delivered.to_string(),
        verdict.failed.to_string(),
        (judgement.lost.len() + judgement.unreported.len()).to_string(),
        judgement.duplicated.len().to_string(),
        judgement.reordered.len().to_string(),
        verdict.wrong_times.to_string(),
        seconds(verdict.stall),
        verdict.recovery.map_or("never".into(), seconds),
        remarks(schedule, verdict),
    ];
    println!("| {} |", cells.join(" | "));
    if let Some(directory) = &options.output {
        let path = directory.join("runs.tsv");
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let mut file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let line = format!("{}\t{}\n", schedule.name(), cells.join("\t"));
        file.write_all(line.as_bytes())
            .expect("the output can be written to");
    }
}

/// What the columns do not say.
fn remarks(schedule: Schedule, verdict: &Verdict) -> String {
    let mut remarks = Vec::new();
    if schedule.is_transactional() {
        let (committed, aborted) = verdict.transactions;
        remarks.push(format!("{committed} committed, {aborted} aborted"));
    }
    remarks.extend(verdict.fatal.iter().map(|error| format!("fatal: {error}")));
    let wrong = verdict.judgement.to_string();
    if !wrong.is_empty() {
        remarks.push(wrong);
    }
    remarks.join("; ")
}
