//! What became of a client's records, as an independent consumer sees it, and how long its partitions stood still.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use kprod::completion::Report;
use kprod::error::ErrorCode;

use crate::PARTITIONS;
use crate::client::Client;
use crate::ledger::{Judgement, Ledger};
use crate::measure::{self, Fault};
use crate::support::consumer::{Isolation, Record};
use crate::support::kafka::KafkaCluster;

/// For the markers of the last transactions.
const MARKERS: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct Verdict {
    pub delivered: usize,
    pub failed: usize,
    pub wrong_times: usize,
    pub judgement: Judgement,
    pub stall: u64,
    pub recovery: Option<u64>,
    /// Committed and aborted.
    pub transactions: (usize, usize),
    pub fatal: Option<String>,
}

impl Verdict {
    pub fn of(cluster: &KafkaCluster, topic: &str, client: &Client, faults: &[Fault]) -> Verdict {
        let (tags, reports) = client.expected();
        let isolation = if client.transactional {
            Isolation::ReadCommitted
        } else {
            Isolation::ReadUncommitted
        };
        let read = || {
            let log = cluster.consumer(isolation).read_all(topic);
            let judgement = client.ledger.judge(tags.iter().copied(), &reports, &log);
            (log, judgement)
        };
        let deadline = Instant::now() + MARKERS;
        let (mut log, mut judgement) = read();
        while client.transactional && !judgement.lost.is_empty() && Instant::now() < deadline {
            (log, judgement) = read();
        }
        let acks = client.acks();
        Verdict {
            delivered: reports.iter().filter(|it| is_delivered(it)).count(),
            failed: reports.iter().filter(|it| !is_delivered(it)).count(),
            wrong_times: wrong_times(&client.ledger, &reports, &log),
            judgement,
            stall: measure::longest_stall(&acks, PARTITIONS, faults),
            recovery: measure::longest_recovery(&acks, PARTITIONS, faults),
            transactions: client.transactions(),
            fatal: client.fatal(),
        }
    }

    pub fn is_clean(&self) -> bool {
        let faults = self.failed + self.wrong_times;
        faults == 0 && self.judgement == Judgement::default() && self.fatal.is_none()
    }
}

fn is_delivered(report: &Report) -> bool {
    report.error == ErrorCode::OK
}

/// How many were reported with another time than they have in the log.
fn wrong_times(ledger: &Ledger, reports: &[Report], log: &[Record]) -> usize {
    let times: HashMap<u64, i64> = log
        .iter()
        .rev()
        .filter_map(|record| Some((ledger.tag_of(record.value.as_deref())?, record.timestamp)))
        .collect();
    let delivered = reports.iter().filter(|report| is_delivered(report));
    let wrong = delivered.filter(|report| {
        let stored = times.get(&report.tag);
        stored.is_some_and(|stored| *stored != report.timestamp)
    });
    wrong.count()
}
