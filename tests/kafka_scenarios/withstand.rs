//! An idempotent producer that sends all the while something happens to its cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use kprod::completion::Report;
use kprod::network::Transport;

use crate::bed::{Bed, LONG, all_ok, record_at};
use crate::ledger::Ledger;
use crate::pool::Lease;
use crate::support::consumer::{Isolation, TimestampType};
use crate::support::wait_for;

pub const PARTITIONS: i32 = 3;
/// Between two records of the sender.
const PACE: Duration = Duration::from_micros(500);
/// Records that must be delivered before and after the trouble.
const STRETCH: u32 = 1_000;

const SETTINGS: [(&str, &str); 4] = [
    ("enable.idempotence", "true"),
    ("linger.ms", "5"),
    ("request.timeout.ms", "3000"),
    ("max.block.ms", "60000"),
];

/// Ends the sender when it goes.
pub struct End<'a>(pub &'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Sends all the while `trouble` goes on, and expects each record once, in order, where and when its report says.
pub fn withstand(
    cluster: &Lease,
    topic: &str,
    transport: Option<Arc<dyn Transport>>,
    trouble: impl FnOnce(&dyn Fn()),
) {
    let needs = [("min.insync.replicas", "2")];
    cluster.create_topic(topic, PARTITIONS, &needs);
    let bootstrap = cluster.bootstrap();
    let bed = match transport {
        Some(transport) => Bed::through(transport, &bootstrap, &SETTINGS),
        None => Bed::new(&bootstrap, &SETTINGS),
    };
    let ledger = Ledger::new();
    let (over, sent) = (AtomicBool::new(false), AtomicU32::new(0));
    let mut reports: Vec<Report> = Vec::new();
    std::thread::scope(|scope| {
        // The sender ends with a test that fails, too.
        let end = End(&over);
        let sender = scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let n = sent.load(Ordering::SeqCst);
                let tag = Ledger::tag(n % PARTITIONS as u32, n / PARTITIONS as u32);
                let value = ledger.value(tag, 100);
                bed.send(&record_at(
                    topic,
                    (n % PARTITIONS as u32) as i32,
                    &value,
                    tag,
                ));
                sent.store(n + 1, Ordering::SeqCst);
                std::thread::sleep(PACE);
            }
        });
        let stretch = || {
            let until = sent.load(Ordering::SeqCst) + STRETCH;
            wait_for("records to be delivered", LONG, || {
                let delivered = bed.producer.metrics().records_delivered;
                (delivered >= u64::from(until)).then_some(())
            });
        };
        stretch();
        trouble(&stretch);
        stretch();
        drop(end);
        sender.join().expect("the sender goes on");
    });
    bed.flush();
    reports.extend(bed.reports_now());
    all_ok(&reports);
    let tags: Vec<u64> = (0..sent.into_inner())
        .map(|n| Ledger::tag(n % PARTITIONS as u32, n / PARTITIONS as u32))
        .collect();
    let log = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    ledger.judge(tags, &reports, &log).assert_clean();
    let own_time = |report: &&Report| {
        let place = (report.partition, report.offset);
        let stored = log.iter().find(|r| (r.partition, r.offset) == place);
        stored.is_some_and(|stored| {
            stored.timestamp == report.timestamp
                && stored.timestamp_type == TimestampType::CreateTime
                && report.timestamp_type == kprod::completion::TimestampType::CreateTime
        })
    };
    // Every hundredth is enough to see a time that is not the record's.
    let wrong = reports.iter().step_by(100).find(|report| !own_time(report));
    assert_eq!(wrong, None, "another time than in the log");
    assert_eq!(bed.producer.metrics().data_losses, 0);
    bed.assert_at_rest();
}
